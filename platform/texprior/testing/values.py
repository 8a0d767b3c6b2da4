"""Lists values of a component's options.

These are samples of its search space, and every value that its types list.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from enum import Enum
from typing import Any, Literal, get_args, get_origin

import annotated_types

from texprior.config.schema_studies import Range
from texprior.config.search_dimension import Dimension, tuned_dimensions, unwrap_annotation
from texprior.diffusion.keys import seed_of
from texprior.plugin import Options, Tune

SAMPLES = 20
"""Points of a search space that ``any.space`` validates: its two ends, and enough random ones to combine options.

Validation is quick; checks that also build and run the component use fewer points.
"""


def is_tuned(model: type[Options]) -> bool:
    """Returns True if any option is marked ``Tune``, including nested options."""
    for info in model.model_fields.values():
        types, constraints = unwrap_annotation(info.annotation, info.metadata)
        if any(isinstance(c, Tune) for c in constraints) or any(is_tuned(t) for t in types if _is_options(t)):
            return True
    return False


def samples(model: type[Options], count: int = SAMPLES) -> list[dict[str, Any]]:
    """Returns points of the search space by dotted path: its two ends, then random points.

    The points are the same at every call. Raises ValueError if a ``Tune`` mark does not define a space.
    """
    # a fixed seed, so that a failure can be repeated
    space, rng = tuned_dimensions(model), random.Random(seed_of("conformance", "space"))
    ends = [{path: _end(d, i) for path, d in space.items()} for i in (0, -1)]
    drawn = [{path: _draw(d, rng) for path, d in space.items()} for _ in range(count - len(ends))]
    return [*ends, *drawn][:count]


def choices(model: type[Options], prefix: str = "") -> Iterator[dict[str, Any]]:
    """Yields changes of one option: every value that its type lists.

    Only the types bool, Literal and Enum list their values.
    """
    for name, info in model.model_fields.items():
        types, _ = unwrap_annotation(info.annotation, info.metadata)
        for plain in types:
            if _is_options(plain):
                yield from choices(plain, f"{prefix}{name}.")
            else:
                yield from ({f"{prefix}{name}": value} for value in _listed(plain))


def ends(model: type[Options]) -> Iterator[dict[str, Any]]:
    """Yields changes of one numeric option: its lowest and highest values.

    These are the ends of its bounds and of its search range.
    """
    space = tuned_dimensions(model)
    for name, info in model.model_fields.items():
        types, constraints = unwrap_annotation(info.annotation, info.metadata)
        if not {int, float} & set(types):
            continue
        dimension = space.get(name)
        bounds = [*_bounds(constraints), *([dimension.low, dimension.high] if isinstance(dimension, Range) else [])]
        yield from ({name: bound} for bound in dict.fromkeys(bounds))


def grid(model: type[Options], name: str, count: int) -> list[Any]:
    """Returns ``count`` values of a numeric option from low to high.

    The range is that of its search space, or else its bounds. Raises ValueError if there is no such option, or if it
    has neither. An integer option may yield fewer values, because equal ones are dropped after rounding.
    """
    if name not in model.model_fields:
        raise ValueError(f"there is no option '{name}'; there are: {', '.join(model.model_fields) or 'none'}")
    types, constraints = unwrap_annotation(model.model_fields[name].annotation, model.model_fields[name].metadata)
    dimension, bounds = tuned_dimensions(model).get(name), _bounds(constraints)
    if isinstance(dimension, Range):
        low, high, log = float(dimension.low), float(dimension.high), dimension.log
    elif len(bounds) == 2:
        low, high, log = float(bounds[0]), float(bounds[1]), False
    else:
        raise ValueError(f"option '{name}' has no range; mark it with Tune, or give its Field ge and le")
    shares = [i / (count - 1) for i in range(count)]
    values = [low * (high / low) ** t if log else low + t * (high - low) for t in shares]
    # rounded values may be equal, and each is built and run: keep one of them
    return list(dict.fromkeys(round(v) for v in values)) if float not in types else values


def _end(dimension: Dimension, index: int) -> Any:
    return (dimension.low, dimension.high)[index] if isinstance(dimension, Range) else dimension[index]


def _draw(dimension: Dimension, rng: random.Random) -> Any:
    if isinstance(dimension, list):
        return rng.choice(dimension)
    low, high, step = dimension.low, dimension.high, dimension.step or (1 if dimension.integer else None)
    if dimension.log:
        # rounding of exp and log may leave the range by a little, which the field would refuse: clamp
        value = math.exp(rng.uniform(math.log(low), math.log(high)))
        return min(max(round(value) if dimension.integer else value, low), high)
    return low + rng.randrange(round((high - low) / step) + 1) * step if step else rng.uniform(low, high)


def _listed(plain: object) -> list[Any]:
    if plain is bool:
        return [False, True]
    if get_origin(plain) is Literal:
        return list(get_args(plain))
    return [member.value for member in plain] if isinstance(plain, type) and issubclass(plain, Enum) else []


def _bounds(constraints: list[Any]) -> list[Any]:
    known = (annotated_types.Ge, annotated_types.Le, annotated_types.Interval)
    found = [getattr(c, side, None) for side in ("ge", "le") for c in constraints if isinstance(c, known)]
    return [bound for bound in found if bound is not None]


def _is_options(plain: object) -> bool:
    return isinstance(plain, type) and issubclass(plain, Options)
