"""Reads YAML files with ``extends`` and records the line of every key. Knows no schema."""

from __future__ import annotations

import itertools
import stat
from collections.abc import Container, Iterable, Iterator
from pathlib import Path
from typing import Any

import yaml

from texprior.config.dotted_paths import merge
from texprior.errors import ConfigError, error_text

LONGEST = 2**18
"""Characters of a text in YAML. The longest experiments have some thousand lines; this takes seconds."""
_DEEPEST, _MOST = 64, 50_000
"""Levels of nesting, and values with those that aliases repeat. A few lines of aliases can stand for 10^9 values."""
_LONGEST_NUMBER = 400
"""Characters of a number: no setting needs more, and Python takes long for very long ones, or refuses them."""
_SHOWN, _PATH_SHOWN = 80, 500
"""Characters of a user's text, and of a path, that a message repeats: the end of a path says which file it is."""


def parse_override(text: str) -> tuple[str, Any]:
    """Splits ``a.b=c`` into its path and its value, which is read as YAML. Raises ConfigError."""
    dotted, equals, value = text.partition("=")
    if not equals or not dotted:
        raise ConfigError(f"--set {shorten_text(text)}: expected PATH=VALUE, such as adapter.cga.width=32")
    if dotted.count(".") >= _DEEPEST:
        raise ConfigError(f"--set {shorten_text(text)}: the path has more than {_DEEPEST} parts")
    try:
        return dotted.strip(), parse_yaml(value)
    except ValueError as error:
        raise ConfigError(f"--set {shorten_text(text)}: the value is not valid YAML ({error})") from None


def shorten_text(text: str, most: int = _SHOWN) -> str:
    """Returns a user's text as a message repeats it: on one line, its beginning if it is long."""
    shown = text if text.isprintable() else text.encode("unicode_escape").decode()
    return shown if len(shown) <= most else f"{shown[:most]}... ({len(text)} characters)"


def _shown_path(path: Path) -> str:
    return shorten_text(str(path), _PATH_SHOWN)


def parse_yaml(text: str) -> Any:
    """Reads a value that a user wrote as YAML. Raises ValueError with what is wrong and, in several lines, the line."""
    return _construct(_compose(text))


def read_experiment(
    path: Path, components: Container[str], chain: tuple[Path, ...] = ()
) -> tuple[dict[str, Any], dict[str, str]]:
    """Reads a file and merges it into the files that it ``extends``.

    Returns (the mapping, its lines). The lines are dotted path -> "file:line" of everything in the mapping.
    ``components`` are the paths of components, for ``merge``; ``chain`` holds the files that led to this one. Raises
    ConfigError.
    """
    try:
        resolved = path.resolve()
    except (OSError, ValueError) as error:
        raise ConfigError(f"{_shown_path(path)}: this cannot be a file ({error_text(error)})") from None
    if resolved in chain:
        raise ConfigError(f"{path}: the files of 'extends' form a circle: {' -> '.join(map(str, [*chain, path]))}")
    data, lines = _read(path)
    parents = data.pop("extends", [])
    parents = [parents] if isinstance(parents, str) else parents
    if not (isinstance(parents, list) and all(isinstance(p, str) for p in parents)):
        raise ConfigError(f"{lines['extends']}: extends: expected a file or a list of files (got {parents!r})")
    # From the last parent to the first: the current file wins over its parents, and a later parent over an earlier one.
    for parent in reversed(parents):
        below, below_lines = read_experiment(path.parent / parent, components, (*chain, resolved))
        data, lines = merge(below, data, components), {**below_lines, **lines}
    return data, lines


def _read(path: Path) -> tuple[dict[str, Any], dict[str, str]]:
    text = _text_of(path)
    try:
        node = _compose(text)
        # before the values are made, which replaces merge keys
        lines = _distinct(_lines(node, "", str(path)))
        data = _construct(node)
    except ValueError as error:
        raise ConfigError(f"{path}: {error}") from None
    if not isinstance(data, dict):
        raise ConfigError(f"{path}: an experiment is a mapping of keys to values, such as 'name: defocus'")
    return data, lines


def _text_of(path: Path) -> str:
    """Returns the text of a file. Raises ConfigError if it is no regular file of reasonable size in UTF-8."""
    try:
        found = path.stat()
        if stat.S_ISDIR(found.st_mode):
            raise ConfigError(f"{path}: the experiment file cannot be read (it is a folder)")
        # a pipe would wait for its writer, and a device may never end
        if not stat.S_ISREG(found.st_mode):
            raise ConfigError(f"{path}: the experiment file cannot be read (it is a pipe or a device, not a file)")
        # a character has up to four bytes in UTF-8
        if found.st_size > 4 * LONGEST:
            raise ConfigError(f"{path}: {found.st_size:,} bytes are too many for an experiment")
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise ConfigError(f"{_shown_path(path)}: there is no such experiment file") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: the experiment file cannot be read (it is not text in UTF-8)") from None
    except OSError as error:
        reason = error.strerror or str(error)
        raise ConfigError(f"{_shown_path(path)}: the experiment file cannot be read ({reason})") from None


def _compose(text: str) -> yaml.Node | None:
    """Parses YAML into nodes, without their values. Raises ValueError."""
    if len(text) > LONGEST:
        raise ValueError(f"{len(text):,} characters are more than {LONGEST:,}")
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        raise ValueError(_problem(error, text)) from None
    except RecursionError:
        raise ValueError(_TOO_DEEP) from None
    if node is not None:
        _measure(node, {}, _DEEPEST)
    return node


_TOO_DEEP = "the file is nested too deeply, or an anchor contains itself"


def _measure(node: yaml.Node, known: dict[yaml.Node, tuple[int, int]], levels: int) -> tuple[int, int]:
    """Returns (values, levels) of a node, with what aliases repeat. Raises ValueError if they are too many."""
    if isinstance(node, yaml.ScalarNode):
        if node.tag in _NUMBERS and len(node.value) > _LONGEST_NUMBER:
            raise ValueError(f"line {node.start_mark.line + 1}: a number has {len(node.value):,} characters")
        return 1, 1
    if node not in known:
        # an anchor that contains itself ends here
        if not levels:
            raise ValueError(_TOO_DEEP)
        below = [_measure(child, known, levels - 1) for child in _children(node)]
        known[node] = 1 + sum(count for count, _ in below), 1 + max((deep for _, deep in below), default=0)
    count, deep = known[node]
    if deep > _DEEPEST:
        raise ValueError(_TOO_DEEP)
    if count > _MOST:
        raise ValueError(
            f"line {node.start_mark.line + 1}: this stands for more than {_MOST:,} values, with its aliases"
        )
    return count, deep


_NUMBERS = ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")


def _children(node: yaml.Node | None) -> Iterator[yaml.Node]:
    if isinstance(node, yaml.SequenceNode):
        yield from node.value
    elif isinstance(node, yaml.MappingNode):
        yield from itertools.chain.from_iterable(node.value)


def _construct(node: yaml.Node | None) -> Any:
    """Returns the value of a node. Raises ValueError."""
    if node is None:
        return None
    try:
        return yaml.constructor.SafeConstructor().construct_document(node)
    except yaml.YAMLError as error:
        raise ValueError(_problem(error)) from None
    except RecursionError:
        raise ValueError(_TOO_DEEP) from None
    # A wrong date or number raises any of these, without its line, so ``_misfits`` looks for it again.
    except (ValueError, ArithmeticError, LookupError, AttributeError, TypeError) as error:
        raise ValueError(next(_misfits(node), str(error))) from None


def _misfits(node: yaml.Node) -> Iterator[str]:
    """Yields a sentence for each value that looks like a date or a number to YAML but is not a valid one."""
    if isinstance(node, yaml.ScalarNode):
        try:
            yaml.constructor.SafeConstructor().construct_object(node)
        except ValueError as error:
            yield f"line {node.start_mark.line + 1}: {node.value}: {error}"
        except (ArithmeticError, LookupError, AttributeError, TypeError):
            yield f"line {node.start_mark.line + 1}: {node.value}: this is no {node.tag.rpartition(':')[2]}"
    for child in _children(node):
        yield from _misfits(child)


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


def _problem(error: yaml.YAMLError, text: str = "") -> str:
    # a character that YAML does not allow has its place in the text, not a line
    if isinstance(error, yaml.reader.ReaderError):
        line = text.count("\n", 0, error.position) + 1
        return f"line {line}: character {error.character:#06x}: {error.reason}"
    mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", None) or str(error)
    return f"line {mark.line + 1}: {problem}" if mark else str(problem)
