"""Reads the program of a Python file.

Its comments, docstrings and formatting are no part of the program.
"""

from __future__ import annotations

import ast
import functools
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

_UNREAD = frozenset({"ctx", "type_comment", "type_ignores", "kind"})
"""Fields of nodes that change nothing: whether a name is read or set follows from its place, ``kind`` is ``u""``."""


@dataclass(frozen=True)
class Import:
    """An import: ``from ..module import names`` has level 2; ``import module`` has no names."""

    level: int
    module: str
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Source:
    """What a Python file is made of, as far as its program is concerned."""

    digest: str
    imports: tuple[Import, ...] = ()
    strings: frozenset[str] = frozenset()
    """Its string constants."""
    bound: frozenset[str] = frozenset()
    """Names that it gives a value: of functions, classes, variables and imports."""
    acting: frozenset[str] = frozenset()
    """Names of its classes that have functions."""


# a package has some dozens of files, and the same ones are asked for by every training of a sweep
@functools.lru_cache(maxsize=1024)
def parse_source(text: bytes) -> Source:
    """Parses the content of a Python file. What is no Python counts by its bytes."""
    try:
        tree = ast.parse(text)
    # the text may have null bytes, an encoding that is unknown, or more brackets than the parser's stack can hold
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return Source(hashlib.sha256(text).hexdigest())
    form = hashlib.sha256()
    for part in _form(tree):
        form.update(part.encode())
    nodes = list(ast.walk(tree))
    return Source(
        form.hexdigest(),
        tuple(found for node in nodes for found in _imports(node)),
        frozenset(n.value for n in nodes if isinstance(n, ast.Constant) and isinstance(n.value, str)),
        frozenset(name for node in nodes for name in _bound(node)),
        frozenset(n.name for n in nodes if isinstance(n, ast.ClassDef) and any(map(_is_function, n.body))),
    )


def _form(tree: ast.AST) -> Iterator[str]:
    """Yields a syntax tree as text, which is the same in every version of Python.

    Works through a stack: a chain of operators or of ``elif`` may be nested deeper than Python's functions may be.
    """
    waiting: list[object] = [tree]
    while waiting:
        item = waiting.pop()
        if isinstance(item, str):
            yield item
        elif isinstance(item, ast.AST):
            waiting.append(")")
            for name, value in reversed(list(_fields(item))):
                waiting += [_item(value), f" {name}="]
            waiting.append(f"({type(item).__name__}")
        elif isinstance(item, list):
            waiting += ["]", *(_item(element) for element in reversed(_effective(item))), "["]


def _fields(node: ast.AST) -> Iterator[tuple[str, object]]:
    for name, value in ast.iter_fields(node):
        if isinstance(node, ast.JoinedStr):
            # Python 3.12 adds an empty string after a nested field of an f-string
            yield name, [part for part in value if not (isinstance(part, ast.Constant) and part.value == "")]
        # newer versions have more fields, which are empty for older programs, so an empty field is left out
        elif name not in _UNREAD and value is not None and value != []:
            yield name, value


def _item(value: object) -> object:
    """Returns a node or list as it is, and any other value as text, by its type: 1, 1.0 and True are not the same."""
    # !a, since a newer version's repr() may show more characters as they are
    return value if isinstance(value, ast.AST | list) else f"{type(value).__name__} {value!a},"


def _effective(items: Sequence[object]) -> list[object]:
    """Leaves out statements that do nothing: ``pass``, and strings that stand alone, such as docstrings."""
    return [item for item in items if not isinstance(item, ast.Pass) and not _is_lone_string(item)]


def _is_lone_string(node: object) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def _is_function(node: ast.AST) -> bool:
    return isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)


def _imports(node: ast.AST) -> Iterator[Import]:
    if isinstance(node, ast.Import):
        yield from (Import(0, alias.name) for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        yield Import(node.level, node.module or "", tuple(alias.name for alias in node.names))


def _bound(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield node.name
    elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
        yield node.id
    elif isinstance(node, ast.Import | ast.ImportFrom):
        yield from (alias.asname or alias.name for alias in node.names)
