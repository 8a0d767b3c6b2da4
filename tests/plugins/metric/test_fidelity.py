"""PSNR, SSIM, their bands and scales, and the texture ratio against closed forms, scikit-image and SciPy."""

import math

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from skimage.color import rgb2ycbcr
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from texprior_plugins.metric import CEILING_DB
from texprior_plugins.metric._pictures import luma_rounded, luma_studio
from texprior_plugins.metric.texture_ratio import FLOOR


def arrays(pictures):
    return [p.permute(1, 2, 0).double().numpy() for p in pictures]


def luma(array):
    """scikit-image's studio-swing Y in [0, 1]."""
    return rgb2ycbcr(array)[..., 0] / 255


def test_luma_of_black_white_and_primaries():
    colours = torch.tensor([[0, 0, 0], [1, 1, 1], [1, 0, 0], [0, 1, 0], [0, 0, 1]]).double()[:, :, None, None]
    studio = [16, 235, 16 + 65.481, 16 + 128.553, 16 + 24.966]
    torch.testing.assert_close(luma_studio(colours).flatten() * 255, torch.tensor(studio).double())
    # .299, .587 and .114 of 255, rounded
    assert (luma_rounded(colours).flatten() * 255).tolist() == [0, 255, 76, 150, 29]


@pytest.mark.parametrize("error", [0.5, 0.1, 1 / 255])
def test_psnr_of_a_constant_error_is_its_level(build, photographs, error):
    rgb = build("psnr")(photographs.double() + error, photographs)
    torch.testing.assert_close(rgb, torch.full((3,), -20 * math.log10(error)).double(), rtol=1e-6, atol=0)
    # a grey error e changes studio-swing Y by 219/255 e
    y = build("psnr", space="y")(photographs.double() + error, photographs)
    torch.testing.assert_close(y - rgb, torch.full((3,), 20 * math.log10(255 / 219)).double(), rtol=1e-5, atol=0)


def test_psnr_matches_scikit_image(build, photographs, noise):
    restored = photographs + 0.05 * noise
    pairs = list(zip(arrays(photographs), arrays(restored), strict=True))
    rgb = [peak_signal_noise_ratio(a, b, data_range=1) for a, b in pairs]
    np.testing.assert_allclose(build("psnr")(restored, photographs), rgb, rtol=1e-9)
    y = [peak_signal_noise_ratio(luma(a), luma(b), data_range=1) for a, b in pairs]
    np.testing.assert_allclose(build("psnr", space="y")(restored, photographs), y, rtol=1e-9)


def test_psnr_leaves_the_border_out(build, photographs):
    restored = photographs.clone()
    restored[..., :3, :] = restored[..., -3:] = 0
    assert build("psnr", crop=3)(restored, photographs).tolist() == [100.0] * 3
    assert (build("psnr", crop=2)(restored, photographs) < 40).all()


def test_ssim_matches_scikit_image(build, photographs, noise):
    restored = photographs + 0.05 * noise
    settings = {"data_range": 1, "gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    pairs = list(zip(arrays(photographs), arrays(restored), strict=True))
    rgb = [structural_similarity(a, b, channel_axis=-1, **settings) for a, b in pairs]
    np.testing.assert_allclose(build("ssim", space="rgb")(restored, photographs), rgb, atol=1e-9)
    y = [structural_similarity(luma(a), luma(b), **settings) for a, b in pairs]
    np.testing.assert_allclose(build("ssim")(restored, photographs), y, atol=1e-9)


def test_ssim_of_two_constant_pictures(build):
    a, b = torch.full((1, 3, 20, 20), 0.4), torch.full((1, 3, 20, 20), 0.7)
    expected = (2 * 0.4 * 0.7 + 1e-4) / (0.4**2 + 0.7**2 + 1e-4)
    assert build("ssim", space="rgb")(a, b).item() == pytest.approx(expected, abs=1e-6)


def test_ssim_of_an_inverted_checkerboard(build):
    a = 0.1
    board = a * (-1.0) ** (torch.arange(24)[:, None] + torch.arange(24)).expand(1, 3, 24, 24).double()
    # the window averages the board away: local means are .5, the local covariance is -a^2
    expected = (-2 * a**2 + 9e-4) / (2 * a**2 + 9e-4)
    assert build("ssim", space="rgb")(0.5 - board, 0.5 + board).item() == pytest.approx(expected, abs=1e-6)


def ms_ssim_in_numpy(a, b):
    """Of one channel, with SciPy's Gaussian and means of every second row and column."""
    score = 1.0
    for scale, exponent in enumerate((0.0448, 0.2856, 0.3001, 0.2363, 0.1333)):
        if scale:
            a, b = (np.pad(x, [(0, side % 2) for side in x.shape], mode="edge") for x in (a, b))
            a, b = (np.mean([x[i::2, j::2] for i in (0, 1) for j in (0, 1)], axis=0) for x in (a, b))
        blur = [gaussian_filter(x, 1.5, truncate=3.5)[5:-5, 5:-5] for x in (a, b, a * a, b * b, a * b)]
        mean_a, mean_b, aa, bb, ab = blur
        contrast = (2 * (ab - mean_a * mean_b) + 9e-4) / (aa - mean_a**2 + bb - mean_b**2 + 9e-4)
        luminance = (2 * mean_a * mean_b + 1e-4) / (mean_a**2 + mean_b**2 + 1e-4)
        score *= (contrast * luminance if scale == 4 else contrast).mean() ** exponent
    return score


@pytest.mark.parametrize("size", [(192, 288), (161, 163), (175, 200)])
def test_ms_ssim_matches_numpy(build, photographs, noise, size):
    reference = photographs[..., : size[0], : size[1]]
    restored = (photographs + 0.1 * noise)[..., : size[0], : size[1]]
    pairs = list(zip(arrays(restored), arrays(reference), strict=True))
    rgb = [np.mean([ms_ssim_in_numpy(a[..., c], b[..., c]) for c in range(3)]) for a, b in pairs]
    np.testing.assert_allclose(build("ms_ssim", space="rgb")(restored, reference), rgb, atol=1e-9)
    y = [ms_ssim_in_numpy(luma(a), luma(b)) for a, b in pairs]
    np.testing.assert_allclose(build("ms_ssim")(restored, reference), y, atol=1e-9)


def test_ms_ssim_of_constant_pictures_is_the_luminance_of_the_coarsest_scale(build):
    a, b = (torch.full((1, 3, 170, 180), level, dtype=torch.float64) for level in (0.4, 0.7))
    expected = ((2 * 0.4 * 0.7 + 1e-4) / (0.4**2 + 0.7**2 + 1e-4)) ** 0.1333
    assert build("ms_ssim", space="rgb")(a, b).item() == pytest.approx(expected, rel=1e-9)


def test_ms_ssim_of_an_inverted_texture_is_zero(build, photographs):
    """The means of c s are negative, of which there is no real power: they count as 0."""
    assert build("ms_ssim", space="rgb")(1 - photographs, photographs).tolist() == [0.0] * 3


@pytest.mark.parametrize("error", [0.5, 0.1, 1 / 255])
def test_a_constant_error_is_all_structure(build, photographs, error):
    restored = photographs.double() + error
    structure = build("band_psnr", band="structure")(restored, photographs)
    torch.testing.assert_close(structure, torch.full((3,), -20 * math.log10(error)).double(), rtol=1e-6, atol=0)
    assert build("band_psnr", band="texture")(restored, photographs).tolist() == [CEILING_DB] * 3


@pytest.mark.parametrize("sigma", [1.0, 2.0])
@pytest.mark.parametrize("period", [4, 16])
def test_the_bands_of_a_wave_are_the_filter_s_response(build, sigma, period):
    """A cosine whose crests lie on the mirrored borders is an eigenfunction of the filter."""
    amplitude, x = 0.1, torch.arange(97).double()
    wave = amplitude * torch.cos(2 * math.pi * x / period)
    reference = torch.full((1, 3, 97, 97), 0.5).double()
    restored = reference + wave
    offset = np.arange(-math.ceil(4 * sigma), math.ceil(4 * sigma) + 1)
    taps = np.exp(-0.5 * (offset / sigma) ** 2)
    kept = float((taps * np.cos(2 * math.pi * offset / period)).sum() / taps.sum())
    whole = -10 * math.log10(wave.square().mean())
    structure = build("band_psnr", band="structure", sigma=sigma)(restored, reference).item()
    texture = build("band_psnr", band="texture", sigma=sigma)(restored, reference).item()
    assert structure == pytest.approx(min(whole - 20 * math.log10(abs(kept)), CEILING_DB), abs=1e-6)
    assert texture == pytest.approx(whole - 20 * math.log10(1 - kept), abs=1e-6)
    # the response of a Gaussian, as long as its spectrum is not folded
    assert kept == pytest.approx(math.exp(-0.5 * (2 * math.pi * sigma / period) ** 2), abs=2e-4)


@pytest.mark.parametrize("space", ["rgb", "y"])
def test_bands_match_scipy(build, photographs, noise, space):
    restored = photographs + 0.05 * noise
    pairs = list(zip(arrays(restored), arrays(photographs), strict=True))
    errors = [a - b if space == "rgb" else (luma(a) - luma(b))[..., None] for a, b in pairs]
    low = [gaussian_filter(e, (2, 2, 0), mode="mirror", truncate=4) for e in errors]
    structure = [-10 * np.log10((part**2).mean()) for part in low]
    texture = [-10 * np.log10(((e - part) ** 2).mean()) for e, part in zip(errors, low, strict=True)]
    ours = build("band_psnr", band="structure", space=space)(restored, photographs)
    np.testing.assert_allclose(ours, structure, rtol=1e-6)
    np.testing.assert_allclose(build("band_psnr", space=space)(restored, photographs), texture, rtol=1e-6)


@pytest.mark.parametrize("factor", [0.0625, 0.5, 1.5])
def test_texture_ratio_is_the_factor_of_the_contrast(build, photographs, factor):
    restored = 0.5 + factor * (photographs.double() - 0.5)
    expected = torch.full((3,), factor).double()
    torch.testing.assert_close(build("texture_ratio", sigma=1.0)(restored, photographs), expected, rtol=1e-6, atol=0)


@pytest.mark.parametrize("sigma", [1.0, 2.0])
def test_texture_ratio_matches_scipy(build, photographs, noise, sigma):
    restored = photographs + 0.05 * noise

    def deviation(array):
        return np.std(array - gaussian_filter(array, (sigma, sigma, 0), mode="mirror", truncate=4))

    expected = [deviation(b) / deviation(a) for a, b in zip(arrays(photographs), arrays(restored), strict=True)]
    np.testing.assert_allclose(build("texture_ratio", sigma=sigma)(restored, photographs), expected, rtol=1e-6)


def test_texture_ratio_without_texture(build, photographs):
    metric, flat = build("texture_ratio"), torch.full_like(photographs, 0.3)
    assert metric(flat, flat).tolist() == [1.0] * 3
    towards_flat, from_flat = metric(photographs, flat), metric(flat, photographs)
    torch.testing.assert_close(towards_flat * from_flat, torch.ones(3).double(), rtol=1e-12, atol=0)
    assert (towards_flat < 0.2 / FLOOR).all()
    assert (towards_flat > 1).all()
