"""Measures the distance of pictures by a metric that is differentiable."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from texprior.diffusion.keys import generator
from texprior.errors import ConfigError, ImageError
from texprior.flow.measure import ImageMetric
from texprior.flow.objective import Learned, Objective
from texprior_plugins.objective import PerceptualOptions
from texprior_plugins.objective._levels import below

_TRIALS_PX = (64, 192)
"""The sides of the pictures on which a metric is tried: a usual training patch, and enough for any metric."""


class Perceptual(Objective):
    """metric(picture(D), picture(x_0)) for samples with sigma below ``max_sigma``; 0 for the others.

    At high noise levels D is a blurred mean of many pictures, which a distance of sharp ones says little about. The
    pictures are compared unclamped, unless the option ``clamp`` says otherwise.

    A metric that samples pictures on a coarse grid, as LPIPS does on every fourth pixel, hardly sees some regular
    patterns on this grid, and a network learns them. With ``shift``, the grid lies elsewhere on each patch (one of the
    random transformations of Kettunen et al. 2019, E-LPIPS).

    Raises ConfigError if the metric is no distance from a reference, or passes no gradient to the picture; to find out,
    the constructor tries it once.
    """

    def __init__(self, options: PerceptualOptions, metric: ImageMetric) -> None:
        super().__init__()
        self.max_sigma, self.clamp, self.shift = options.max_sigma, options.clamp, options.shift
        # in a tuple, so that a metric that is a module is neither trained nor stored
        self._metric = (frozen(metric),)
        if fault := fault_of(metric):
            raise ConfigError(f"objective perceptual: metric '{getattr(metric, 'key', '?')}' {fault}")

    def forward(self, learned: Learned) -> Tensor:
        """Returns the distance of each picture, (B,)."""
        kept = below(learned, self.max_sigma)
        # 0 with a path to the estimate, so that a batch without any kept sample has a gradient too
        loss = 0 * learned.estimate.mean(dim=(1, 2, 3))
        if not kept.any():
            return loss
        estimate, target = learned.picture(learned.estimate)[kept], learned.picture(learned.target)[kept]
        if self.clamp:
            estimate, target = estimate.clamp(0, 1), target.clamp(0, 1)
        if self.shift:
            estimate, target = shifted(estimate, target, self.shift)
        (metric,) = self._metric
        if isinstance(metric, nn.Module):
            metric.to(estimate.device)
        # the difference of two similar pictures needs more than the 8 significant bits of bfloat16
        with torch.autocast(estimate.device.type, enabled=False):
            found = metric(estimate, target)
        return loss.index_add(0, kept.nonzero()[:, 0], found.to(loss.dtype))


def shifted(estimate_BCHW: Tensor, target_BCHW: Tensor, most: int) -> tuple[Tensor, Tensor]:
    """Cuts ``most`` rows and columns from pairs of pictures, some of them at the top and at the left.

    How many is a function of the target's content, so that microbatches and processes do not change it. Both of a pair
    get the same cut. Raises ConfigError if nothing would be left.
    """
    height, width = (side - most for side in estimate_BCHW.shape[-2:])
    if min(height, width) < 1:
        raise ConfigError(f"objective perceptual: shift {most} leaves nothing of a patch; use a smaller one")
    # a sum of whole numbers, which no order of adding changes
    content = target_BCHW.float().contiguous().view(torch.int32).sum((1, 2, 3), dtype=torch.int64)
    places = [divmod(number % (most + 1) ** 2, most + 1) for number in content.tolist()]
    cuts = [(..., slice(top, top + height), slice(left, left + width)) for top, left in places]
    estimates = torch.stack([estimate[cut] for estimate, cut in zip(estimate_BCHW, cuts, strict=True)])
    return estimates, torch.stack([target[cut] for target, cut in zip(target_BCHW, cuts, strict=True)])


def frozen(metric: ImageMetric) -> ImageMetric:
    """Returns the metric; if it is a module, with frozen parameters and in evaluation mode."""
    if isinstance(metric, nn.Module):
        metric.requires_grad_(False).eval()
    return metric


def fault_of(metric: ImageMetric) -> str:
    """Returns why a metric cannot be minimised; empty if it can be."""
    if not callable(metric):
        return "scores sets of pictures, not single ones; use one such as lpips_alex or dists"
    refused = ""
    for side in _TRIALS_PX:
        try:
            return _fault(metric, torch.rand(1, 3, side, side, generator=generator("perceptual", "trial")))
        except ImageError as error:
            refused = f"cannot score pictures of {side} px: {error}"
    return refused


def _fault(metric: ImageMetric, picture_BCHW: Tensor) -> str:
    other = picture_BCHW.flip(-1)
    noisy, blurred = torch.lerp(picture_BCHW, other, 0.2), F.avg_pool2d(picture_BCHW, 3, 1, 1)
    itself, *worse = (metric(image, picture_BCHW) for image in (picture_BCHW, noisy, blurred))
    if torch.equal(metric(blurred, other), worse[-1]):
        return "does not compare with a reference, so that it pulls every picture to the same; use lpips_alex or dists"
    if not all((itself < score).all() for score in worse):
        return "is not lowest for the reference itself, so that minimising it spoils pictures; use lpips_alex or dists"
    gradient = _gradient(metric, blurred, picture_BCHW)
    if gradient is None or not torch.isfinite(gradient).all() or not gradient.any():
        return "passes no finite gradient to the picture, so that nothing can be learned from it"
    return ""


def _gradient(metric: ImageMetric, image_BCHW: Tensor, reference_BCHW: Tensor) -> Tensor | None:
    with torch.enable_grad():
        image = image_BCHW.clone().requires_grad_()
        score = metric(image, reference_BCHW).sum()
        return torch.autograd.grad(score, image)[0] if score.requires_grad else None
