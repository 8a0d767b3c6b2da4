"""Reads values at dotted paths of nested mappings and merges one mapping into another."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping
from typing import Any


def get_path(data: object, dotted: str, absent: object = None) -> Any:
    """Returns the value at a dotted path of nested mappings and lists.

    Returns ``absent`` if the path does not exist.
    """
    for key in dotted.split("."):
        items = dict(_items(data)) if isinstance(data, list) else data
        data = items.get(key, absent) if isinstance(items, Mapping) else absent
    return data


def leaf_paths(data: object, prefix: str = "") -> Iterator[str]:
    """Yields the dotted paths of the values in nested mappings.

    Lists and empty mappings are values.
    """
    if isinstance(data, Mapping) and data:
        for key, value in data.items():
            yield from leaf_paths(value, f"{prefix}.{key}" if prefix else str(key))
    elif prefix:
        yield prefix


def inner_paths(data: object, path: str) -> Iterator[str]:
    """Yields a path and the dotted paths of everything in its value, list elements included."""
    yield path
    items = data.items() if isinstance(data, Mapping) else _items(data) if isinstance(data, list) else ()
    for key, value in items:
        yield from inner_paths(value, f"{path}.{key}")


def nest_value(dotted: str, value: object) -> dict[str, Any]:
    """Wraps a value in nested mappings, one for each key of its dotted path."""
    *outer, innermost = dotted.split(".")
    nested: dict[str, Any] = {innermost: value}
    for key in reversed(outer):
        nested = {key: nested}
    return nested


def merge(base: object, over: object, components: Container[str], path: str = "") -> Any:
    """Merges ``over`` into ``base``, deeply, and returns the result; ``over`` wins.

    If ``base`` is a list and ``over`` is a mapping whose keys are element numbers, only those elements change.
    At a path in ``components``, a component with another name replaces the one of ``base`` with its options. If the
    names are equal, the options are merged.
    """
    # Options of two different components have nothing in common, so merging them would create an invalid mixture.
    if path in components:
        base, over = (({v: {}} if isinstance(v, str) else v) for v in (base, over))
        if isinstance(base, dict) and isinstance(over, dict) and base.keys() != over.keys():
            return over

    # ``--set a.list.1.option=x`` arrives here as nested mappings and must reach one element of the list.
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
    """Yields the elements of a list with their numbers, from 0, as text, as in a dotted path."""
    return ((str(i), value) for i, value in enumerate(data))


def shortest_suffix(path: str, paths: Iterable[str]) -> str:
    """Returns the shortest end of a dotted path that none of the other paths shares."""
    keys, others = path.split("."), [f".{other}" for other in paths if other != path]
    ends = (".".join(keys[-length:]) for length in range(1, len(keys)))
    return next((end for end in ends if not any(other.endswith(f".{end}") for other in others)), path)
