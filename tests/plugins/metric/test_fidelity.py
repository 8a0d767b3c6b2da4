"""PSNR, SSIM and the texture ratio against closed forms, scikit-image and SciPy."""

import math

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from skimage.color import rgb2ycbcr
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

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
