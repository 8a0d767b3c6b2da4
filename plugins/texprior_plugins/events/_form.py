"""Names and values as MLflow takes them."""

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


def flattened(value: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """(dotted path, value) of everything in nested mappings, and in lists of mappings."""
    if isinstance(value, Mapping) and (value or not prefix):
        for key, below in value.items():
            yield from flattened(below, f"{prefix}.{key}" if prefix else str(key))
    elif isinstance(value, list | tuple) and any(isinstance(item, Mapping) for item in value):
        for i, item in enumerate(value):
            yield from flattened(item, f"{prefix}.{i}")
    else:
        yield prefix, value


def as_text(value: Any) -> str:
    """A parameter's value: text as it is, all else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, default=str)


def as_key(name: str) -> str:
    """A name of MLflow's characters and length."""
    return re.sub(r"[^\w\-./: ]", "_", name)[:KEY_LENGTH]


def distinct(names: Iterable[str]) -> Iterator[str]:
    """The keys of names, numbered where two names would have one key: MLflow refuses the second."""
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
    """The text, or its beginning and an ellipsis."""
    return text if len(text) <= length else f"{text[: length - 3]}..."


def chunks(items: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    """The items, at most ``size`` at a time."""
    return (items[i : i + size] for i in range(0, len(items), size))


def metrics_of(images_seen: int, values: Mapping[str, float]) -> list[Metric]:
    """Values at a point of a run, as of now."""
    from mlflow.entities import Metric

    now_ms = int(time.time() * 1000)
    return [Metric(as_key(name), float(value), now_ms, images_seen) for name, value in values.items()]
