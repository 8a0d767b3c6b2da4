"""Declares the training objectives and their options.

D is the denoiser's estimate of the clean layer x_0, or the predictor's of the clean picture; sigma is the noise level.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

import texprior_plugins.objective._citations as cite
from texprior.plugin import Before, Kind, Objective, Options, Ref, Tune, hookimpl


class MinSnrOptions(Options):
    """Options of ``min-snr``."""

    gamma: Annotated[
        float, Field(gt=0, le=1e6, description="largest weight; SNR is above it at sigma below gamma^-0.5"), Tune(1, 20)
    ] = 5.0


class WeightedOptions(Options):
    """Options of ``l1`` and ``gradient``."""

    weight: Annotated[
        Literal["edm", "none"],
        Field(
            description="edm: 1 / c_out, so that all noise levels count alike; none: 1, so that high levels dominate"
        ),
    ] = "edm"


class HuberOptions(WeightedOptions):
    """Options of ``huber``."""

    delta: Annotated[
        float,
        Field(ge=1e-6, le=1e3, description="error at which the loss turns from quadratic to linear, in units of r"),
        Tune(1e-3, 1, log=True),
    ] = 0.03


_MAX_SIGMA = Field(gt=0, le=1e6, description="noise level from which a sample's loss is 0; nothing for the predictor")


class PerceptualOptions(Options):
    """Options of ``perceptual``."""

    metric: Annotated[
        Ref, Kind("metric"), Field(description="a differentiable distance from a reference; lower is better")
    ] = Ref(name="lpips_alex")
    max_sigma: Annotated[float, _MAX_SIGMA, Tune(0.1, 10, log=True)] = 1.0
    clamp: Annotated[
        bool, Field(description="clamp the pictures to [0, 1] first; values outside then get no gradient")
    ] = False
    shift: Annotated[
        int,
        Field(ge=0, le=256, description="px that both pictures lose, a random part of them at each side"),
        Before(0),
    ] = 0


class AdversarialOptions(Options):
    """Options of ``adversarial``."""

    max_sigma: Annotated[float, _MAX_SIGMA, Tune(0.1, 10, log=True)] = 1.0
    width: Annotated[int, Field(ge=4, le=256, description="channels of the discriminator's first layer")] = 32
    layers: Annotated[int, Field(ge=1, le=4, description="its halvings; a score is of 8, 18, 38 or 78 px a side")] = 3
    own_lr: Annotated[
        float,
        Field(gt=0, le=1e3, description="its learning rate, divided by that of the network"),
        Tune(0.1, 10, log=True),
    ] = 1.0


class CombinedOptions(Options):
    """Options of ``combined``."""

    terms: Annotated[
        list[Ref],
        Kind("objective"),
        Field(min_length=1, max_length=16, description="the objectives", examples=[["l1", "gradient"]]),
    ]
    weights: Annotated[
        list[Annotated[float, Field(gt=0, le=1e9)]] | None,
        Field(description="the factor of each objective; null is 1 for each"),
    ] = None

    @model_validator(mode="after")
    def _a_weight_each(self) -> CombinedOptions:
        if self.weights is not None and len(self.weights) != len(self.terms):
            raise ValueError(f"there are {len(self.weights)} weights for {len(self.terms)} terms; give one weight each")
        return self


@hookimpl
def texprior_objectives() -> list[Objective]:
    """Returns the records of the objectives."""
    return [
        Objective(
            name="edm",
            impl="texprior_plugins.objective.edm:Edm",
            summary="EDM's: the squared error of F, so that every noise level has the same weight.",
            api=2,
            layer=True,
            citation=cite.EDM,
        ),
        Objective(
            name="min-snr",
            impl="texprior_plugins.objective.min_snr:MinSnr",
            options=MinSnrOptions,
            summary="The squared error of D, weighted by the smaller of SNR and gamma.",
            api=2,
            layer=True,
            citation=cite.MIN_SNR,
        ),
        Objective(
            name="l1",
            impl="texprior_plugins.objective.l1:L1",
            options=WeightedOptions,
            summary="The absolute error.",
            api=2,
            layer=True,
            picture=True,
        ),
        Objective(
            name="huber",
            impl="texprior_plugins.objective.huber:PseudoHuber",
            options=HuberOptions,
            summary="Pseudo-Huber (Charbonnier): quadratic for small errors, linear for large ones.",
            api=2,
            layer=True,
            picture=True,
            citation=cite.CHARBONNIER,
        ),
        Objective(
            name="gradient",
            impl="texprior_plugins.objective.gradient:Gradient",
            options=WeightedOptions,
            summary="The absolute error of the differences of neighbouring pixels; a term beside another objective.",
            api=2,
            layer=True,
            picture=True,
            citation=cite.GRADIENT,
        ),
        Objective(
            name="perceptual",
            impl="texprior_plugins.objective.perceptual:Perceptual",
            options=PerceptualOptions,
            summary="The distance of pictures by a differentiable metric, such as LPIPS, at low noise levels.",
            api=2,
            layer=True,
            picture=True,
            citation=cite.PERCEPTUAL,
        ),
        Objective(
            name="adversarial",
            impl="texprior_plugins.objective.adversarial:Adversarial",
            options=AdversarialOptions,
            summary="The hinge loss of a patch discriminator, trained beside the network, at low noise levels.",
            api=2,
            layer=True,
            picture=True,
            trained=True,
            citation=cite.ADVERSARIAL,
        ),
        Objective(
            name="combined",
            impl="texprior_plugins.objective.combined:Combined",
            options=CombinedOptions,
            summary="The weighted sum of several objectives.",
            api=2,
            layer=True,
            picture=True,
        ),
    ]
