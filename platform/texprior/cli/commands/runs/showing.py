"""Implements ``texprior runs show``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

import click

from texprior.cli.commands.runs.finding import find_run, run_argument
from texprior.cli.commands.runs.recorded import PARENT, Recorded
from texprior.cli.commands.runs.store import MANY, Store, open_store, store_option
from texprior.cli.output import emit, say, table
from texprior.cli.request import discover_plugins, json_option, plugin_option
from texprior.errors import printable


@click.command()
@run_argument
@store_option
@plugin_option
@json_option
def show(run: str, store: str | None, plugins: tuple[str, ...], as_json: bool) -> None:
    """Show a run: what differs from the defaults, metrics, note, folder and command.

    The --json has what 'list --json' has, and settings (path, value, default), note, folder, files, command, commit
    and children (a number, at most 100).
    """
    opened = open_store(store)
    found = find_run(opened, run)
    document = _document(opened, found, plugins)
    if as_json:
        emit(document)
        return
    click.echo(printable(f"{found.name}\n"))
    for name in ("id", "kind", "experiment", "status", "started", "took", "folder", "files", "command", "commit"):
        if document[name]:
            click.echo(printable(f"{name + ':':<12}{document[name]}"))
    if document["parent"]:
        click.echo(f"{'parent:':<12}{document['parent']}")
    if document["children"]:
        click.echo(f"{'children:':<12}{document['children']}{' or more' * (document['children'] == MANY)}")
    _tables(found, document)


def _document(store: Store, run: Recorded, plugins: tuple[str, ...]) -> dict[str, Any]:
    command = run.tags.get("texprior.command", "")
    if run.kind and not command:
        command = "not recorded: the run is of an earlier version, or was not started by the command line"
    parent = run.tags.get(PARENT, "")
    seconds = run.duration_s
    return {
        **run.row(),
        "kind": run.kind,
        "took": "" if seconds is None else f"{seconds:.0f} s",
        "parent": parent,
        "children": store.count_below(run),
        "folder": _folder(run),
        "files": _files(run),
        "command": command,
        "commit": run.tags.get("texprior.commit", ""),
        "settings": _settings(store, run, plugins),
        "note": run.note,
    }


def _settings(store: Store, run: Recorded, plugins: tuple[str, ...]) -> list[dict[str, str | None]]:
    """Returns the settings that differ from the defaults; all parameters, if another program recorded the run."""
    if not run.kind:
        return [{"path": path, "value": value, "default": None} for path, value in sorted(run.params.items())]
    from texprior.cli.commands.runs.settings import changed_settings, settings_of

    found = changed_settings(settings_of(store, run), discover_plugins(plugins))
    return [{"path": d.path, "value": d.a, "default": d.b} for d in found]


def _folder(run: Recorded) -> str:
    """Returns the folder of a training; empty if it is not here."""
    from texprior.store import runs_root

    folder = runs_root() / run.experiment / (run.folder_name or "-")
    return str(folder) if folder.is_dir() else ""


def _files(run: Recorded) -> str:
    """Returns where MLflow keeps the files of the run: a folder, or an address."""
    parts = urlsplit(run.artifact_uri)
    return str(Path(url2pathname(parts.path))) if parts.scheme == "file" else run.artifact_uri


def _tables(run: Recorded, document: Mapping[str, Any]) -> None:
    if not run.kind:
        say("this run is of another program than texprior; it has what is shown here")
    columns = ["setting", "value", "default"] if run.kind else ["parameter", "value"]
    rows = [[d["path"], d["value"] or "-", d["default"] or "-"][: len(columns)] for d in document["settings"]]
    if rows:
        table(columns, [[printable(cell) for cell in row] for row in rows], wrap=columns)
    elif run.kind:
        click.echo("\nevery setting has its default")
    if run.metrics:
        table(
            ["metric", "value"],
            [[name, f"{value:.6g}"] for name, value in sorted(run.metrics.items())],
            wrap=["metric"],
        )
    if run.own_tags:
        table(["tag", "value"], [list(map(printable, item)) for item in sorted(run.own_tags.items())], wrap=["value"])
    if run.note:
        click.echo(f"\n{printable(run.note)}")
