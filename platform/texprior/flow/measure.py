"""measure: how good a picture is, one score per image."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import torch
from torch import Tensor


class ImageMetric(Protocol):
    """The contract of a metric of scope ``image``. Built as ``Impl(options)``."""

    key: str
    """The metric's name with what it depends on, such as ``psnr_rgb`` or ``ssim_y_gauss11``."""

    def __call__(self, image_BCHW: Tensor, reference_BCHW: Tensor | None) -> Tensor:
        """The scores, (B,), each a function of its own picture alone; pictures in [0, 1], unrounded.

        A metric that needs no reference is given None or a picture that it ignores.
        """
        ...


@torch.no_grad()
def measure(image_BCHW: Tensor, reference_BCHW: Tensor | None, metrics: Mapping[str, ImageMetric]) -> dict[str, Tensor]:
    """Metric key -> scores, (B,) float64 on the CPU."""
    return {key: metric(image_BCHW, reference_BCHW).double().cpu() for key, metric in metrics.items()}
