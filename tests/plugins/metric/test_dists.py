"""DISTS against the formula of the paper in double precision; its pooling against a window written out."""

import numpy as np
import pytest
import torch
from torch import nn

from texprior import weights
from texprior_plugins.metric import DISTS_HEADS, LPIPS_VGG
from texprior_plugins.metric.dists import l2_pooled

WIDTHS = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))


def pooled(x):
    """sqrt(g * x^2) at every second pixel, g the outer product of a Hann window; black beyond the border."""
    g = np.hanning(5)[1:-1]
    g = torch.from_numpy(np.outer(g, g) / np.outer(g, g).sum())
    padded = nn.functional.pad(x, (1, 1, 1, 1)) ** 2
    windows = padded.unfold(2, 3, 2).unfold(3, 3, 2)
    return ((windows * g).sum((-2, -1)) + 1e-12).sqrt()


def stages(image):
    """The picture itself and the activations of VGG16's five stages, of torch's layers."""
    tensors = {name: tensor.double() for name, tensor in weights.load(LPIPS_VGG).items()}
    mean, std = torch.tensor([0.485, 0.456, 0.406]).double(), torch.tensor([0.229, 0.224, 0.225]).double()
    found, hidden, number = [image], (image - mean[:, None, None]) / std[:, None, None], 0
    for stage, widths in enumerate(WIDTHS):
        hidden = pooled(hidden) if stage else hidden
        for width in widths:
            layer = nn.Conv2d(hidden.shape[1], width, 3, padding=1).double()
            layer.load_state_dict({part: tensors[f"features.{number}.{part}"] for part in ("weight", "bias")})
            hidden, number = layer(hidden).relu(), number + 2
        number += 1  # the pooling
        found.append(hidden)
    return found


@torch.no_grad()
def test_it_matches_the_formula_of_the_paper(build, shown):
    metric, (photographs, noise) = build("dists"), shown("dists")
    restored = photographs + 0.1 * noise
    heads = {name: tensor.double().flatten() for name, tensor in weights.load(DISTS_HEADS).items()}
    total, expected, start = heads["alpha"].sum() + heads["beta"].sum(), torch.ones(3).double(), 0
    for x, y in zip(stages(restored.double()), stages(photographs.double()), strict=True):
        share = slice(start, start := start + x.shape[1])
        x, y = x.flatten(2), y.flatten(2)
        mean_x, mean_y, var_x, var_y = x.mean(2), y.mean(2), x.var(2, correction=0), y.var(2, correction=0)
        covariance = (x * y).mean(2) - mean_x * mean_y
        texture = (2 * mean_x * mean_y + 1e-6) / (mean_x**2 + mean_y**2 + 1e-6)
        structure = (2 * covariance + 1e-6) / (var_x + var_y + 1e-6)
        expected -= (heads["alpha"][share] * texture + heads["beta"][share] * structure).sum(1) / total
    assert start == 1475
    torch.testing.assert_close(metric(restored, photographs).double(), expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(("size", "half"), [((6, 8), (3, 4)), ((7, 5), (4, 3))])
def test_pooling_is_the_windowed_root_mean_square(size, half):
    hidden = torch.rand(2, 4, *size, generator=torch.Generator().manual_seed(0)).double()
    assert l2_pooled(hidden).shape[-2:] == half
    torch.testing.assert_close(l2_pooled(hidden), pooled(hidden))


def test_noise_drawn_again_is_nearer_than_none_though_pixels_are_twice_as_far(build, shown):
    """What the metric is for: it forgives another texture of the same statistics, where PSNR prefers a flat one."""
    metric, (photographs, noise) = build("dists"), shown("dists")
    reference, again = photographs + 0.1 * noise, photographs - 0.1 * noise
    assert (metric(again, reference) < metric(photographs, reference)).all()
    torch.testing.assert_close(again - reference, 2 * (photographs - reference))
