"""Defines the base class of a component's options, and ``Tune``, which marks options for sweeps."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import ConfigDict

from texprior.plugin.added import WithAddedFields


class Options(WithAddedFields):
    """The base class of every component's options: unknown fields are errors, and values are frozen.

    One annotation, ``Annotated[int, Field(ge=1, le=64, description="..."), Tune()]``, is used for validation,
    documentation, the help of the command line, and the search space of a sweep.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True, allow_inf_nan=False)


@dataclass(frozen=True)
class Tune:
    """Marks an option as part of the default search space.

    If you give no bounds, the field's own ``ge`` and ``le`` are used. A sweep searches ``bool`` and ``Literal`` fields
    over all their values. ``log`` searches on a logarithmic scale, ``step`` on a grid.
    """

    low: float | None = None
    high: float | None = None
    log: bool = False
    step: float | None = None
