"""--tag and --note of the commands that train: stored, found again, and of no identity."""

import importlib
import shutil

import pytest

from texprior.cli import COMMANDS

NOTE = "The first with *large* patches."


@pytest.fixture
def train(texprior, write, recorded, runs):
    """Trains a tiny prior that is recorded in the store of these tests."""
    events = [{"mlflow": {"tracking_uri": recorded.address}}]
    training = {"prior": {"budget": {"images": 16}, "batch": 8, "patch": 32}}
    file = write(name="labelled", training=training, events=events)
    return lambda *options: texprior("prior", file, "--json", *options)


def test_tags_and_note_are_stored_with_the_run_and_change_no_identity(ask, train, recorded, runs):
    plain = train("--set", "events=[]").json["prior"]
    shutil.rmtree(plain)
    labelled = train("--tag", "paper=figure 3", "--tag", "try=2", "--note", NOTE).json["prior"]
    assert labelled == plain
    (found,) = ask("list", "--tag", "paper=figure 3", "--json").json
    assert found["tags"] == {"paper": "figure 3", "try": "2"}
    shown = recorded.client.get_run(found["id"]).data.tags["mlflow.note.content"]
    assert shown.startswith(NOTE)
    again = train("--tag", "paper=other", "--note", NOTE)
    assert "is trained already; its run keeps its tags and note, see 'texprior runs tag'" in again.err
    recorded.client.delete_run(found["id"])


def test_where_no_tracker_is_the_user_is_told(train):
    assert "no tracker" in train("--set", "events=[]", "--tag", "a=b").err
    assert "no tracker" not in train("--set", "events=[]").err


@pytest.mark.parametrize("command", ["prior", "adapt", "sweep", "ablate", "evaluate"])
@pytest.mark.parametrize(
    ("tag", "said"),
    [
        ("x", "expected KEY=VALUE"),
        ("x=", "the value is empty"),
        ("texprior.stage=x", "use another key"),
        ("a//b=x", "no path"),
        ("..=x", "letters of ASCII"),
        ("ü=x", "letters of ASCII"),
        (f"{'k' * 251}=x", "at most 250 characters"),
    ],
)
def test_a_tag_that_a_store_would_refuse_is_refused_before_the_training(texprior, write, runs, command, tag, said):
    more = ["--model", "m"] if command == "evaluate" else []
    answer = texprior(command, write(), "--tag", tag, *more)
    assert answer.code == 2
    assert said in answer.err
    assert not runs.exists()


@pytest.mark.parametrize("command", ["prior", "adapt", "sweep", "ablate", "evaluate"])
def test_each_command_that_makes_runs_takes_them(command):
    module, _, name = COMMANDS[command].partition(":")
    function = getattr(importlib.import_module(f"texprior.cli.commands.{module}"), name)
    assert {"tags", "note"} <= {option.name for option in function.params}


def test_a_note_has_a_length(texprior, write, runs):
    assert "at most 8000" in texprior("prior", write(), "--note", "x" * 8001).err
