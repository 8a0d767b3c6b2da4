"""Registers third-party plugins for texprior: film grain and a gating adapter."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field
from texprior.plugin import Adapter, Degradation, Options, Tune, hookimpl


class GrainOptions(Options):
    """Strength, size and colour of the grain."""

    strength: Annotated[float, Field(ge=0, le=0.5, description="standard deviation at mid-grey"), Tune(0.02, 0.2)] = (
        0.08
    )
    size: Annotated[
        float, Field(ge=0, le=8, description="sigma of the Gaussian that shapes a grain, px"), Tune(0, 2)
    ] = 0.8
    colour: Annotated[bool, Field(description="draw separate grain for each channel"), Tune()] = False


class GateOptions(Options):
    """Sizes of the gate."""

    width: Annotated[int, Field(ge=4, le=512, description="channels inside the gate"), Tune(8, 64, log=True)] = 32
    kernel: Annotated[Literal[1, 3, 5], Field(description="kernel of the convolution on y_eps"), Tune()] = 3


@hookimpl
def texprior_degradations() -> list[Degradation]:
    """Returns the degradations of this package."""
    return [
        Degradation(
            "grain",
            "texprior_example.grain:Grain",
            GrainOptions,
            "Film grain: correlated noise, strongest in the mid-tones.",
            api=2,
        )
    ]


@hookimpl
def texprior_adapters() -> list[Adapter]:
    """Returns the adapters of this package."""
    return [
        Adapter(
            "gate",
            "texprior_example.gate:Gate",
            GateOptions,
            "Multiplies each block's output by a gate in (0, 2) that it computes from the estimate.",
            api=2,
            identity="bitwise",
            cacheable=True,
            local=True,
        )
    ]
