"""Implements ``texprior runs clean``, which removes what finished trainings left behind."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from texprior.cli.commands.runs.store import Store, open_store, other_store, store_option
from texprior.cli.output import emit, say, table
from texprior.cli.request import json_option
from texprior.errors import ConfigError, printable
from texprior.store import runs_root

if TYPE_CHECKING:
    from texprior.training.leftovers import KnownRuns, Leftover

_DAY_S = 86400.0
_TRAININGS = ("prior", "predictor", "adapter")
"""The kinds of runs whose id is the name of a folder."""


@click.command()
@click.option(
    "--older-than",
    type=click.FloatRange(min=0),
    default=1.0,
    show_default=True,
    metavar="DAYS",
    help="Only what has not changed for so many days.",
)
@click.option("--yes/--dry-run", "yes", default=False, help="Remove, or only say what would be removed (the default).")
@store_option
@json_option
def clean(older_than: float, yes: bool, store: str | None, as_json: bool) -> None:
    """Remove checkpoints of finished trainings, and folders whose run was deleted, from the folder of the runs.

    It says what, how much, and why each is safe. A folder goes only if its run was deleted ('runs delete') and no
    stored model, study, file or other run refers to it. Nothing goes of a training that runs now. The --json has
    removable and kept (lists of path, bytes, why), bytes (of removable), removed (paths) and failed (path: reason).
    """
    from texprior.training.leftovers import find_leftovers, remove_leftover

    root = runs_root()
    found = find_leftovers(root, _known(store), older_than * _DAY_S)
    failed: dict[str, str] = {}
    for one in found.removable if yes else ():
        if reason := remove_leftover(root, one):
            failed[str(one.path)] = reason
    able = [one for one in found.removable if str(one.path) not in failed]
    if as_json:
        removed, total = [one.path for one in able if yes], sum(one.bytes for one in able)
        emit({"removable": able, "kept": found.kept, "bytes": total, "removed": removed, "failed": failed})
    else:
        _show(able, found.kept, yes)
    for path, reason in failed.items():
        say(printable(f"{path} stays: {reason}"))
    if failed:
        click.get_current_context().exit(1)


def _show(removable: Sequence[Leftover], kept: Sequence[Leftover], yes: bool) -> None:
    root, total = runs_root(), sum(one.bytes for one in removable)

    def rows(found: Sequence[Leftover]) -> list[list[str]]:
        return [[f"{one.bytes / 1e6:.1f}", printable(str(one.path.relative_to(root))), one.why] for one in found]

    if removable:
        table(["MB", "removed" if yes else "would be removed", "why it is safe"], rows(removable), wrap=_WRAPPED)
    if kept:
        table(["MB", "stays", "why"], rows(kept), wrap=_WRAPPED)
    if any(one.path.name == "checkpoint.safetensors" for one in removable):
        say("without its checkpoint, a training with a larger budget, or of another experiment, starts anew")
    does = "were removed" if yes else "would be removed; --yes removes them"
    click.echo(
        f"{total / 1e6:.1f} MB in {len(removable)} places of {root} {does}" if removable else "nothing to remove"
    )


_WRAPPED = ("would be removed", "removed", "why it is safe", "stays", "why")


def _known(address: str | None) -> KnownRuns:
    """Returns what the store in use says of trainings, and the embedded one too if it is another.

    Without a store nothing is known to be deleted, so no folder goes.
    """
    from texprior.training.leftovers import KnownRuns

    try:
        opened = [open_store(address)]
    except ConfigError as error:
        if address is not None:
            raise
        say(f"no folder is removed, because no store of runs can be read: {error}")
        return KnownRuns()
    if other := other_store(opened[0].address):
        opened.append(open_store(other))
    return _known_of(opened)


def _known_of(stores: Sequence[Store]) -> KnownRuns:
    from texprior.training.leftovers import KnownRuns, named_folders

    there, named, starts = set[tuple[str, str]](), set[str](), set[str]()
    for run in (run for store in stores for run in store.search()):
        there.add((run.experiment, run.folder_name))
        for key, value in {**run.params, **run.tags}.items():
            named |= named_folders(value)
            starts |= named_folders(value) if key.endswith("start_from") else set()
    gone = (run for store in stores for run in store.search(deleted=True) if run.kind in _TRAININGS)
    return KnownRuns({(run.experiment, run.folder_name) for run in gone} - there, named, starts)
