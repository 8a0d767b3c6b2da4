"""Finds the convolutions and linear layers of a denoiser."""

from __future__ import annotations

from typing import Literal

from torch import nn

from texprior.flow.adapt import Position, within
from texprior.flow.prior import DenoiserNet

_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)


def layers_of(
    denoiser: DenoiserNet, position: Position, which: Literal["all", "convolutions", "attention"]
) -> dict[str, nn.Module]:
    """Returns the layers at a position by path.

    ``which`` selects all layers, the convolutions outside attention, or the projections of attention.
    """
    inside = within(denoiser, position)
    attention = tuple(f"{path}." for path in denoiser.attentions())
    return {
        path: module
        for path, module in denoiser.named_modules()
        if isinstance(module, (*_CONVOLUTIONS, nn.Linear))
        and inside(path)
        and (which != "attention" or path.startswith(attention))
        and (which != "convolutions" or (isinstance(module, _CONVOLUTIONS) and not path.startswith(attention)))
    }
