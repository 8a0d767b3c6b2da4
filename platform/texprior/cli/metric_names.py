"""Understands a metric that the command line names by its key, such as ``psnr_rgb``, in place of its component."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin

from texprior.cli.request import parse_component
from texprior.errors import ConfigError, TexpriorError

if TYPE_CHECKING:
    from texprior.plugin import Ref
    from texprior.registry import Entry, Registry


def parse_metric(registry: Registry, text: str, option: str) -> Ref:
    """Parses a metric: a component's name, YAML with its options, or a key.

    A key is found among the variants of the installed metrics with one option other than the default. Raises
    ConfigError if it is none of these, or the key of several components.
    """
    from texprior.plugin import Ref

    names = {name for entry in registry.entries("metric") for name in (entry.component.name, entry.qualified)}
    if text in names or not text.replace("_", "").replace("-", "").isalnum():
        return parse_component(registry, "metric", text, option, "'{psnr: {space: y}}'")
    found = [
        Ref(name=entry.qualified, options=options)
        for entry in registry.entries("metric")
        for key, options in _variants(registry, entry)
        if key == text
    ]
    if len(found) > 1:
        owners = ", ".join(ref.name for ref in found)
        raise ConfigError(f"{option} {text}: this is the key of several metrics; name one of {owners}")
    return found[0] if found else parse_component(registry, "metric", text, option, "'{psnr: {space: y}}'")


def recorded_key(registry: Registry, name: str, recorded: Iterable[str], option: str) -> str:
    """Returns the key of the metric ``name`` that is among the recorded keys; ``name`` itself if it is no component.

    Raises ConfigError if several of its keys are recorded.
    """
    entries = [entry for entry in registry.entries("metric") if name in (entry.component.name, entry.qualified)]
    known = {key for entry in entries for key, _ in _variants(registry, entry)}
    keys = sorted(known & set(recorded))
    if len(keys) > 1:
        raise ConfigError(f"{option}: '{name}' stands for {' and for '.join(keys)} there; name one of them")
    return keys[0] if keys else name


def _variants(registry: Registry, entry: Entry) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yields key and options of a metric with its defaults, and with each other choice of each option.

    What cannot be built here, without its parameters or packages, has no key.
    """
    from texprior.plugin import Ref

    fields = entry.component.options.model_fields.items()
    literal = ((name, field) for name, field in fields if get_origin(field.annotation) is Literal)
    others = ({name: choice} for name, field in literal for choice in get_args(field.annotation))
    seen = set[str]()
    for options in ({}, *others):
        # pydantic's ValidationError, for an option without a default, is a ValueError
        with suppress(TexpriorError, ValueError):
            key = str(registry.build("metric", Ref(name=entry.qualified, options=options)).key)
            if key not in seen:
                seen.add(key)
                yield key, options
