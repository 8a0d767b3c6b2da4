"""Dotted paths into nested mappings, and how one mapping is merged over another."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping
from typing import Any


def get_path(data: Any, dotted: str) -> Any:
    """The value at a dotted path of nested mappings and lists (None where it ends early)."""
    for key in dotted.split("."):
        items = dict(_items(data)) if isinstance(data, list) else data
        data = items.get(key) if isinstance(items, Mapping) else None
    return data


def nest_value(dotted: str, value: Any) -> dict[str, Any]:
    """A value as nested mappings down its dotted path."""
    for key in reversed(dotted.split(".")):
        value = {key: value}
    nested: dict[str, Any] = value
    return nested


def merge(base: Any, over: Any, components: Container[str], path: str = "") -> Any:
    """Deep merge of mappings; a mapping of numbers over a list replaces the elements that it numbers.

    At a path of ``components``, one of another name replaces the one below; of the same name it is merged.
    """
    if path in components:
        base, over = (({v: {}} if isinstance(v, str) else v) for v in (base, over))
        if isinstance(base, dict) and isinstance(over, dict) and base.keys() != over.keys():
            return over
    if isinstance(base, list) and isinstance(over, dict) and over and over.keys() <= dict(_items(base)).keys():
        return [merge(v, over[i], components, f"{path}.{i}") if i in over else v for i, v in _items(base)]
    if not (isinstance(base, dict) and isinstance(over, dict)):
        return over
    merged = dict(base)
    for key, value in over.items():
        below = f"{path}.{key}" if path else str(key)
        merged[key] = merge(base[key], value, components, below) if key in base else value
    return merged


def _items(data: list[Any]) -> Iterator[tuple[str, Any]]:
    """A list's elements with their numbers, from 0, as a dotted path has them."""
    return ((str(i), value) for i, value in enumerate(data))


def shortest_suffix(path: str, paths: Iterable[str]) -> str:
    """The shortest end of a dotted path that no other of the paths has."""
    keys, others = path.split("."), [f".{other}" for other in paths if other != path]
    ends = (".".join(keys[-length:]) for length in range(1, len(keys)))
    return next((end for end in ends if not any(other.endswith(f".{end}") for other in others)), path)
