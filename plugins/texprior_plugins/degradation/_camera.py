"""Options of camera and software degradations, and of the compositions ``sequence`` and ``choice``."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from texprior.plugin import Before, Kind, Options, Ref, Tune
from texprior_plugins.degradation._bounded import Bounded, in_order

# The ranges are wide. They exclude values that have no meaning or the wrong unit (``Noise255`` is in 1/255).
Noise255 = Annotated[float, Field(ge=0.0, le=255.0)]
Quality = Annotated[int, Field(ge=1, le=100)]
Shot = Annotated[float, Field(ge=1e-6, le=0.1)]
Read = Annotated[
    float | None,
    Field(
        ge=0.0, le=0.1, description="variance of the readout noise (full white is 1); null draws one that fits the shot"
    ),
]


class DefocusOptions(Options):
    """Options of ``defocus``."""

    radius: Annotated[float, Field(ge=0.0, le=32.0, description="radius of the blur disc, px"), Tune(0.5, 6.0)] = 2.0
    radius_max: Annotated[
        float | None,
        Field(ge=0.0, le=32.0, description="if set, each picture's radius is uniform in [radius, radius_max], px"),
    ] = None
    noise: Annotated[
        Noise255,
        Field(description="standard deviation of the Gaussian noise added after the blur, in 1/255"),
        Tune(0.0, 25.0),
    ] = 2.0
    linear: Annotated[
        bool,
        Field(description="blur linear light, as a lens does: highlights become bright discs; else sRGB values"),
        Before(False),
    ] = True

    @model_validator(mode="after")
    def _ordered(self) -> DefocusOptions:
        if self.radius_max is not None:
            in_order(self, "radius", "radius_max")
        return self


class MotionBlurOptions(Bounded):
    """Options of ``motion_blur``."""

    length_min: Annotated[float, Field(ge=0.0, le=200.0, description="shortest path of the camera, px")] = 8.0
    length_max: Annotated[
        float, Field(ge=0.0, le=200.0, description="longest path of the camera, px"), Tune(8.0, 60.0)
    ] = 30.0
    shake: Annotated[
        float,
        Field(ge=0.0, le=1.0, description="0 is a straight path, 0.25 a bent one, 1 a trembling around one point"),
        Tune(),
    ] = 0.25


class CameraNoiseOptions(Bounded):
    """Options of ``camera_noise``."""

    shot_min: Annotated[Shot, Field(description="smallest variance of the noise per unit of linear light")] = 1e-4
    shot_max: Annotated[
        Shot, Field(description="largest variance of the noise per unit of linear light"), Tune(1e-4, 0.03, log=True)
    ] = 0.012
    read: Read = None


class LowLightOptions(Bounded):
    """Options of ``low_light``."""

    stops_min: Annotated[
        float, Field(ge=0.0, le=12.0, description="smallest loss of exposure, stops: light is multiplied by 2^-stops")
    ] = 2.0
    stops_max: Annotated[
        float, Field(ge=0.0, le=12.0, description="largest loss of exposure, stops"), Tune(2.0, 6.0)
    ] = 4.0
    cast: Annotated[
        float,
        Field(
            ge=0.0,
            le=1.0,
            description="largest error of the white balance, stops: red gets brighter and blue darker, or the reverse",
        ),
    ] = 0.2
    shot_min: Annotated[Shot, Field(description="smallest variance of the noise per unit of raw level")] = 1e-4
    shot_max: Annotated[Shot, Field(description="largest variance of the noise per unit of raw level")] = 2e-3
    read: Read = None


class JpegOptions(Bounded):
    """Options of ``jpeg``."""

    quality_min: Annotated[Quality, Field(description="lowest JPEG quality")] = 10
    quality_max: Annotated[Quality, Field(description="highest JPEG quality")] = 60
    subsampling: Annotated[Literal["4:2:0", "4:2:2", "4:4:4"], Field(description="chroma subsampling")] = "4:2:0"


class DownscaleOptions(Bounded):
    """Options of ``downscale``."""

    factor_min: Annotated[
        float, Field(ge=1.0, le=32.0, description="smallest factor by which the picture is downscaled")
    ] = 2.0
    factor_max: Annotated[
        float, Field(ge=1.0, le=32.0, description="largest factor by which the picture is downscaled"), Tune(2.0, 8.0)
    ] = 4.0
    down: Annotated[
        Literal["nearest", "box", "bilinear", "bicubic", "lanczos"],
        Field(description="kernel for downscaling, with antialiasing (nearest has none)"),
    ] = "bicubic"
    up: Annotated[
        Literal["nearest", "box", "bilinear", "bicubic", "lanczos"], Field(description="kernel for upscaling")
    ] = "bicubic"


class NoiseJpegOptions(Bounded):
    """Options of ``noise_jpeg``."""

    noise_min: Annotated[Noise255, Field(description="smallest standard deviation of the Gaussian noise, in 1/255")] = (
        5.0
    )
    noise_max: Annotated[Noise255, Field(description="largest standard deviation of the Gaussian noise, in 1/255")] = (
        15.0
    )
    quality_min: Annotated[Quality, Field(description="lowest JPEG quality")] = 40
    quality_max: Annotated[Quality, Field(description="highest JPEG quality")] = 90


class RealEsrganOptions(Bounded):
    """Options of ``real_esrgan``.

    The second round has 1/2 of the largest blur and 5/6 of the largest noise.
    """

    scale: Annotated[
        float,
        Field(ge=1.0, le=8.0, description="ratio of the picture's size to the degraded size, before it is upscaled"),
        Tune(1.0, 4.0),
    ] = 4.0
    sigma_max: Annotated[float, Field(ge=0.2, le=8.0, description="largest standard deviation of a blur, px")] = 3.0
    noise_max: Annotated[
        float, Field(ge=0.0, le=100.0, description="largest standard deviation of Gaussian noise, in 1/255")
    ] = 30.0
    poisson_max: Annotated[
        float, Field(ge=0.0, le=10.0, description="largest factor on Poisson noise of 256 photons at full white")
    ] = 3.0
    quality_min: Annotated[Quality, Field(description="lowest JPEG quality")] = 30
    quality_max: Annotated[Quality, Field(description="highest JPEG quality")] = 95


class AlbumentationsOptions(Options):
    """Options of ``albumentations``."""

    transform: Annotated[str, Field(min_length=1, description="class name of the transform, such as RandomFog")] = (
        "GaussNoise"
    )
    arguments: Annotated[
        dict[str, Any], Field(default_factory=dict, description="arguments of the transform's class, by name")
    ]


class SequenceOptions(Options):
    """Options of ``sequence``."""

    steps: Annotated[
        list[Ref],
        Kind("degradation"),
        Field(min_length=1, max_length=16, description="the degradations, applied in this order"),
    ]


class ChoiceOptions(Options):
    """Options of ``choice``."""

    of: Annotated[
        list[Ref],
        Kind("degradation"),
        Field(min_length=1, max_length=64, description="the degradations to choose from"),
    ]
    weights: Annotated[
        list[Annotated[float, Field(ge=0.0, le=1e6)]] | None,
        Field(description="relative probability of each degradation; null makes all equally likely"),
    ] = None

    @model_validator(mode="after")
    def _a_weight_each(self) -> ChoiceOptions:
        if self.weights is not None and len(self.weights) != len(self.of):
            raise ValueError(
                f"there are {len(self.weights)} weights for {len(self.of)} degradations; give one weight each"
            )
        if self.weights is not None and sum(self.weights) == 0:
            raise ValueError("all weights are 0; set at least one of them above 0")
        return self
