"""Finds the strength at which a decomposition makes a texture of a given standard deviation.

This lets you compare filters at equal strength of their textures. At their authors' defaults, the strengths of the
textures differ by a factor of four.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from torch import Tensor

from texprior.config.schema_studies import Range
from texprior.config.search_dimension import allowed_range, tuned_dimensions
from texprior.decompositions.moments import Moments
from texprior.errors import ConfigError
from texprior.flow.decompose import Decomposer, decompose
from texprior.flow.kinds import DECOMPOSITION
from texprior.plugin import Decomposition, Ref
from texprior.registry import Registry

TOLERANCE = 0.01
"""Largest relative difference between the texture's standard deviation and its target.

A smaller one needs more trials, and each trial filters all pictures.
"""
_MOST_STEPS = 60
"""Bounds the search for a decomposition whose texture does not change smoothly; regula falsi needs far fewer."""
_LEAST = 1e-12
"""Keeps the logarithm finite if there is no texture; far below the rounding of a float32 picture."""


@dataclass(frozen=True)
class Matched:
    """A decomposition with the strength that was found, and the standard deviation of its texture."""

    decomposition: Ref
    option: str
    value: float
    texture_std: float
    target: float
    pictures: int

    def record(self) -> dict[str, Any]:
        """Returns the values to store and print, in JSON's types."""
        return {**asdict(self), "decomposition": self.decomposition.model_dump(mode="json")}


@dataclass(frozen=True)
class _Point:
    """A strength and the texture's standard deviation at this strength."""

    value: float
    std: float


Measure = Callable[[float], _Point]
Tell = Callable[[int, float, float], None]
"""Called after each trial with its number, the strength, and the standard deviation."""


def texture_std(decomposition: Decomposer, pictures: Sequence[Tensor]) -> float:
    """Returns the texture's standard deviation over all values of some pictures.

    Each picture is (3, H, W). The result is in the units of the pictures.
    """
    moments = Moments()
    for picture in pictures:
        moments.add(decompose(picture[None], decomposition).texture.cpu())
    return math.sqrt(moments.variance())


def strength_of(registry: Registry, ref: Ref) -> str:
    """Returns the name of the option that is a decomposition's strength.

    Raises ConfigError if it has none.
    """
    record = registry.find("decomposition", ref.name).component
    option = record.strength if isinstance(record, Decomposition) else ""
    if not option:
        raise ConfigError(f"decomposition '{ref.name}' declares no option as its strength: it cannot be matched")
    return option


def with_option(ref: Ref, option: str, value: float) -> Ref:
    """Returns the reference with one option set."""
    return ref.with_options({**ref.options, option: value})


def match_strength(
    registry: Registry, ref: Ref, target: float, pictures: Sequence[Tensor], tell: Tell = lambda *_: None
) -> Matched:
    """Finds the strength at which the texture has a standard deviation of ``target``.

    The texture is that of all ``pictures``, (3, H, W) each.

    First searches the range of the option's ``Tune`` mark; if the target is outside, the whole range that the option
    allows. The search is logarithmic if ``Tune`` has ``log``. Raises ConfigError if the decomposition has no strength,
    or if the target cannot be reached; the message then has the range that can be reached.
    """
    option = strength_of(registry, ref)
    options = registry.find("decomposition", ref.name).component.options
    whole, first = allowed_range(options, option), tuned_dimensions(options).get(option)
    dimension = first if isinstance(first, Range) else whole
    if dimension is None:
        raise ConfigError(f"decomposition '{ref.name}': its strength '{option}' has no bounds to search between")
    trials = 0

    # a trial builds the decomposition again, since options are fixed once it is built
    def at(value: float) -> _Point:
        nonlocal trials
        value = round(value) if dimension.integer else float(value)
        point = _Point(value, texture_std(registry.build(DECOMPOSITION, with_option(ref, option, value)), pictures))
        trials += 1
        tell(trials, point.value, point.std)
        return point

    # the ends first: they show whether the target can be reached at all
    low, high = _bracket(at, target, dimension, whole or dimension)
    found = _narrowed(at, target, low, high, dimension)
    if found is None:
        raise ConfigError(
            f"decomposition '{ref.name}': no strength gives a texture of standard deviation {target:g} on "
            f"{len(pictures)} pictures; it goes from {low.std:.4g} ({option}={low.value:g}) to {high.std:.4g} "
            f"({option}={high.value:g})"
        )
    return Matched(with_option(ref, option, found.value), option, found.value, found.std, target, len(pictures))


def _bracket(at: Measure, target: float, first: Range, whole: Range) -> tuple[_Point, _Point]:
    """Returns the ends of the range to search.

    This is the first range, or the part of the whole range beyond it, on the side of the target.
    """
    low, high = at(first.low), at(first.high)
    if target < low.std and whole.low < first.low:
        return at(whole.low), low
    if target > high.std and whole.high > first.high:
        return high, at(whole.high)
    return low, high


def _narrowed(at: Measure, target: float, low: _Point, high: _Point, dimension: Range) -> _Point | None:
    """Searches between two points for one near enough to the target.

    The method is regula falsi, Illinois variant, on logarithms of the standard deviation. Returns None if the target is
    not between the two points, or is in a gap, such as between two whole numbers.
    """
    log = dimension.log and low.value > 0
    least = 1.0 if dimension.integer else 0.0
    off_low, off_high, moved = _off(low, target), _off(high, target), ""

    for _ in range(_MOST_STEPS):
        for point in (low, high):
            if abs(_off(point, target)) <= math.log1p(TOLERANCE):
                return point
        if not off_low < 0 < off_high or high.value - low.value <= least:
            return None

        # stay 2 % away from the ends, so that every step makes the range smaller by at least this much
        share = min(max(off_low / (off_low - off_high), 0.02), 0.98)
        value = low.value + share * (high.value - low.value)
        if log:
            value = low.value * (high.value / low.value) ** share
        if dimension.integer:
            value = min(max(round(value), low.value + 1), high.value - 1)

        # Illinois: if the same end moves twice, halve the other end's value; otherwise that end might never move
        point = at(value)
        if _off(point, target) < 0:
            low, off_low, off_high = point, _off(point, target), off_high / (2 if moved == "low" else 1)
            moved = "low"
        else:
            high, off_high, off_low = point, _off(point, target), off_low / (2 if moved == "high" else 1)
            moved = "high"
    return None


def _off(point: _Point, target: float) -> float:
    return math.log(max(point.std, _LEAST) / target)
