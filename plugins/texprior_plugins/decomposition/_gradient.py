"""Computes forward differences with mirrored borders, and their adjoint."""

from __future__ import annotations

import torch
from torch import Tensor


def gradient(image_BCHW: Tensor) -> tuple[Tensor, Tensor]:
    """Returns the forward differences along x and y.

    They are 0 in the last column and in the last row, respectively.
    """
    return (
        torch.diff(image_BCHW, dim=-1, append=image_BCHW[..., -1:]),
        torch.diff(image_BCHW, dim=-2, append=image_BCHW[..., -1:, :]),
    )


def gradient_adjoint(h: Tensor, v: Tensor) -> Tensor:
    """Returns the adjoint of ``gradient`` (minus the divergence).

    The last column of ``h`` and the last row of ``v`` have no effect.
    """
    row, column = torch.zeros_like(v[..., :1, :]), torch.zeros_like(h[..., :1])
    across = torch.diff(torch.cat([h[..., :-1], column], -1), dim=-1, prepend=column)
    down = torch.diff(torch.cat([v[..., :-1, :], row], -2), dim=-2, prepend=row)
    return -across - down
