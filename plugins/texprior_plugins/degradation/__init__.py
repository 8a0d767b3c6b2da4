"""First-party degradations: each makes a degraded picture of a clean one from its own random generator."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from texprior.plugin import Degradation, Options, Tune, hookimpl


def _in_order(low_name: str, low: float, high_name: str, high: float) -> None:
    if high < low:
        raise ValueError(f"{high_name} ({high}) is below {low_name} ({low}); give it at least that")


class DefocusOptions(Options):
    """Options of defocus blur."""

    radius: Annotated[float, Field(ge=0.0, le=32.0, description="radius of the disc, px"), Tune(0.5, 6.0)] = 2.0
    radius_max: Annotated[
        float | None,
        Field(ge=0.0, le=32.0, description="if given, each picture's radius is uniform in [radius, radius_max], px"),
    ] = None
    noise: Annotated[
        float,
        Field(ge=0.0, le=255.0, description="standard deviation of the Gaussian noise added last, in 1/255"),
        Tune(0.0, 25.0),
    ] = 2.0

    @model_validator(mode="after")
    def _ordered(self) -> DefocusOptions:
        if self.radius_max is not None:
            _in_order("radius", self.radius, "radius_max", self.radius_max)
        return self


class RainOptions(Options):
    """Options of rain streaks."""

    density: Annotated[float, Field(ge=0.0, le=0.1, description="drops per px"), Tune(0.001, 0.02, log=True)] = 0.005
    length: Annotated[
        float, Field(ge=1.0, le=96.0, description="length of a streak at middle distance, px"), Tune(8.0, 48.0)
    ] = 28.0
    width: Annotated[
        float, Field(ge=0.5, le=8.0, description="width of a streak at half its height, px"), Tune(1.0, 3.0)
    ] = 1.2
    intensity: Annotated[
        float, Field(ge=0.0, le=1.0, description="light that the brightest drop adds"), Tune(0.2, 0.9)
    ] = 0.5
    angle_min: Annotated[
        float, Field(ge=-80.0, le=80.0, description="direction of fall from the vertical, at least, degrees")
    ] = -20.0
    angle_max: Annotated[
        float, Field(ge=-80.0, le=80.0, description="direction of fall from the vertical, at most, degrees")
    ] = 20.0

    @model_validator(mode="after")
    def _ordered(self) -> RainOptions:
        _in_order("angle_min", self.angle_min, "angle_max", self.angle_max)
        return self


class NoiseJpegOptions(Options):
    """Options of noise and compression."""

    noise_min: Annotated[
        float, Field(ge=0.0, le=255.0, description="least standard deviation of the Gaussian noise, in 1/255")
    ] = 5.0
    noise_max: Annotated[
        float,
        Field(ge=0.0, le=255.0, description="greatest standard deviation of the Gaussian noise, in 1/255"),
    ] = 15.0
    quality_min: Annotated[int, Field(ge=1, le=100, description="lowest JPEG quality")] = 40
    quality_max: Annotated[int, Field(ge=1, le=100, description="highest JPEG quality")] = 90

    @model_validator(mode="after")
    def _ordered(self) -> NoiseJpegOptions:
        _in_order("noise_min", self.noise_min, "noise_max", self.noise_max)
        _in_order("quality_min", self.quality_min, "quality_max", self.quality_max)
        return self


DEFOCUS = Degradation(
    "defocus",
    "texprior_plugins.degradation.defocus:Defocus",
    DefocusOptions,
    "Defocus: blur by an antialiased disc, then Gaussian noise.",
    tags=("synthetic", "blur", "noise"),
    citation="""@book{goodman2005fourier,
  author    = {Goodman, Joseph W.},
  title     = {Introduction to Fourier Optics},
  edition   = {3rd},
  publisher = {Roberts and Company},
  year      = {2005}
}""",
)

RAIN = Degradation(
    "rain",
    "texprior_plugins.degradation.rain:Rain",
    RainOptions,
    "Additive rain streaks in three layers of distance.",
    tags=("synthetic", "weather"),
    citation="""@inproceedings{yang2017deep,
  author    = {Yang, Wenhan and Tan, Robby T. and Feng, Jiashi and Liu, Jiaying and Guo, Zongming and Yan, Shuicheng},
  title     = {Deep Joint Rain Detection and Removal from a Single Image},
  booktitle = {IEEE Conference on Computer Vision and Pattern Recognition (CVPR)},
  pages     = {1357--1366},
  year      = {2017},
  doi       = {10.1109/CVPR.2017.183}
}
@article{garg2006photorealistic,
  author  = {Garg, Kshitiz and Nayar, Shree K.},
  title   = {Photorealistic Rendering of Rain Streaks},
  journal = {ACM Transactions on Graphics (Proc. SIGGRAPH)},
  volume  = {25},
  number  = {3},
  pages   = {996--1002},
  year    = {2006},
  doi     = {10.1145/1141911.1141985}
}""",
)

NOISE_JPEG = Degradation(
    "noise_jpeg",
    "texprior_plugins.degradation.noise_jpeg:NoiseJpeg",
    NoiseJpegOptions,
    "Gaussian noise, then JPEG compression (albumentations).",
    tags=("synthetic", "noise", "compression"),
    citation="""@article{buslaev2020albumentations,
  author  = {Buslaev, Alexander and Iglovikov, Vladimir I. and Khvedchenya, Eugene and Parinov, Alex and
             Druzhinin, Mikhail and Kalinin, Alexandr A.},
  title   = {Albumentations: Fast and Flexible Image Augmentations},
  journal = {Information},
  volume  = {11},
  number  = {2},
  pages   = {125},
  year    = {2020},
  doi     = {10.3390/info11020125}
}""",
)


@hookimpl
def texprior_degradations() -> list[Degradation]:
    """The components."""
    return [DEFOCUS, RAIN, NOISE_JPEG]
