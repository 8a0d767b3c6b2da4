"""Components whose declarations are wrong, whatever they compute."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_serializer, model_validator

from texprior.plugin import Degradation, Options, Tune, hookimpl

CAUGHT_BY = {
    "default_out_of_bounds": ["any.defaults"],
    "takes_anything": ["any.options-closed"],
    "loses_digits": ["any.json"],
    "open_bounds": ["any.space"],
    "bounds_that_cross": ["any.space"],
    "choice_that_breaks": ["any.space-works"],
    "no_summary": ["any.record"],
    "half_a_citation": ["any.record"],
    "no_such_class": ["any.builds"],
    "missing_package": ["any.builds"],
}
Factor = Annotated[float, Field(ge=0, le=1), Tune()]


class DefaultOutOfBounds(Options):
    factor: Factor = 2.0


class TakesAnything(Options):
    model_config = ConfigDict(extra="allow")
    factor: Factor = 0.5


class LosesDigits(Options):
    factor: Factor = 0.5

    @field_serializer("factor")
    def _short(self, factor: float) -> float:
        return round(factor, 2)


class OpenBounds(Options):
    factor: Annotated[float, Field(ge=0), Tune()] = 0.5


class BoundsThatCross(Options):
    low: Factor = 0.2
    high: Factor = 0.8

    @model_validator(mode="after")
    def _in_order(self) -> "BoundsThatCross":
        if self.high < self.low:
            raise ValueError("high is below low")
        return self


class ChoiceThatBreaks(Options):
    border: Literal["mirror", "wrap"] = "mirror"


class Dim:
    def __init__(self, options: BaseModel) -> None:
        self.options = options

    def __call__(self, image_CHW, rng):
        import torch

        if getattr(self.options, "border", "mirror") == "wrap":
            raise NotImplementedError("wrap")
        return image_CHW * torch.rand((), generator=rng)


@hookimpl
def texprior_degradations():
    dim = f"{__name__}:Dim"
    return [
        Degradation("default_out_of_bounds", dim, DefaultOutOfBounds, "Dims."),
        Degradation("takes_anything", dim, TakesAnything, "Dims."),
        Degradation("loses_digits", dim, LosesDigits, "Dims."),
        Degradation("open_bounds", dim, OpenBounds, "Dims."),
        Degradation("bounds_that_cross", dim, BoundsThatCross, "Dims."),
        Degradation("choice_that_breaks", dim, ChoiceThatBreaks, "Dims."),
        Degradation("no_summary", dim, Options, ""),
        Degradation("half_a_citation", dim, Options, "Dims.", citation="@article{half, title={Half}"),
        Degradation("no_such_class", f"{__name__}:Bright", Options, "Dims."),
        Degradation("missing_package", "no_such_package.impl:Dim", Options, "Dims."),
    ]
