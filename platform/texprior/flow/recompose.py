"""Adds the sampled layers to the base.

The result is a restored picture and its spread over the samples.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from texprior.diffusion.process import Process


class Recomposed(NamedTuple):
    """The restored picture and its spread, both (B, 3, H, W)."""

    picture: Tensor
    """In [0, 1]."""
    spread: Tensor
    """Standard deviation over the samples (n - 1), in units of the picture; zero for one sample."""


def recompose(process: Process, base_BCHW: Tensor, layer_KBCHW: Tensor, texture_strength: float = 1.0) -> Recomposed:
    """Returns the restored picture and its spread.

    The picture is base + w * scale * (mean of the K sampled layers), clipped to [0, 1]. w is ``texture_strength``.
    """
    picture = process.picture(base_BCHW, layer_KBCHW.mean(0), texture_strength)
    if len(layer_KBCHW) == 1:
        return Recomposed(picture, torch.zeros_like(picture))
    # n - 1: dividing by n would show 29 % too little for two samples
    return Recomposed(picture, layer_KBCHW.std(0, correction=1) * process.scale * texture_strength)
