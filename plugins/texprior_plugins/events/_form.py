"""Converts names and values to the form that MLflow accepts."""

from __future__ import annotations

import itertools
import json
import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlflow.entities import Metric

KEY_LENGTH = 250
"""MLflow's limit for the length of a parameter's or metric's name, in characters."""


def flattened(value: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yields (dotted path, value) of every value in nested mappings and in lists of mappings."""
    if isinstance(value, Mapping) and (value or not prefix):
        for key, below in value.items():
            yield from flattened(below, f"{prefix}.{key}" if prefix else str(key))
    elif isinstance(value, list | tuple) and any(isinstance(item, Mapping) for item in value):
        for i, item in enumerate(value):
            yield from flattened(item, f"{prefix}.{i}")
    else:
        yield prefix, value


def as_text(value: Any) -> str:
    """Returns a parameter's value as text: text as it is, everything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, default=str)


def as_key(name: str) -> str:
    """Returns a name with only the characters and the length that MLflow accepts."""
    return re.sub(r"[^\w\-./: ]", "_", name)[:KEY_LENGTH]


def distinct(names: Iterable[str]) -> Iterator[str]:
    """Yields the keys of names, all different.

    Adds a number if two names would have the same key. MLflow refuses a second parameter of the same key.
    """
    seen: set[str] = set()
    for name in names:
        key = first = as_key(name)
        for number in itertools.count(2):
            if key not in seen:
                break
            key = f"{first[: KEY_LENGTH - 4]}_{number}"
        seen.add(key)
        yield key


def cut(text: str, length: int) -> str:
    """Returns the text if it is not too long, else its beginning and an ellipsis."""
    return text if len(text) <= length else f"{text[: length - 3]}..."


def chunks(items: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    """Yields the items in slices of at most ``size``."""
    return (items[i : i + size] for i in range(0, len(items), size))


def metrics_of(images_seen: int, values: Mapping[str, float]) -> list[Metric]:
    """Returns values at a point of a run as MLflow's metrics, with the current time."""
    # MLflow takes seconds to import, so it must not be imported with this module.
    from mlflow.entities import Metric

    now_ms = int(time.time() * 1000)
    return [Metric(as_key(name), float(value), now_ms, images_seen) for name, value in values.items()]
