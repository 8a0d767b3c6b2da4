"""Options of the weather degradations."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from texprior.plugin import Options, Tune
from texprior_plugins.degradation._bounded import Bounded

Share = Annotated[float, Field(ge=0.0, le=1.0)]


class RainOptions(Bounded):
    """Options of ``rain``."""

    density: Annotated[
        float, Field(ge=0.0, le=0.1, description="mean number of drops per px"), Tune(0.004, 0.05, log=True)
    ] = 0.02
    length: Annotated[
        float, Field(ge=1.0, le=96.0, description="length of a streak at middle distance, px"), Tune(8.0, 48.0)
    ] = 30.0
    width: Annotated[
        float,
        Field(ge=0.1, le=8.0, description="full width of a streak at half its maximum, at middle distance, px"),
    ] = 1.0
    intensity: Annotated[
        Share,
        Field(description="share of the exposure time for which the slowest drops cover a pixel"),
        Tune(0.1, 0.6),
    ] = 0.25
    brightness: Annotated[Share, Field(description="linear light of the drops, 1 is full white")] = 0.8
    angle_min: Annotated[
        float, Field(ge=-80.0, le=80.0, description="smallest angle of fall from the vertical, degrees")
    ] = -20.0
    angle_max: Annotated[
        float, Field(ge=-80.0, le=80.0, description="largest angle of fall from the vertical, degrees")
    ] = 20.0


class HazeOptions(Bounded):
    """Options of ``haze``."""

    beta_min: Annotated[
        float,
        Field(ge=0.0, le=10.0, description="smallest thickness; the farthest point keeps exp(-beta) of its contrast"),
    ] = 0.6
    beta_max: Annotated[float, Field(ge=0.0, le=10.0, description="largest thickness"), Tune(0.6, 4.0)] = 1.8
    airlight_min: Annotated[Share, Field(description="smallest value of the airlight (the haze's own light)")] = 0.7
    airlight_max: Annotated[Share, Field(description="largest value of the airlight (the haze's own light)")] = 1.0
    cast: Annotated[
        float,
        Field(
            ge=0.0,
            le=0.3,
            description="largest colour cast of the airlight: added to red, taken from blue, or the reverse",
        ),
    ] = 0.03
    ground: Annotated[Share, Field(description="weight of a ground plane in the depth")] = 0.5
    colour: Annotated[
        Share,
        Field(description="weight of colour in the depth (bright and pale is far); the depth then follows edges"),
    ] = 0.35
    relief: Annotated[Share, Field(description="weight of smooth random relief in the depth")] = 0.15

    @model_validator(mode="after")
    def _some_depth(self) -> HazeOptions:
        if self.ground + self.colour + self.relief == 0:
            raise ValueError("ground, colour and relief are all 0, so there is no depth; set one of them above 0")
        return self


class VeilOptions(HazeOptions):
    """Options of the veil of far rain.

    By default the veil is thicker and darker than haze.
    """

    beta_min: Annotated[float, Field(ge=0.0, le=10.0, description="smallest thickness")] = 0.8
    beta_max: Annotated[float, Field(ge=0.0, le=10.0, description="largest thickness"), Tune(0.8, 4.0)] = 2.0
    airlight_min: Annotated[Share, Field(description="smallest value of the airlight (the veil's own light)")] = 0.6
    airlight_max: Annotated[Share, Field(description="largest value of the airlight (the veil's own light)")] = 0.9


class RainHazeOptions(Options):
    """Options of ``rain_haze``."""

    rain: RainOptions = RainOptions()
    haze: VeilOptions = VeilOptions()


class SnowOptions(Bounded):
    """Options of ``snow``."""

    density: Annotated[
        float, Field(ge=0.0, le=0.1, description="mean number of flakes per px"), Tune(0.003, 0.04, log=True)
    ] = 0.015
    size: Annotated[
        float, Field(ge=0.2, le=16.0, description="radius of a flake at middle distance, px"), Tune(0.6, 4.0)
    ] = 1.3
    motion: Annotated[
        float,
        Field(ge=0.0, le=64.0, description="path of a flake at middle distance during the exposure, px"),
    ] = 3.0
    blur: Annotated[
        float, Field(ge=0.0, le=8.0, description="defocus of a flake at middle distance: radius of the disc, px")
    ] = 0.7
    opacity: Annotated[Share, Field(description="opacity of the densest flakes"), Tune(0.4, 1.0)] = 0.9
    brightness: Annotated[Share, Field(description="linear light of the flakes, 1 is full white")] = 0.9
    angle_min: Annotated[
        float, Field(ge=-90.0, le=90.0, description="smallest angle of fall from the vertical, degrees")
    ] = -35.0
    angle_max: Annotated[
        float, Field(ge=-90.0, le=90.0, description="largest angle of fall from the vertical, degrees")
    ] = 35.0


class RaindropOptions(Bounded):
    """Options of ``raindrop``."""

    density: Annotated[
        float,
        Field(ge=0.0, le=0.05, description="drops per px; drops that find no room are left out"),
        Tune(0.0003, 0.005, log=True),
    ] = 0.0015
    radius: Annotated[float, Field(ge=0.5, le=64.0, description="median radius of the drops, px"), Tune(2.0, 12.0)] = (
        4.0
    )
    contact_min: Annotated[
        float, Field(ge=5.0, le=85.0, description="smallest angle between water and glass at the rim, degrees")
    ] = 35.0
    contact_max: Annotated[
        float, Field(ge=5.0, le=85.0, description="largest angle between water and glass at the rim, degrees")
    ] = 60.0
    blur: Annotated[float, Field(ge=0.0, le=16.0, description="defocus of the drops: radius of the disc, px")] = 2.0
    field_of_view: Annotated[
        float, Field(ge=10.0, le=120.0, description="horizontal field of view of the picture, degrees")
    ] = 60.0
