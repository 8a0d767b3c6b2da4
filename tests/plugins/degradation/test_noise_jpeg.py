"""Noise and compression measured on what comes out."""

import pytest
import torch

from texprior.diffusion.keys import generator
from texprior_plugins.degradation import NoiseJpegOptions
from texprior_plugins.degradation.noise_jpeg import NoiseJpeg


def psnr(a, b):
    return -10 * torch.log10((a - b).square().mean()).item()


def degraded(photographs, **options):
    fixed = NoiseJpeg(NoiseJpegOptions(**options))
    return [fixed(image, generator(0, i)) for i, image in enumerate(photographs)]


def mean_psnr(photographs, **options):
    pairs = zip(photographs, degraded(photographs, **options), strict=True)
    return sum(psnr(a, b) for a, b in pairs) / len(photographs)


def test_psnr_falls_with_quality(photographs):
    scores = [
        mean_psnr(photographs, noise_min=0, noise_max=0, quality_min=q, quality_max=q) for q in (95, 80, 60, 40, 20, 5)
    ]
    assert scores == sorted(scores, reverse=True)
    assert scores[0] > 35
    assert scores[-1] < 28


def test_psnr_falls_with_noise(photographs):
    scores = [
        mean_psnr(photographs, noise_min=n, noise_max=n, quality_min=100, quality_max=100) for n in (0, 5, 15, 40)
    ]
    assert scores == sorted(scores, reverse=True)


def test_noise_has_its_standard_deviation_in_luma():
    """JPEG halves the resolution of chroma, so the noise that it leaves alone at quality 100 is that of luma."""
    image = torch.full((3, 256, 256), 0.5)
    fixed = NoiseJpeg(NoiseJpegOptions(noise_min=10, noise_max=10, quality_min=100, quality_max=100))
    weights = torch.tensor([0.299, 0.587, 0.114])
    luma = torch.einsum("c,chw->hw", weights, fixed(image, generator(0)))
    assert luma.std() * 255 == pytest.approx(10 * weights.norm().item(), rel=0.02)


def test_strength_differs_from_picture_to_picture_within_its_range():
    image = torch.full((3, 64, 64), 0.5)
    noise = NoiseJpeg(NoiseJpegOptions(noise_min=2, noise_max=20, quality_min=100, quality_max=100))
    weights = torch.tensor([0.299, 0.587, 0.114])
    strengths = torch.tensor(
        [torch.einsum("c,chw->hw", weights, noise(image, generator(i))).std().item() for i in range(60)]
    )
    strengths *= 255 / weights.norm()
    assert 1.5 < strengths.min() < 5
    assert 17 < strengths.max() < 21
    assert strengths.mean() == pytest.approx(11, abs=2)  # 3 standard errors of U(2, 20) at n = 60
