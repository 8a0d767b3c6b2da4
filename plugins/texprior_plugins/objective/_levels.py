"""Weights errors by their noise levels."""

from __future__ import annotations

import torch
from torch import Tensor

from texprior.flow.objective import Learned


def residual(learned: Learned, weight: str) -> Tensor:
    """Returns the error of the estimate, (B, 3, H, W), weighted by its noise level.

    With ``edm`` it is (D - x_0) / c_out, which is the error of F and counts alike at every level; with ``none`` it is
    D - x_0. A picture has no noise level, so that both are the plain error.
    """
    if weight == "edm" and learned.output is not None and learned.output_target is not None:
        return learned.output - learned.output_target
    return learned.estimate - learned.target


def per_picture(errors_BCHW: Tensor) -> Tensor:
    """Returns the mean over each picture, (B,)."""
    return errors_BCHW.mean(dim=(1, 2, 3))


def below(learned: Learned, max_sigma: float) -> Tensor:
    """Returns which samples have a noise level below a limit, (B,) bool; all pictures, which have none."""
    if learned.sigma is None:
        return torch.ones(len(learned.target), dtype=torch.bool, device=learned.target.device)
    return learned.sigma < max_sigma
