"""Base class of options that come in pairs of a smallest and a largest value."""

from __future__ import annotations

from pydantic import model_validator

from texprior.plugin import Options


class Bounded(Options):
    """Options that check every pair ``NAME_min`` and ``NAME_max``.

    ``NAME_max`` must be at least ``NAME_min``. The degradation draws a value between them for each picture.
    """

    @model_validator(mode="after")
    def _ordered(self) -> Bounded:
        for low in type(self).model_fields:
            if low.endswith("_min"):
                in_order(self, low, low.removesuffix("_min") + "_max")
        return self


def in_order(options: Options, low: str, high: str) -> None:
    """Raises ValueError if the option ``high`` is below the option ``low``."""
    least, greatest = getattr(options, low), getattr(options, high)
    if greatest < least:
        raise ValueError(f"{high} ({greatest}) is below {low} ({least}); set it to at least that value")
