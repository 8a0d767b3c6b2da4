"""NIQE's parts against closed forms and Pillow, the whole against the same definition written in NumPy."""

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.ndimage import gaussian_filter
from scipy.special import gamma
from scipy.stats import gennorm

from texprior import weights
from texprior_plugins.metric import NIQE_MODEL
from texprior_plugins.metric._natural import asymmetric_gaussian, half_size, unit_scale
from texprior_plugins.metric._pictures import luma_rounded

GRID = np.arange(0.2, 10.0005, 0.001)
RATIO = gamma(2 / GRID) ** 2 / (gamma(1 / GRID) * gamma(3 / GRID))


def fit(x):
    left, right = np.sqrt((x[x < 0] ** 2).mean()), np.sqrt((x[x > 0] ** 2).mean())
    g = left / right
    ratio = np.abs(x).mean() ** 2 / (x**2).mean() * (g**3 + 1) * (g + 1) / (g**2 + 1) ** 2
    alpha = GRID[np.argmin((RATIO - ratio) ** 2)]
    unit = np.sqrt(gamma(1 / alpha) / gamma(3 / alpha))
    return alpha, (right - left) * unit * gamma(2 / alpha) / gamma(1 / alpha), left * unit, right * unit


def block_statistics(block):
    alpha, _, left, right = fit(block)
    features = [alpha, (left + right) / 2]
    for shift in ((0, 1), (1, 0), (1, 1), (1, -1)):
        features += fit(block * np.roll(block, shift, (0, 1)))
    return features


def contrast(grey):
    mean, second = (gaussian_filter(a, 7 / 6, mode="nearest", radius=3) for a in (grey, grey**2))
    return (grey - mean) / (np.sqrt(np.abs(second - mean**2)) + 1)


def pillow_half(grey):
    """Pillow renormalises at borders where MATLAB mirrors, so the picture is mirrored first."""
    mirrored = Image.fromarray(np.pad(grey, 16, mode="symmetric").astype(np.float32))
    half = mirrored.resize((mirrored.width // 2, mirrored.height // 2), Image.Resampling.BICUBIC)
    return np.asarray(half)[8:-8, 8:-8].astype(np.float64)


def niqe_in_numpy(grey):
    rows = []
    for picture, side in ((grey, 96), (pillow_half(grey), 48)):
        normal = contrast(picture)
        corners = [(i, j) for i in range(0, normal.shape[0], side) for j in range(0, normal.shape[1], side)]
        rows.append([block_statistics(normal[i : i + side, j : j + side]) for i, j in corners])
    features = np.concatenate(rows, axis=1)
    model = {name: tensor.numpy() for name, tensor in weights.load(NIQE_MODEL).items()}
    difference = model["mean"] - features.mean(0)
    return np.sqrt(difference @ np.linalg.pinv((model["covariance"] + np.cov(features.T)) / 2) @ difference)


def test_the_whole_matches_the_definition_in_numpy(build, photographs):
    expected = [niqe_in_numpy(grey[0].numpy() * 255) for grey in luma_rounded(photographs.double())]
    # Pillow resizes in single precision, and the fitted shape moves in steps of .001
    np.testing.assert_allclose(build("niqe")(photographs), expected, rtol=1e-3)


@pytest.mark.parametrize("alpha", [0.5, 1.0, 2.0, 4.0])
def test_the_fit_recovers_shape_mean_and_scales(alpha):
    left, right = 0.5, 2.0
    # quantiles of an asymmetric generalised Gaussian: each side holds a share that goes with its scale
    n = 200_000
    n_left = int(n * left / (left + right))
    magnitudes = [gennorm.ppf(0.5 + 0.5 * (np.arange(k) + 0.5) / k, alpha) for k in (n_left, n - n_left)]
    values = torch.from_numpy(np.concatenate([-left * magnitudes[0], right * magnitudes[1]])).reshape(1, 1, 1, -1)
    mean = (right - left) * gamma(2 / alpha) / gamma(1 / alpha)
    shape, *measured = (float(x) for x in asymmetric_gaussian(values))
    unit = float(unit_scale(torch.tensor(alpha).double()))
    assert unit == pytest.approx(np.sqrt(gamma(1 / alpha) / gamma(3 / alpha)), rel=1e-9)
    assert [shape, *measured] == pytest.approx([alpha, mean, left / unit, right / unit], rel=5e-3)


def test_half_size_matches_pillow(photographs):
    grey = luma_rounded(photographs.double()) * 255
    for ours, picture in zip(half_size(grey), grey, strict=True):
        np.testing.assert_allclose(ours[0], pillow_half(picture[0].numpy()), atol=1e-3)


def test_half_size_keeps_a_constant_and_a_slope():
    slope = torch.arange(64, dtype=torch.float64).expand(1, 1, 64, 64)
    torch.testing.assert_close(half_size(torch.ones_like(slope)), torch.ones(1, 1, 32, 32).double())
    # a pixel of the half lies between two of the whole; the mirrored border is no slope
    centres = torch.arange(32, dtype=torch.float64)[3:-3] * 2 + 0.5
    torch.testing.assert_close(half_size(slope)[0, 0, 5, 3:-3], centres)


def test_only_whole_blocks_count(build, photographs):
    larger = torch.nn.functional.pad(photographs, (0, 40, 0, 95))
    inner = larger[..., :192, :288]
    assert torch.equal(inner, photographs)
    expected = torch.nn.functional.pad(photographs, (0, 40, 0, 95), mode="replicate")
    # the replicated border is what the filter assumes beyond the last whole block
    torch.testing.assert_close(build("niqe")(expected), build("niqe")(photographs))
    torch.testing.assert_close(build("niqe")(larger), build("niqe")(photographs))


def test_flat_blocks_are_left_out_and_a_flat_picture_has_no_score(build, photographs):
    flat = torch.full_like(photographs, 0.4)
    assert build("niqe")(flat).isnan().all()
    mixed = torch.cat([photographs[:1], flat[:1]])
    scores = build("niqe")(mixed)
    torch.testing.assert_close(scores[:1], build("niqe")(photographs[:1]))
    assert scores[1].isnan()


def test_blur_is_worse(build, photographs):
    blurred = torch.nn.functional.avg_pool2d(photographs, 5, stride=1, padding=2, count_include_pad=False)
    assert (build("niqe")(blurred) > build("niqe")(photographs) + 1).all()
