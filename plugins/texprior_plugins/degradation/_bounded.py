"""Options that come in pairs of a least and a greatest value."""

from __future__ import annotations

from pydantic import model_validator

from texprior.plugin import Options


class Bounded(Options):
    """Every ``NAME_max`` must be at least ``NAME_min``; a value between them is drawn for each picture."""

    @model_validator(mode="after")
    def _ordered(self) -> Bounded:
        for low in type(self).model_fields:
            if low.endswith("_min"):
                in_order(self, low, low.removesuffix("_min") + "_max")
        return self


def in_order(options: Options, low: str, high: str) -> None:
    """Raises ValueError where the option ``high`` is below ``low``."""
    least, greatest = getattr(options, low), getattr(options, high)
    if greatest < least:
        raise ValueError(f"{high} ({greatest}) is below {low} ({least}); give it at least that")
