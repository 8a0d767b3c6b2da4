"""Implements ``texprior runs unsent`` and ``resend``, for the events that a tracker could not record."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from texprior.addresses import redact
from texprior.cli.output import emit, say, table
from texprior.cli.request import json_option

if TYPE_CHECKING:
    from texprior.track.resend import UnsentFolder


@click.command()
@json_option
def unsent(as_json: bool) -> None:
    """List the folders of unsent events below the runs."""
    broken: list[str] = []
    rows = [(kept, _runs_of(kept)) for kept in _kept((), broken)]
    for problem in broken:
        say(problem)
    if as_json:
        emit([{"folder": k.folder, "component": k.component, "events": len(k.lines), "runs": r} for k, r in rows])
        return
    if not rows:
        say("nothing is unsent" if not broken else "nothing else is unsent")
        return
    shown = [[str(k.folder), ", ".join(k.component), str(len(k.lines)), ", ".join(r)] for k, r in rows]
    table(["folder", "tracker", "events", "runs"], shown, wrap=["runs"])


@click.command()
@click.argument("folders", metavar="[FOLDER]...", nargs=-1)
@json_option
def resend(folders: tuple[str, ...], as_json: bool) -> None:
    """Send unsent events to their tracker.

    Sends the events of each FOLDER, or of every folder below the runs. A folder is removed when all of its events are
    recorded. If sending fails, run the command again.
    """
    from texprior.errors import TexpriorError
    from texprior.plugin import Ref
    from texprior.registry import Registry
    from texprior.track import EVENTS
    from texprior.track.resend import resend_events as send

    sent: list[dict[str, Any]] = []
    failed: list[str] = []
    for kept in _kept(folders, failed):
        try:
            registry = Registry.discover(kept.plugins)
            observer = registry.build(EVENTS, Ref.model_validate(kept.component))
        # The other folders may go to another tracker, so one problem does not stop them.
        except TexpriorError as error:
            failed.append(_named(kept, error))
            continue
        try:
            sent.append({"folder": kept.folder, "events": send(kept, observer), "runs": _runs_of(kept)})
        except TexpriorError as error:
            failed.append(_named(kept, error))
        # A tracker is a plugin and may raise anything. The folder keeps what is not recorded.
        except Exception as error:
            failed.append(redact(f"{kept.folder}: {', '.join(kept.component)} failed again: {error}"))

    if as_json:
        emit({"sent": sent, "failed": failed})
    else:
        for done in sent:
            click.echo(f"{done['events']} events recorded: {', '.join(done['runs'])}")
    if failed:
        raise TexpriorError("\n".join(failed))
    if not sent:
        say("nothing is unsent")


def _named(kept: UnsentFolder, error: Exception) -> str:
    """Returns an error's sentence with the folder that it is about."""
    return str(error) if str(kept.folder) in str(error) else f"{kept.folder}: {error}"


def _kept(given: tuple[str, ...], broken: list[str]) -> list[UnsentFolder]:
    """Reads the given folders, or all below the runs.

    If a given folder cannot be read, this raises ConfigError. If one below the runs cannot, ``broken`` gets the reason.
    """
    from texprior.errors import ConfigError
    from texprior.store import runs_root
    from texprior.track.resend import read_unsent, unsent_folders

    if given:
        return [read_unsent(Path(name)) for name in given]
    kept = []
    for path in unsent_folders(runs_root()):
        try:
            kept.append(read_unsent(path))
        except ConfigError as error:
            broken.append(str(error))
    return kept


def _runs_of(kept: UnsentFolder) -> list[str]:
    return [line["run"]["name"] for line in kept.lines if line["event"] == "run_started"]
