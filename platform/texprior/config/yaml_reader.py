"""Reads YAML files with ``extends`` and records the line of every key. Knows no schema."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from pathlib import Path
from typing import Any

import yaml

from texprior.config.dotted_paths import merge
from texprior.errors import ConfigError


def parse_override(text: str) -> tuple[str, Any]:
    """Splits ``a.b=c`` into its path and its value, which is read as YAML. Raises ConfigError."""
    dotted, equals, value = text.partition("=")
    if not equals or not dotted:
        raise ConfigError(f"--set {text}: expected PATH=VALUE, such as adapter.cga.width=32")
    try:
        return dotted.strip(), yaml.safe_load(value)
    # The ValueError comes from values that look like a date or a number to YAML but are not valid ones.
    except (yaml.YAMLError, ValueError) as error:
        raise ConfigError(f"--set {text}: the value is not valid YAML ({_problem(error)})") from None


def read_experiment(
    path: Path, components: Container[str], chain: tuple[Path, ...] = ()
) -> tuple[dict[str, Any], dict[str, str]]:
    """Reads a file and merges it into the files that it ``extends``.

    Returns (the mapping, its lines). The lines are dotted path -> "file:line" of everything in the mapping.
    ``components`` are the paths of components, for ``merge``; ``chain`` holds the files that led to this one. Raises
    ConfigError.
    """
    if path.resolve() in chain:
        raise ConfigError(f"{path}: the files of 'extends' form a circle: {' -> '.join(map(str, [*chain, path]))}")
    data, lines = _read(path)
    parents = data.pop("extends", [])
    parents = [parents] if isinstance(parents, str) else parents
    if not (isinstance(parents, list) and all(isinstance(p, str) for p in parents)):
        raise ConfigError(f"{lines['extends']}: extends: expected a file or a list of files (got {parents!r})")
    # From the last parent to the first: the current file wins over its parents, and a later parent over an earlier one.
    for parent in reversed(parents):
        below, below_lines = read_experiment(path.parent / parent, components, (*chain, path.resolve()))
        data, lines = merge(below, data, components), {**below_lines, **lines}
    return data, lines


def _read(path: Path) -> tuple[dict[str, Any], dict[str, str]]:
    # The file is parsed twice: nodes have line numbers, ``safe_load`` has the values of merge keys and anchors.
    try:
        node = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
        lines = _distinct(_lines(node, "", str(path)))
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"{path}: there is no such experiment file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: the experiment file cannot be read ({error})") from None
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: {_problem(error)}") from None
    # YAML's errors about dates and numbers have no line, so ``_misfits`` looks for the value again.
    except ValueError as error:
        raise ConfigError(f"{path}: {next(_misfits(node), error)}") from None
    except RecursionError:
        raise ConfigError(f"{path}: the file is nested too deeply, or an anchor contains itself") from None
    if not isinstance(data, dict):
        raise ConfigError(f"{path}: an experiment is a mapping of keys to values, such as 'name: defocus'")
    return data, lines


def _misfits(node: yaml.Node | None) -> Iterator[str]:
    """Yields a sentence for each value that looks like a date or a number to YAML but is not a valid one."""
    if isinstance(node, yaml.ScalarNode):
        try:
            yaml.constructor.SafeConstructor().construct_object(node)
        except ValueError as error:
            yield f"line {node.start_mark.line + 1}: {node.value}: {error}"
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from _misfits(item)
    elif isinstance(node, yaml.MappingNode):
        for pair in node.value:
            for item in pair:
                yield from _misfits(item)


def _distinct(lines: Iterable[tuple[str, str]]) -> dict[str, str]:
    found: dict[str, str] = {}
    for path, place in lines:
        # YAML keeps the last of two equal keys without a word. ``<<`` merges an anchor and may be repeated.
        if path in found and not path.endswith("<<"):
            raise ConfigError(f"{place}: {path}: this key was already given at {found[path]}")
        found[path] = place
    return found


def _lines(node: yaml.Node | None, prefix: str, file: str) -> Iterator[tuple[str, str]]:
    """Yields (dotted path, "file:line") of everything in a YAML node."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            path = f"{prefix}{key.value}"
            yield path, f"{file}:{key.start_mark.line + 1}"
            yield from _lines(value, f"{path}.", file)
    elif isinstance(node, yaml.SequenceNode):
        for i, value in enumerate(node.value):
            yield f"{prefix}{i}", f"{file}:{value.start_mark.line + 1}"
            yield from _lines(value, f"{prefix}{i}.", file)


def _problem(error: Exception) -> str:
    mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", None) or str(error)
    return f"line {mark.line + 1}: {problem}" if mark else str(problem)
