"""First-party adapters.

Tags: ``cacheable``, what it computes from y_eps is computed once per image; ``weights``, it puts other weights in the
place of the prior's; ``control``, it is there to be compared with.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from texprior.plugin import Adapter, Options, Tune, hookimpl
from texprior_plugins.adapter import _citations as cite

Kernel = Annotated[Literal[1, 3, 5], Field(description="kernel of the convolution on y_eps"), Tune()]
ZeroInit = Annotated[bool, Field(description="start as the identity")]
Position = Annotated[
    Literal["all", "encoder", "decoder", "middle"],
    Field(description="after which basic denoising blocks it acts"),
]
Part = Annotated[
    Literal["all", "encoder", "decoder", "middle"],
    Field(description="whose weights: the whole network's, or those of the blocks of a part"),
]


class CgaOptions(Options):
    """Sizes of the conditional guidance adapter."""

    width: Annotated[int, Field(ge=4, le=512, description="channels inside the adapter"), Tune(16, 64, log=True)] = 32
    kernel: Kernel = 3
    zero_init: ZeroInit = True
    position: Position = "all"


class SftOptions(Options):
    """Sizes of the spatial feature transform."""

    width: Annotated[int, Field(ge=4, le=512, description="channels of the condition"), Tune(16, 64, log=True)] = 32
    kernel: Kernel = 3
    zero_init: ZeroInit = True
    position: Position = "all"


class FilmOptions(Options):
    """Sizes of the feature-wise linear modulation."""

    width: Annotated[int, Field(ge=4, le=512, description="width of its hidden layer"), Tune(16, 64, log=True)] = 32
    zero_init: ZeroInit = True
    position: Position = "all"


class ZeroConvOptions(Options):
    """Sizes of the addition through zero convolutions."""

    width: Annotated[int, Field(ge=2, le=512, description="channels of the condition"), Tune(4, 32, log=True)] = 8
    kernel: Kernel = 3
    zero_init: ZeroInit = True
    position: Position = "all"


class SpadeOptions(Options):
    """Sizes of the spatially adaptive normalisation."""

    width: Annotated[int, Field(ge=4, le=512, description="channels of the condition"), Tune(16, 64, log=True)] = 32
    kernel: Kernel = 3
    zero_init: ZeroInit = True
    position: Part = "all"


class ControlnetOptions(Options):
    """Sizes of the ControlNet; its copy has the sizes of the prior."""

    width: Annotated[int, Field(ge=4, le=512, description="channels of the hint"), Tune(16, 64, log=True)] = 32
    kernel: Kernel = 3
    zero_init: ZeroInit = True


class T2iOptions(Options):
    """Sizes of the T2I-Adapter."""

    width: Annotated[int, Field(ge=4, le=512, description="channels inside the adapter"), Tune(24, 96, log=True)] = 48
    blocks: Annotated[int, Field(ge=1, le=8, description="residual blocks a resolution"), Tune(1, 3)] = 2
    zero_init: ZeroInit = True


class LoraOptions(Options):
    """Rank and place of the low-rank adaptation."""

    rank: Annotated[int, Field(ge=1, le=256, description="rank of the change of a weight"), Tune(1, 16, log=True)] = 4
    alpha: Annotated[float, Field(gt=0, le=256, description="the change is scaled by alpha / rank")] = 4.0
    layers: Annotated[Literal["all", "convolutions", "attention"], Field(description="which layers")] = "all"
    position: Part = "all"
    dora: Annotated[bool, Field(description="decompose weights into magnitude and direction (DoRA)"), Tune()] = False


class Ia3Options(Options):
    """Place of the rescaled activations."""

    activations: Annotated[
        Literal["all", "attention", "blocks"],
        Field(description="keys and values of attention, inner activations of blocks, or whichever there are"),
    ] = "all"
    position: Part = "all"


class BitfitOptions(Options):
    """Place of the trained biases."""

    position: Part = "all"


_MODULE = "texprior_plugins.adapter"


@hookimpl
def texprior_adapters() -> list[Adapter]:
    """The components."""
    cached, weights, control = ("cacheable",), ("weights",), ("control",)
    return [
        Adapter(
            "cga",
            f"{_MODULE}.cga:ConditionalGuidanceAdapter",
            CgaOptions,
            "Conditional guidance adapter: h + MLP_out(GELU(MLP_in h) + GELU(Conv y)).",
            cached,
            cite.CGA,
        ),
        Adapter(
            "sft",
            f"{_MODULE}.sft:SpatialFeatureTransform",
            SftOptions,
            "Spatial feature transform: (1 + gamma(y)) h + beta(y).",
            cached,
            cite.SFT,
        ),
        Adapter(
            "film",
            f"{_MODULE}.film:FeaturewiseModulation",
            FilmOptions,
            "Feature-wise modulation by the semantic code: (1 + gamma(c)) h + beta(c), one number a channel.",
            (),
            cite.FILM,
        ),
        Adapter(
            "zero_conv",
            f"{_MODULE}.zero_conv:ZeroConvolution",
            ZeroConvOptions,
            "Addition through zero convolutions: h + Z(GELU(Conv y)).",
            cached,
            cite.CONTROLNET,
        ),
        Adapter(
            "spade",
            f"{_MODULE}.spade:SpatiallyAdaptiveNorm",
            SpadeOptions,
            "Spatially adaptive normalisation: the affine of the prior's norms becomes w + gamma(y), b + beta(y).",
            cached,
            cite.SPADE,
        ),
        Adapter(
            "controlnet",
            f"{_MODULE}.controlnet:ControlNet",
            ControlnetOptions,
            "ControlNet: a trained copy of encoder and middle that joins skips and middle by zero convolutions.",
            (),
            cite.CONTROLNET,
        ),
        Adapter(
            "t2i",
            f"{_MODULE}.t2i:T2iAdapter",
            T2iOptions,
            "T2I-Adapter: features of y added to the encoder once a resolution.",
            cached,
            cite.T2I,
        ),
        Adapter(
            "lora",
            f"{_MODULE}.lora:LowRank",
            LoraOptions,
            "Low-rank adaptation of convolutions and linear layers: W + (alpha / rank) B A; DoRA as an option.",
            weights,
            cite.LORA,
        ),
        Adapter(
            "ia3",
            f"{_MODULE}.ia3:InnerActivations",
            Ia3Options,
            "(IA)^3: l * h on keys, values and the blocks' inner activations.",
            weights,
            cite.IA3,
        ),
        Adapter(
            "bitfit",
            f"{_MODULE}.bitfit:Biases",
            BitfitOptions,
            "BitFit: a change of every bias.",
            weights,
            cite.BITFIT,
        ),
        Adapter(
            "full", f"{_MODULE}.full:FullFineTune", summary="Control: all weights trained on, as a copy.", tags=control
        ),
        Adapter("frozen", f"{_MODULE}.frozen:FrozenPrior", summary="Control: the prior as it is.", tags=control),
        Adapter(
            "scratch",
            f"{_MODULE}.scratch:FromScratch",
            summary="Control: the same network from initial weights, trained whole.",
            tags=control,
            identity="no",
        ),
    ]
