"""Implements ``texprior runs tag``, ``note`` and ``delete``, which change what is recorded."""

from __future__ import annotations

import sys

import click

from texprior.cli.commands.runs.finding import find_run, find_runs, run_argument
from texprior.cli.commands.runs.recorded import NOTE, SHORT, Recorded
from texprior.cli.commands.runs.store import MANY, Store, open_store, store_option
from texprior.cli.labels import LONGEST, parse_tag
from texprior.cli.output import emit, say
from texprior.cli.request import json_option
from texprior.errors import ConfigError, printable


@click.command()
@run_argument
@click.argument("tags", metavar="KEY=VALUE...", nargs=-1, required=True)
@store_option
@json_option
def tag(run: str, tags: tuple[str, ...], store: str | None, as_json: bool) -> None:
    """Set tags of a run; an empty VALUE removes the tag.

    'list --tag KEY=VALUE' finds the run again. The --json has id and tags (all that are not texprior's or MLflow's).
    """
    parsed = dict(parse_tag(text, text) for text in tags)
    opened = open_store(store)
    found = find_run(opened, run)
    for key, value in parsed.items():
        if value:
            opened.ask(opened.client.set_tag, found.id, key, value)
        elif key in found.tags:
            opened.ask(opened.client.delete_tag, found.id, key)
    now = {key: value for key, value in {**found.own_tags, **parsed}.items() if value}
    if as_json:
        emit({"id": found.id, "tags": now})
    else:
        click.echo(printable(f"{_named(found)}: {', '.join(f'{k}={v}' for k, v in now.items()) or 'no tags'}"))


@click.command()
@run_argument
@click.argument("text")
@store_option
@json_option
def note(run: str, text: str, store: str | None, as_json: bool) -> None:
    """Add a paragraph to the note of a run, Markdown.

    What the note says already is kept. A training that is continued writes its note anew. The --json has id and note.
    """
    opened = open_store(store)
    found = find_run(opened, run)
    whole = "\n\n".join(part for part in (found.note, text.strip()) if part)
    if len(whole) > LONGEST:
        room = max(0, LONGEST - len(found.note) - 2)
        raise ConfigError(f"the note of {_named(found)} has room for {room} more characters; use 'texprior runs tag'")
    opened.ask(opened.client.set_tag, found.id, NOTE, whole)
    if as_json:
        emit({"id": found.id, "note": whole})
    else:
        click.echo(printable(f"{_named(found)}: noted"))


@click.command()
@click.argument("runs", metavar="RUN...", nargs=-1, required=True)
@click.option("--yes", is_flag=True, help="Do not ask.")
@store_option
@json_option
def delete(runs: tuple[str, ...], yes: bool, store: str | None, as_json: bool) -> None:
    """Delete runs from the list of runs; their files stay.

    MLflow marks them as deleted: 'mlflow runs restore --run-id ID' brings one back. Folders of priors, predictors and
    models stay until 'runs clean', and runs below these stay. The --json has deleted, a list of ids.
    """
    opened = open_store(store)
    found = find_runs(opened, runs)
    for run in found:
        say(f"{_named(run)}, {run.experiment}, {run.status}, started {run.started[:16]}{_below(opened, run)}")
    if not yes:
        # A script has nobody to ask, and must not wait for an answer.
        if as_json or not sys.stdin.isatty():
            raise ConfigError(f"nothing was deleted; --yes deletes {_count(found)}")
        if not click.confirm(f"Delete {_count(found)} from {opened}?", err=True):
            say("nothing was deleted")
            return
    for run in found:
        opened.ask(opened.client.delete_run, run.id)
    if as_json:
        emit({"deleted": [run.id for run in found]})
    else:
        click.echo(f"deleted {_count(found)}; 'mlflow runs restore --run-id ID' brings one back")


def _count(found: list[Recorded]) -> str:
    return f"{len(found)} run{'s' * (len(found) > 1)}"


def _named(run: Recorded) -> str:
    return f"{run.id[:SHORT]} {run.kind or 'run of another program'} '{run.name}'"


def _below(store: Store, run: Recorded) -> str:
    """Returns what deserves a warning: work that goes on, and runs below this one, which stay."""
    children = store.count_below(run)
    going = "; it may still be running" if run.status == "running" else ""
    return going + (
        f"; {children}{' or more' * (children == MANY)} run{'s' * (children > 1)} below it stay" if children else ""
    )
