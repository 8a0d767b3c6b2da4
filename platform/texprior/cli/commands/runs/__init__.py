"""Implements ``texprior runs``, which works with recorded runs, and sends what a tracker could not record.

- ``listing``: ``list``; ``filters``: its filters, in MLflow's language
- ``showing``: ``show``; ``comparing``: ``compare`` and ``diff``; ``exporting``: ``export``
- ``changing``: ``tag``, ``note`` and ``delete``; ``cleaning``: ``clean``
- ``sending``: ``unsent`` and ``resend``
- ``store``: opens an MLflow store and reads its runs page by page; ``recorded``: one run as it is recorded
- ``finding``: finds the run that a word means; ``sides``: a run or a folder as something to compare
- ``settings``: the settings of a run, and which differ; ``sheet``: crops of two restorations where they differ most
- ``result_tables``: evaluations, trials and arms as tables; ``table_forms``: a table as CSV, Markdown or LaTeX
"""

from __future__ import annotations

import importlib

import click

_COMMANDS = {
    "list": "listing:list_runs",
    "show": "showing:show",
    "compare": "comparing:compare",
    "diff": "comparing:diff",
    "export": "exporting:export",
    "tag": "changing:tag",
    "note": "changing:note",
    "delete": "changing:delete",
    "clean": "cleaning:clean",
    "unsent": "sending:unsent",
    "resend": "sending:resend",
}
"""Command -> module and function of this package, in the order of the help."""


class _Family(click.Group):
    """A click group that imports a command's module only when it is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module, _, name = _COMMANDS[cmd_name].partition(":")
        command: click.Command = getattr(importlib.import_module(f"{__name__}.{module}"), name)
        return command


@click.group(cls=_Family)
def runs() -> None:
    """List, show, compare, export, tag and delete recorded runs; clean up; send what a tracker could not record.

    RUN is the beginning of MLflow's id of a run, the name of its folder, or its name. The store is the one in use, or
    that of --store. Docs: docs/tracking.md.
    """
