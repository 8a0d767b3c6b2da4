"""Options of what cameras, and programs after them, do to a picture; and of several degradations together."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from texprior.plugin import Kind, Options, Ref, Tune
from texprior_plugins.degradation._bounded import Bounded, in_order

Noise255 = Annotated[float, Field(ge=0.0, le=255.0)]
Quality = Annotated[int, Field(ge=1, le=100)]
Shot = Annotated[float, Field(ge=1e-6, le=0.1)]
Read = Annotated[
    float | None,
    Field(
        ge=0.0, le=0.1, description="variance of the noise of reading out, at full white 1; null follows from the shot"
    ),
]


class DefocusOptions(Options):
    """Options of defocus blur."""

    radius: Annotated[float, Field(ge=0.0, le=32.0, description="radius of the disc, px"), Tune(0.5, 6.0)] = 2.0
    radius_max: Annotated[
        float | None,
        Field(ge=0.0, le=32.0, description="if given, each picture's radius is uniform in [radius, radius_max], px"),
    ] = None
    noise: Annotated[
        Noise255, Field(description="standard deviation of the Gaussian noise added last, in 1/255"), Tune(0.0, 25.0)
    ] = 2.0

    @model_validator(mode="after")
    def _ordered(self) -> DefocusOptions:
        if self.radius_max is not None:
            in_order(self, "radius", "radius_max")
        return self


class MotionBlurOptions(Bounded):
    """Options of motion blur."""

    length_min: Annotated[float, Field(ge=0.0, le=200.0, description="shortest way of the camera, px")] = 8.0
    length_max: Annotated[
        float, Field(ge=0.0, le=200.0, description="longest way of the camera, px"), Tune(8.0, 60.0)
    ] = 30.0
    shake: Annotated[
        float, Field(ge=0.0, le=1.0, description="0 is a straight way, 0.25 a bent one, 1 trembles on the spot"), Tune()
    ] = 0.25


class CameraNoiseOptions(Bounded):
    """Options of a sensor's noise."""

    shot_min: Annotated[Shot, Field(description="least variance of the noise per linear light")] = 1e-4
    shot_max: Annotated[
        Shot, Field(description="greatest variance of the noise per linear light"), Tune(1e-4, 0.03, log=True)
    ] = 0.012
    read: Read = None


class LowLightOptions(Bounded):
    """Options of low light."""

    stops_min: Annotated[float, Field(ge=0.0, le=12.0, description="least loss of exposure: light times 2^-stops")] = (
        2.0
    )
    stops_max: Annotated[float, Field(ge=0.0, le=12.0, description="greatest loss of exposure"), Tune(2.0, 6.0)] = 4.0
    cast: Annotated[
        float, Field(ge=0.0, le=1.0, description="white balance is off by at most so many stops, red against blue")
    ] = 0.2
    shot_min: Annotated[Shot, Field(description="least variance of the noise per raw level")] = 1e-4
    shot_max: Annotated[Shot, Field(description="greatest variance of the noise per raw level")] = 2e-3
    read: Read = None


class JpegOptions(Bounded):
    """Options of compression."""

    quality_min: Annotated[Quality, Field(description="lowest JPEG quality")] = 10
    quality_max: Annotated[Quality, Field(description="highest JPEG quality")] = 60
    subsampling: Annotated[Literal["4:2:0", "4:2:2", "4:4:4"], Field(description="resolution of the colours")] = "4:2:0"


class DownscaleOptions(Bounded):
    """Options of lost resolution."""

    factor_min: Annotated[float, Field(ge=1.0, le=32.0, description="least factor between the sizes")] = 2.0
    factor_max: Annotated[
        float, Field(ge=1.0, le=32.0, description="greatest factor between the sizes"), Tune(2.0, 8.0)
    ] = 4.0
    down: Annotated[
        Literal["nearest", "box", "bilinear", "bicubic", "lanczos"],
        Field(description="kernel that makes it smaller, with antialiasing (nearest has none)"),
    ] = "bicubic"
    up: Annotated[
        Literal["nearest", "box", "bilinear", "bicubic", "lanczos"], Field(description="kernel that brings it back")
    ] = "bicubic"


class NoiseJpegOptions(Bounded):
    """Options of noise and compression."""

    noise_min: Annotated[Noise255, Field(description="least standard deviation of the Gaussian noise, in 1/255")] = 5.0
    noise_max: Annotated[Noise255, Field(description="greatest standard deviation of the Gaussian noise, in 1/255")] = (
        15.0
    )
    quality_min: Annotated[Quality, Field(description="lowest JPEG quality")] = 40
    quality_max: Annotated[Quality, Field(description="highest JPEG quality")] = 90


class RealEsrganOptions(Bounded):
    """Options of Real-ESRGAN's degradation; the second round has 1/2 of the blur and 5/6 of the noise."""

    scale: Annotated[
        float, Field(ge=1.0, le=8.0, description="factor of the picture's size to the degraded one's"), Tune(1.0, 4.0)
    ] = 4.0
    sigma_max: Annotated[float, Field(ge=0.2, le=8.0, description="greatest standard deviation of a blur, px")] = 3.0
    noise_max: Annotated[
        float, Field(ge=0.0, le=100.0, description="greatest standard deviation of Gaussian noise, in 1/255")
    ] = 30.0
    poisson_max: Annotated[
        float, Field(ge=0.0, le=10.0, description="greatest factor of Poisson noise at 256 photons for white")
    ] = 3.0
    quality_min: Annotated[Quality, Field(description="lowest JPEG quality")] = 30
    quality_max: Annotated[Quality, Field(description="highest JPEG quality")] = 95


class AlbumentationsOptions(Options):
    """A transform of albumentations."""

    transform: Annotated[str, Field(min_length=1, description="its class, such as RandomFog")] = "GaussNoise"
    arguments: Annotated[dict[str, Any], Field(default_factory=dict, description="its arguments by name")]


class SequenceOptions(Options):
    """Several degradations in a row."""

    steps: Annotated[
        list[Ref], Kind("degradation"), Field(min_length=1, max_length=16, description="what happens, in this order")
    ]


class ChoiceOptions(Options):
    """One of several degradations."""

    of: Annotated[
        list[Ref], Kind("degradation"), Field(min_length=1, max_length=64, description="what one is chosen from")
    ]
    weights: Annotated[
        list[Annotated[float, Field(ge=0.0)]] | None,
        Field(description="how often each is chosen, in proportion; null is equally often"),
    ] = None

    @model_validator(mode="after")
    def _a_weight_each(self) -> ChoiceOptions:
        if self.weights is not None and len(self.weights) != len(self.of):
            raise ValueError(f"there are {len(self.weights)} weights for {len(self.of)} degradations; give one each")
        if self.weights is not None and sum(self.weights) == 0:
            raise ValueError("all weights are 0; give one of them more")
        return self
