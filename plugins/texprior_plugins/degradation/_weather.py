"""Options of bad weather."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from texprior.plugin import Options, Tune
from texprior_plugins.degradation._bounded import Bounded

Share = Annotated[float, Field(ge=0.0, le=1.0)]


class RainOptions(Bounded):
    """Options of rain streaks."""

    density: Annotated[float, Field(ge=0.0, le=0.1, description="drops per px"), Tune(0.004, 0.05, log=True)] = 0.02
    length: Annotated[
        float, Field(ge=1.0, le=96.0, description="length of a streak at middle distance, px"), Tune(8.0, 48.0)
    ] = 30.0
    width: Annotated[
        float, Field(ge=0.1, le=8.0, description="width of a streak at half its height, at middle distance, px")
    ] = 1.0
    intensity: Annotated[
        Share, Field(description="part of the exposure for which the slowest drops cover a pixel"), Tune(0.1, 0.6)
    ] = 0.25
    brightness: Annotated[Share, Field(description="linear light that drops show")] = 0.8
    angle_min: Annotated[
        float, Field(ge=-80.0, le=80.0, description="direction of fall from the vertical, at least, degrees")
    ] = -20.0
    angle_max: Annotated[
        float, Field(ge=-80.0, le=80.0, description="direction of fall from the vertical, at most, degrees")
    ] = 20.0


class HazeOptions(Bounded):
    """Options of haze."""

    beta_min: Annotated[
        float,
        Field(ge=0.0, le=10.0, description="least thickness; the farthest point keeps exp(-beta) of its contrast"),
    ] = 0.6
    beta_max: Annotated[float, Field(ge=0.0, le=10.0, description="greatest thickness"), Tune(0.6, 4.0)] = 1.8
    airlight_min: Annotated[Share, Field(description="least value of the airlight")] = 0.7
    airlight_max: Annotated[Share, Field(description="greatest value of the airlight")] = 1.0
    cast: Annotated[
        float, Field(ge=0.0, le=0.3, description="red above and blue below the airlight's value by at most this")
    ] = 0.03
    ground: Annotated[Share, Field(description="weight of a ground plane in the depth")] = 0.5
    colour: Annotated[
        Share, Field(description="weight of what is bright and pale in the depth, which then follows edges")
    ] = 0.35
    relief: Annotated[Share, Field(description="weight of smooth random relief in the depth")] = 0.15

    @model_validator(mode="after")
    def _some_depth(self) -> HazeOptions:
        if self.ground + self.colour + self.relief == 0:
            raise ValueError("ground, colour and relief are all 0, which leaves no depth; give one of them a weight")
        return self


class VeilOptions(HazeOptions):
    """Options of the veil of far rain, which is thicker and darker than haze."""

    beta_min: Annotated[float, Field(ge=0.0, le=10.0, description="least thickness")] = 0.8
    beta_max: Annotated[float, Field(ge=0.0, le=10.0, description="greatest thickness"), Tune(0.8, 4.0)] = 2.0
    airlight_min: Annotated[Share, Field(description="least value of the airlight")] = 0.6
    airlight_max: Annotated[Share, Field(description="greatest value of the airlight")] = 0.9


class RainHazeOptions(Options):
    """Options of rain with the veil of far rain."""

    rain: RainOptions = RainOptions()
    haze: VeilOptions = VeilOptions()


class SnowOptions(Bounded):
    """Options of falling snow."""

    density: Annotated[float, Field(ge=0.0, le=0.1, description="flakes per px"), Tune(0.003, 0.04, log=True)] = 0.015
    size: Annotated[
        float, Field(ge=0.2, le=16.0, description="radius of a flake at middle distance, px"), Tune(0.6, 4.0)
    ] = 1.3
    motion: Annotated[
        float, Field(ge=0.0, le=64.0, description="way of a flake at middle distance in the exposure, px")
    ] = 3.0
    blur: Annotated[
        float, Field(ge=0.0, le=8.0, description="how far a flake at middle distance is out of focus, radius in px")
    ] = 0.7
    opacity: Annotated[Share, Field(description="of the densest flakes"), Tune(0.4, 1.0)] = 0.9
    brightness: Annotated[Share, Field(description="linear light of the flakes")] = 0.9
    angle_min: Annotated[
        float, Field(ge=-90.0, le=90.0, description="direction of fall from the vertical, at least, degrees")
    ] = -35.0
    angle_max: Annotated[
        float, Field(ge=-90.0, le=90.0, description="direction of fall from the vertical, at most, degrees")
    ] = 35.0


class RaindropOptions(Bounded):
    """Options of raindrops on glass."""

    density: Annotated[
        float,
        Field(ge=0.0, le=0.05, description="drops per px, as far as there is room"),
        Tune(0.0003, 0.005, log=True),
    ] = 0.0015
    radius: Annotated[float, Field(ge=0.5, le=64.0, description="median radius, px"), Tune(2.0, 12.0)] = 4.0
    contact_min: Annotated[
        float, Field(ge=5.0, le=85.0, description="angle between water and glass at the rim, at least, degrees")
    ] = 35.0
    contact_max: Annotated[
        float, Field(ge=5.0, le=85.0, description="angle between water and glass at the rim, at most, degrees")
    ] = 60.0
    blur: Annotated[float, Field(ge=0.0, le=16.0, description="how far the drops are out of focus, radius in px")] = 2.0
    field_of_view: Annotated[float, Field(ge=10.0, le=120.0, description="of the picture's width, degrees")] = 60.0
