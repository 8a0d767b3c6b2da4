"""The page of answers in JSON and the schema are up to date, and name every command that answers in JSON."""

import json

import click
import pytest
from jsonschema import Draft202012Validator

from texprior.cli import cli
from texprior.cli.answers import ANSWERS
from texprior.cli.json_page import json_page, json_schema
from texprior.cli.output import SCHEMA_VERSION


def commands(group=cli, path=()):
    for name in group.list_commands(click.Context(group)):
        command = group.get_command(click.Context(group), name)
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))
        else:
            yield (*path, name), command


def test_the_page_is_up_to_date(repository):
    page = (repository / "docs" / "reference" / "json.md").read_text(encoding="utf-8")
    assert page == f"{json_page()}\n", "run `make reference`"


def test_the_schema_is_up_to_date_and_is_one(repository):
    text = (repository / "docs" / "reference" / "json-schema.json").read_text(encoding="utf-8")
    found = json_schema()
    assert json.loads(text) == json.loads(json.dumps(found)), "run `make reference`"
    Draft202012Validator.check_schema({"anyOf": list(found["answers"].values()), "$defs": found["$defs"]})


def test_every_command_that_answers_in_json_has_a_schema():
    answering = {" ".join(path) for path, command in commands() if any(p.name == "as_json" for p in command.params)}
    known = {name.partition(" --")[0] for name in ANSWERS} - {"any command that failed", "ui"}
    assert answering == known


def test_the_answers_have_the_version_that_is_written():
    (version,) = json_schema()["$defs"]["PriorAnswer"]["properties"]["schema_version"].keys() & {"const"}
    assert json_schema()["$defs"]["PriorAnswer"]["properties"]["schema_version"][version] == SCHEMA_VERSION


@pytest.mark.parametrize(
    ("document", "fault"),
    [
        ({"schema_version": 1, "id": "a"}, "'tags' is a required property"),
        ({"schema_version": 1, "id": "a", "tags": {}, "more": 1}, "Additional properties are not allowed"),
        ({"schema_version": 2, "id": "a", "tags": {}}, "1 was expected"),
        ({"schema_version": 1, "id": 3, "tags": {}}, "3 is not of type 'string'"),
    ],
)
def test_the_schema_refuses_what_is_no_answer(document, fault):
    found = json_schema()
    errors = Draft202012Validator({**found["answers"]["runs tag"], "$defs": found["$defs"]}).iter_errors(document)
    assert [fault in error.message for error in errors] == [True]


def test_records_have_all_their_fields_and_what_is_said_of_them():
    """They are the platform's dataclasses; a number in them may be no number."""
    measured = json_schema()["$defs"]["Measured"]
    assert set(measured["required"]) == set(measured["properties"])
    assert measured["properties"]["images_per_s"]["type"] == ["number", "null"]
    assert "if there is nothing to train" in measured["properties"]["images_per_s"]["description"]
