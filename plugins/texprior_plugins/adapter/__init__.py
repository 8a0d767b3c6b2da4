"""Registers the first-party adapters and their options.

Tags:

- ``weights``: the adapter replaces weights of the prior during a call.
- ``control``: the adapter is a baseline to compare the others with.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from texprior.plugin import Adapter, Options, Tune, hookimpl
from texprior_plugins.adapter import _citations as cite

Kernel = Annotated[Literal[1, 3, 5], Field(description="side of the convolution kernel on y_eps, positions"), Tune()]
ZeroInit = Annotated[bool, Field(description="start without any effect on the prior; false starts with random weights")]
Position = Annotated[
    Literal["all", "encoder", "decoder", "middle"],
    Field(description="part of the denoiser after whose basic denoising blocks the adapter acts"),
]
Part = Annotated[
    Literal["all", "encoder", "decoder", "middle"],
    Field(description="part of the denoiser that the adapter changes: all of it, or only the blocks of one part"),
]


class CgaOptions(Options):
    """Options of ``cga``: the sizes of the conditional guidance adapter."""

    width: Annotated[int, Field(ge=4, le=512, description="channels inside the adapter"), Tune(16, 64, log=True)] = 32
    kernel: Kernel = 3
    zero_init: ZeroInit = True
    position: Position = "all"


class SftOptions(Options):
    """Options of ``sft``: the sizes of the spatial feature transform."""

    width: Annotated[int, Field(ge=4, le=512, description="channels of the condition"), Tune(16, 64, log=True)] = 32
    kernel: Kernel = 3
    zero_init: ZeroInit = True
    position: Position = "all"


class FilmOptions(Options):
    """Options of ``film``: the sizes of the feature-wise linear modulation."""

    width: Annotated[int, Field(ge=4, le=512, description="channels of its hidden layer"), Tune(16, 64, log=True)] = 32
    zero_init: ZeroInit = True
    position: Position = "all"


class ZeroConvOptions(Options):
    """Options of ``zero_conv``: the sizes of the addition through zero convolutions."""

    width: Annotated[int, Field(ge=2, le=512, description="channels of the condition"), Tune(4, 32, log=True)] = 8
    kernel: Kernel = 3
    zero_init: ZeroInit = True
    position: Position = "all"


class SpadeOptions(Options):
    """Options of ``spade``: the sizes of the spatially adaptive normalisation."""

    width: Annotated[int, Field(ge=4, le=512, description="channels of the condition"), Tune(16, 64, log=True)] = 32
    kernel: Kernel = 3
    zero_init: ZeroInit = True
    position: Part = "all"


class ControlnetOptions(Options):
    """Options of ``controlnet``. Its trained copy has the sizes of the prior."""

    width: Annotated[int, Field(ge=4, le=512, description="channels of the hint"), Tune(16, 64, log=True)] = 32
    kernel: Kernel = 3
    zero_init: ZeroInit = True


class T2iOptions(Options):
    """Options of ``t2i``: the sizes of the T2I-Adapter."""

    width: Annotated[int, Field(ge=4, le=512, description="channels inside the adapter"), Tune(24, 96, log=True)] = 48
    blocks: Annotated[int, Field(ge=1, le=8, description="residual blocks per resolution"), Tune(1, 3)] = 2
    zero_init: ZeroInit = True


class LoraOptions(Options):
    """Options of ``lora``: rank, scale and place of the low-rank adaptation."""

    rank: Annotated[int, Field(ge=1, le=256, description="rank of each weight's change"), Tune(1, 16, log=True)] = 4
    alpha: Annotated[float, Field(gt=0, le=256, description="scale: each change is multiplied by alpha / rank")] = 4.0
    layers: Annotated[
        Literal["all", "convolutions", "attention"],
        Field(
            description="which layers: all, only convolutions outside attention, or only the projections of attention"
        ),
    ] = "all"
    position: Part = "all"
    dora: Annotated[bool, Field(description="train magnitude and direction of weights apart (DoRA)"), Tune()] = False


class Ia3Options(Options):
    """Options of ``ia3``: which activations to rescale."""

    activations: Annotated[
        Literal["all", "attention", "blocks"],
        Field(description="what to rescale: keys and values of attention, inner activations of blocks, or both"),
    ] = "all"
    position: Part = "all"


class BitfitOptions(Options):
    """Options of ``bitfit``: which biases to train."""

    position: Part = "all"


_MODULE = "texprior_plugins.adapter"


@hookimpl
def texprior_adapters() -> list[Adapter]:
    """Returns the records of the adapters."""
    weights, control = ("weights",), ("control",)
    return [
        Adapter(
            "cga",
            f"{_MODULE}.cga:ConditionalGuidanceAdapter",
            CgaOptions,
            "Conditional guidance adapter: h + MLP_out(GELU(MLP_in h) + GELU(Conv y)).",
            api=2,
            cacheable=True,
            citation=cite.CGA,
            local=True,
        ),
        Adapter(
            "sft",
            f"{_MODULE}.sft:SpatialFeatureTransform",
            SftOptions,
            "Spatial feature transform: (1 + gamma(y)) h + beta(y).",
            api=2,
            cacheable=True,
            citation=cite.SFT,
            local=True,
        ),
        Adapter(
            "film",
            f"{_MODULE}.film:FeaturewiseModulation",
            FilmOptions,
            "Feature-wise modulation by the semantic code: (1 + gamma(c)) h + beta(c), one number per channel.",
            api=2,
            citation=cite.FILM,
            local=True,
        ),
        Adapter(
            "zero_conv",
            f"{_MODULE}.zero_conv:ZeroConvolution",
            ZeroConvOptions,
            "Addition through zero convolutions: h + Z(GELU(Conv y)).",
            api=2,
            cacheable=True,
            citation=cite.CONTROLNET,
            local=True,
        ),
        Adapter(
            "spade",
            f"{_MODULE}.spade:SpatiallyAdaptiveNorm",
            SpadeOptions,
            "Spatially adaptive normalisation: the norms use w + gamma(y) and b + beta(y) instead of w and b.",
            api=2,
            cacheable=True,
            citation=cite.SPADE,
            local=True,
        ),
        Adapter(
            "controlnet",
            f"{_MODULE}.controlnet:ControlNet",
            ControlnetOptions,
            "ControlNet: a trained copy of encoder and middle, added to skips and middle by zero convolutions.",
            api=2,
            citation=cite.CONTROLNET,
            local=True,
        ),
        Adapter(
            "t2i",
            f"{_MODULE}.t2i:T2iAdapter",
            T2iOptions,
            "T2I-Adapter: adds features of y to the encoder once per resolution.",
            api=2,
            cacheable=True,
            citation=cite.T2I,
            local=True,
        ),
        Adapter(
            "lora",
            f"{_MODULE}.lora:LowRank",
            LoraOptions,
            "Low-rank adaptation of convolutions and linear layers: W + (alpha / rank) B A; optionally DoRA.",
            api=2,
            tags=weights,
            citation=cite.LORA,
            local=True,
        ),
        Adapter(
            "ia3",
            f"{_MODULE}.ia3:InnerActivations",
            Ia3Options,
            "(IA)^3: rescales keys, values and the blocks' inner activations: l * h.",
            api=2,
            tags=weights,
            citation=cite.IA3,
            local=True,
        ),
        Adapter(
            "bitfit",
            f"{_MODULE}.bitfit:Biases",
            BitfitOptions,
            "BitFit: trains a change of every bias.",
            api=2,
            tags=weights,
            citation=cite.BITFIT,
            local=True,
        ),
        Adapter(
            "full",
            f"{_MODULE}.full:FullFineTune",
            summary="Control: trains a copy of all weights further.",
            api=2,
            tags=control,
            local=True,
        ),
        Adapter(
            "frozen",
            f"{_MODULE}.frozen:FrozenPrior",
            summary="Control: the unchanged prior.",
            api=2,
            tags=control,
            local=True,
        ),
        Adapter(
            "scratch",
            f"{_MODULE}.scratch:FromScratch",
            summary="Control: trains the whole network from initial weights.",
            api=2,
            tags=control,
            local=True,
            identity="no",
        ),
    ]
