"""With --json a command that fails writes one document too: why, and its exit code."""

import click
import pytest

from texprior.cli import cli


def answering(group=cli, path=()):
    for name in group.list_commands(click.Context(group)):
        command = group.get_command(click.Context(group), name)
        if isinstance(command, click.Group):
            yield from answering(command, (*path, name))
        elif any(option.name == "as_json" for option in command.params):
            yield (*path, name)


@pytest.mark.parametrize("command", list(answering()), ids=" ".join)
def test_every_command_says_in_json_that_its_command_line_is_wrong(texprior, command):
    answer = texprior(*command, "--json", "--no-such-option")
    assert answer.code == 2
    assert set(answer.json) == {"schema_version", "error"}
    assert (answer.json["error"]["kind"], answer.json["error"]["exit_code"]) == ("usage", 2)
    assert answer.json["error"]["message"] in answer.err


@pytest.mark.parametrize(
    ("arguments", "kind", "said"),
    [
        (["prior", "missing.yaml", "--json"], "configuration", "missing.yaml"),
        (["plugins", "show", "adapter/none", "--json"], "configuration", "none"),
        (["no-such-command", "--json"], "usage", "no-such-command"),
        (["prior", "--json"], "usage", "EXPERIMENT"),
        (["--no-such-option", "--json"], "usage", "--no-such-option"),
    ],
)
def test_an_error_is_the_answer(texprior, runs, arguments, kind, said):
    answer = texprior(*arguments)
    assert (answer.json["error"]["kind"], answer.json["error"]["exit_code"]) == (kind, answer.code)
    assert said in answer.json["error"]["message"]
    # the sentence is on stderr as without --json
    assert said in answer.err
    assert texprior(*[word for word in arguments if word != "--json"]).out == ""


@pytest.mark.parametrize(
    ("raised", "kind", "code"),
    [
        (KeyboardInterrupt(), "interrupted", 130),
        (ZeroDivisionError("no"), "internal", 1),
        (OSError(28, "No space left on device"), "failure", 1),
    ],
)
def test_errors_that_nobody_foresaw_are_answers_too(texprior, monkeypatch, raised, kind, code):
    def fails():
        raise raised

    monkeypatch.setattr("texprior.store.shipped_models", fails)
    answer = texprior("models", "list", "--json")
    assert (answer.code, answer.json["error"]["kind"], answer.json["error"]["exit_code"]) == (code, kind, code)


def test_an_answer_is_not_followed_by_an_error(texprior, monkeypatch, runs):
    """What failed in a part of the work has its answer already; one document is on stdout."""
    from texprior.track import resend

    def fails(_kept, _observer):
        raise ZeroDivisionError("no")

    monkeypatch.setattr(resend, "resend_events", fails)
    folder = runs / "unsent" / "one"
    folder.mkdir(parents=True)
    (folder / "events.jsonl").write_text('{"component": {"mlflow": {}}, "plugins": []}\n')
    answer = texprior("runs", "resend", "--json")
    assert answer.code == 1
    assert (answer.json["sent"], len(answer.json["failed"])) == ([], 1)


def test_a_later_command_of_the_same_process_has_its_own_answer(texprior, runs):
    assert texprior("models", "list", "--json").code == 0
    assert texprior("prior", "missing.yaml", "--json").json["error"]["kind"] == "configuration"


def test_of_the_processes_of_a_team_the_first_answers(capsys, monkeypatch):
    from texprior.cli.output import begin_answers, emit_error

    for rank, documents in (("1", 0), ("0", 1)):
        begin_answers()
        monkeypatch.setenv("RANK", rank)
        emit_error("failure", "no", 1)
        assert capsys.readouterr().out.count("schema_version") == documents
