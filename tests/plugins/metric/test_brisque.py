"""BRISQUE against the same definition written in NumPy, its fit against quantiles of the distribution."""

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.ndimage import gaussian_filter
from scipy.special import gamma
from scipy.stats import gennorm

from texprior import weights
from texprior_plugins.metric import BRISQUE_MODEL
from texprior_plugins.metric._natural import half_size, symmetric_gaussian
from texprior_plugins.metric._pictures import luma_rounded

GRID = np.arange(0.2, 10.0005, 0.001)
KURTOSIS = gamma(1 / GRID) * gamma(3 / GRID) / gamma(2 / GRID) ** 2


def described(grey):
    """18 features; beyond the border the picture is black."""
    mean, second = (gaussian_filter(a, 7 / 6, mode="constant", radius=3) for a in (grey, grey**2))
    x = (grey - mean) / (np.sqrt(np.abs(second - mean**2)) + 1)
    variance = (x**2).mean()
    features = [GRID[np.argmin(np.abs(variance / np.abs(x).mean() ** 2 - KURTOSIS))], variance]
    for shift in ((0, 1), (1, 0), (1, 1), (-1, 1)):
        product = x * np.roll(x, shift, (0, 1))
        left, right = np.sqrt((product[product < 0] ** 2).mean()), np.sqrt((product[product > 0] ** 2).mean())
        g = left / right
        ratio = np.abs(product).mean() ** 2 / (product**2).mean() * (g**3 + 1) * (g + 1) / (g**2 + 1) ** 2
        alpha = GRID[np.argmin((1 / KURTOSIS - ratio) ** 2)]
        mean = (right - left) * gamma(2 / alpha) / np.sqrt(gamma(1 / alpha) * gamma(3 / alpha))
        features += [alpha, mean, left**2, right**2]
    return features


def pillow_half(grey):
    """Mirrored first: Pillow renormalises at borders where MATLAB mirrors."""
    mirrored = Image.fromarray(np.pad(grey, 16, mode="symmetric").astype(np.float32))
    half = mirrored.resize((mirrored.width // 2, mirrored.height // 2), Image.Resampling.BICUBIC)
    return np.asarray(half)[8:-8, 8:-8].astype(np.float64)


def brisque_in_numpy(grey):
    model = {name: tensor.numpy() for name, tensor in weights.load(BRISQUE_MODEL).items()}
    features = np.array([*described(grey), *described(pillow_half(grey))])
    scaled = -1 + 2 * (features - model["low"]) / (model["high"] - model["low"])
    score = -model["rho"]
    for coefficient, vector in zip(model["coefficients"], model["support_vectors"], strict=True):
        score = score + coefficient * np.exp(-model["gamma"] * ((scaled - vector) ** 2).sum())
    return score


def test_the_whole_matches_the_definition_in_numpy(build, photographs, noise):
    pictures = torch.cat([photographs, photographs[:1] + 0.1 * noise[:1]])
    expected = [brisque_in_numpy(grey[0].numpy() * 255) for grey in luma_rounded(pictures.double())]
    # Pillow resizes in single precision, and the fitted shapes move in steps of .001
    np.testing.assert_allclose(build("brisque")(pictures), expected, atol=0.05)


def test_the_model_is_the_release_s():
    model = weights.load(BRISQUE_MODEL)
    assert model["support_vectors"].shape == (774, 36)
    assert (float(model["gamma"]), float(model["rho"])) == (0.05, -153.591)
    # an epsilon-SVR's coefficients lie within its cost and sum to 0
    assert model["coefficients"].abs().max() == 1024
    assert float(model["coefficients"].sum()) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("alpha", [0.5, 1.0, 2.0, 4.0])
def test_the_symmetric_fit_recovers_shape_and_variance(alpha):
    values = torch.from_numpy(gennorm.ppf((np.arange(20_000) + 0.5) / 20_000, alpha)).reshape(1, 1, 1, -1)
    measured = [float(x) for x in symmetric_gaussian(values)]
    assert measured == pytest.approx([alpha, gamma(3 / alpha) / gamma(1 / alpha)], rel=5e-3)


def halved(line):
    """Row i of the half lies at 2 i + 1/2; a cubic of twice the width (Keys, a = -1/2) over a mirrored line."""
    mirrored, out = np.pad(line, 4, mode="symmetric"), []
    for i in range((len(line) + 1) // 2):
        x = np.abs(np.arange(2 * i - 3, 2 * i + 5) - (2 * i + 0.5)) / 2
        taps = np.where(x < 1, 1.5 * x**3 - 2.5 * x**2 + 1, -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2)
        out.append((taps / taps.sum()) @ mirrored[2 * i + 1 : 2 * i + 9])
    return np.array(out)


@pytest.mark.parametrize(("height", "width"), [(15, 20), (20, 15), (21, 27)])
def test_half_of_an_odd_size_is_rounded_up_and_mirrored(height, width):
    picture = torch.rand(1, 1, height, width, generator=torch.Generator().manual_seed(1)).double()
    expected = np.apply_along_axis(halved, 1, np.apply_along_axis(halved, 0, picture[0, 0].numpy()))
    np.testing.assert_allclose(half_size(picture)[0, 0], expected, atol=1e-12)


def test_a_picture_without_contrast_has_no_score(build, photographs):
    scores = build("brisque")(torch.cat([photographs[:1], torch.zeros_like(photographs[:1])]))
    torch.testing.assert_close(scores[:1], build("brisque")(photographs[:1]))
    assert scores[1].isnan()


def test_blur_is_worse(build, photographs):
    blurred = torch.nn.functional.avg_pool2d(photographs, 5, stride=1, padding=2, count_include_pad=False)
    assert (build("brisque")(blurred) > build("brisque")(photographs) + 10).all()
