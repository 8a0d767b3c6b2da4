"""Checks the rules of commands, in a fresh process: as a user starts them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from texprior.testing.catalogue import check
from texprior.testing.kinds.declared import HEAVY
from texprior.testing.outcomes import require
from texprior.testing.subject import Subject

PARTS = ("any.defaults", "command.click")
"""Checks after which a command can be asked for its help."""
# click is asked as ``texprior`` asks it; ``texprior.cli`` names texprior's own commands, and loads no plugin for that
ASK = f"""
import importlib, json, sys
module, _, attribute = sys.argv[1].partition(":")
said = {{"fault": "", "code": None, "help": ""}}
try:
    command = getattr(importlib.import_module(module), attribute)
except BaseException as error:
    said["fault"] = f"{{type(error).__name__}}: {{error}}"
else:
    import click
    said["type"] = type(command).__name__
    said["heavy"] = [name for name in {HEAVY!r} if name in sys.modules]
    if isinstance(command, click.Command):
        said["help"] = command.help or ""
        try:
            said["code"] = command.main(["--help"], prog_name="texprior NAME", standalone_mode=False) or 0
        except BaseException as error:
            said["code"] = f"{{type(error).__name__}}: {{error}}"
    from texprior.cli import COMMANDS
    said["own"] = list(COMMANDS)
print(json.dumps(said), file=sys.stderr)
"""


def _said(subject: Subject) -> dict[str, Any]:
    """Returns what a fresh process says of the command, asked once per subject."""
    if "said" not in subject.memory:
        file = subject.entry.plugin.file
        path = [str(Path(file).parent)] if file else []
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [*path, *sys.path]))}
        asked = [sys.executable, "-c", ASK, subject.record.impl]
        done = subprocess.run(asked, env=environment, capture_output=True, text=True, check=False)
        lines = done.stderr.strip().splitlines() or ["nothing"]
        require(done.returncode == 0 and lines[-1].startswith("{"), f"its process ends with: {lines[-1]}")
        subject.memory["said"] = json.loads(lines[-1])
    said: dict[str, Any] = subject.memory["said"]
    return said


@check("command.click", "command", after=("any.defaults",))
def is_click(subject: Subject) -> None:
    """A fresh process can import the implementation, and it is a ``click.Command``.

    Fix: let ``impl`` name a function with ``@click.command()`` above it, or a ``click.Group`` of several commands.
    """
    said = _said(subject)
    require(not said["fault"], f"importing {subject.record.impl} fails: {said['fault']}")
    require(said["code"] is not None, f"{subject.record.impl} is a {said['type']}, not a click.Command")


@check("command.help", "command", after=PARTS)
def has_help(subject: Subject) -> None:
    """The command has a help text, and ``--help`` ends with exit code 0.

    Fix: write a docstring below the function, or pass ``help=``; keep the option ``--help``.
    """
    said = _said(subject)
    require(said["help"].strip(), "it has no help text")
    require(said["code"] == 0, f"--help ends with {said['code']}")


@check("command.light", "command", after=PARTS)
def is_light(subject: Subject) -> None:
    """The import of the implementation loads no torch, mlflow, optuna or albumentations, so that ``--help`` is fast.

    Fix: import what is slow inside the function.
    """
    heavy = _said(subject)["heavy"]
    require(not heavy, f"importing {subject.record.impl} loads {', '.join(heavy)}")


@check("command.name", "command", after=PARTS)
def has_own_name(subject: Subject) -> None:
    """The command is not called as one of texprior's own, which would be run instead.

    Fix: choose another name; with this one a user must type ``DISTRIBUTION/NAME``.
    """
    require(subject.record.name not in _said(subject)["own"], f"texprior has a command '{subject.record.name}'")
