"""The base class of a component's options, and ``Tune``, which marks what a sweep searches."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict


class Options(BaseModel):
    """Base of every component's options: unknown fields are errors, values are frozen.

    ``Annotated[int, Field(ge=1, le=64, description="..."), Tune()]`` is at once validation,
    documentation, the command line's help and the search space.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True, allow_inf_nan=False)


@dataclass(frozen=True)
class Tune:
    """Marks an option as part of the default search space.

    Bounds that are not given come from the field's own ``ge``/``le``; ``bool`` and ``Literal``
    fields are searched over all their values. ``log`` searches the logarithm, ``step`` a grid.
    """

    low: float | None = None
    high: float | None = None
    log: bool = False
    step: float | None = None
