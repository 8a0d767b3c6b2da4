"""Prints docs/reference/json.md from ``cli.answers``, or with ``schema`` the JSON schema of all answers."""

from __future__ import annotations

import ast
import inspect
import json
import sys
import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from texprior.cli.answers import ANSWERS

_HEAD = """\
# Answers in JSON

Made from the code by `make reference`; do not edit this page. With `--json` a command writes one JSON document to
stdout, and everything else to stderr. [The same as a JSON schema](json-schema.json), for programs.

- An answer that is an object has `schema_version`, which is 1. It becomes 2 if a key is removed or means something
  else. A new key leaves it, so read the keys that you know. Answers that are lists have no place for it.
- A number that is not finite, such as the interval of too few pictures, is `null`.
- A command that fails before it has an answer writes [why](#any-command-that-failed), also if the command line is
  wrong. A command that has its answer and fails in a part of the work writes the answer. Neither has exit code 0.
- Commands of plugins answer as their authors decide.
"""


class _Schema(GenerateJsonSchema):
    """Pydantic's schema of what ``cli.output.plain`` writes: null for numbers that are not finite, whole records."""

    def float_schema(self, schema: core_schema.FloatSchema) -> JsonSchemaValue:
        return {"type": ["number", "null"]}

    def dataclass_schema(self, schema: core_schema.DataclassSchema) -> JsonSchemaValue:
        found = super().dataclass_schema(schema)
        for name, field in found.get("properties", {}).items():
            if name in (told := _docs(schema["cls"])):
                field["description"] = told[name]
        # ``asdict`` writes every field
        return {**found, "required": list(found.get("properties", {})), "additionalProperties": False}


def _docs(cls: type) -> Mapping[str, str]:
    """Returns field -> the docstring below it in the source of a dataclass."""
    body = ast.parse(textwrap.dedent(inspect.getsource(cls))).body[0]
    assert isinstance(body, ast.ClassDef)
    pairs = zip(body.body, body.body[1:], strict=False)
    return {
        field.target.id: " ".join(told.value.value.split())
        for field, told in pairs
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
        if isinstance(told, ast.Expr) and isinstance(told.value, ast.Constant) and isinstance(told.value.value, str)
    }


def json_schema() -> dict[str, Any]:
    """Returns the schema of all answers: ``answers`` has that of each command, ``$defs`` what they share."""
    inputs = [(command, "serialization", TypeAdapter(answer)) for command, answer in ANSWERS.items()]
    by_command, shared = TypeAdapter.json_schemas(inputs, schema_generator=_Schema)  # type: ignore[arg-type]
    answers = {command: found for (command, _), found in by_command.items()}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "What texprior's commands answer with --json",
        "answers": answers,
        **shared,
    }


def json_page() -> str:
    """Returns the page in Markdown: the keys of each command's answer, then the objects that answers share."""
    schema = json_schema()
    shared: Mapping[str, Any] = schema["$defs"]
    own = [_name(found) for found in schema["answers"].values() if "$ref" in found]
    lines = [_HEAD]
    for command, found in schema["answers"].items():
        lines += [f"## {command}", "", *_answer(found, shared), ""]
    lines += ["# What answers share", ""]
    for name in sorted(set(shared) - set(own)):
        lines += [f"## {name}", "", *_object(shared[name]), ""]
    return "\n".join(lines)


def _answer(found: Mapping[str, Any], shared: Mapping[str, Any]) -> Iterator[str]:
    if "$ref" in found:
        yield from _object(shared[_name(found)])
    else:
        yield f"A list of {_type(found['items'])}."


def _object(found: Mapping[str, Any]) -> Iterator[str]:
    if text := found.get("description", ""):
        yield from (f"{_one_line(text.partition(chr(10) + chr(10))[0])}", "")
    yield from ("| key | type | meaning |", "|---|---|---|")
    # the head of the page has told of the version
    shown = {name: field for name, field in found.get("properties", {}).items() if name != "schema_version"}
    for name, field in shown.items():
        missing = "" if name in found.get("required", ()) else ", may be missing"
        told = _one_line(field.get("description", "")).replace("|", "\\|").replace("``", "`")
        yield f"| `{name}` | {_type(field)}{missing} | {told} |"


def _type(field: Mapping[str, Any]) -> str:
    if "$ref" in field:
        return f"[{_name(field)}](#{_name(field).lower()})"
    if "anyOf" in field:
        return " or ".join(map(_type, field["anyOf"]))
    if values := field.get("enum") or ([field["const"]] if "const" in field else []):
        return " or ".join(f"`{json.dumps(value)}`" for value in values)
    kind = field.get("type", "any")
    if "prefixItems" in field:
        return f"list of {', '.join(map(_type, field['prefixItems']))}"
    if kind == "array":
        return f"list of {_type(field.get('items', {}))}"
    if kind == "object":
        below = field.get("additionalProperties", True)
        return f"text → {_type(below)}" if isinstance(below, Mapping) and below else "object"
    return " or ".join(_TYPES.get(one, one) for one in ([kind] if isinstance(kind, str) else kind))


_TYPES = {"string": "text", "boolean": "true or false"}


def _name(field: Mapping[str, Any]) -> str:
    return str(field["$ref"]).rpartition("/")[2]


def _one_line(text: str) -> str:
    return " ".join(text.split())


if __name__ == "__main__":
    made = json.dumps(json_schema(), indent=1, ensure_ascii=False) if sys.argv[1:] == ["schema"] else json_page()
    print(made)  # noqa: T201 (printing is the purpose)
