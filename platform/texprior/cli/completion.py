"""Completes words in a shell: commands and options as click does, files, and names that texprior knows.

``_TEXPRIOR_COMPLETE=bash_source texprior`` prints what a shell has to read; zsh and fish likewise.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable

import click
from click.shell_completion import (
    BashComplete,
    CompletionItem,
    FishComplete,
    ShellComplete,
    ZshComplete,
    add_completion_class,
    shell_complete,
)

VARIABLE = "_TEXPRIOR_COMPLETE"
"""The environment variable by which a shell asks; its value is such as ``bash_complete``."""


class _OrFiles(ShellComplete):
    """Completes files where nothing else is known, as a shell does without any completion."""

    def get_completions(self, args: list[str], incomplete: str) -> list[CompletionItem]:
        return super().get_completions(args, incomplete) or [CompletionItem(incomplete, type="file")]


class _Bash(_OrFiles, BashComplete):
    pass


class _Zsh(_OrFiles, ZshComplete):
    pass


class _Fish(_OrFiles, FishComplete):
    pass


def complete(command: click.Command) -> int:
    """Answers a shell that asks for the completion of a word; returns the exit code.

    What fails completes nothing: a message would stand in the middle of the line that the user types.
    """
    for one in (_Bash, _Zsh, _Fish):
        add_completion_class(one, one.name)
    with contextlib.suppress(Exception):
        return shell_complete(command, {}, "texprior", VARIABLE, os.environ[VARIABLE])
    return 1


def components(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Returns the components whose ``KIND/NAME`` begins so."""
    from texprior.plugin import KINDS
    from texprior.registry import Registry

    registry = Registry.discover()
    return _beginning(incomplete, (f"{kind}/{e.component.name}" for kind in KINDS for e in registry.entries(kind)))


def tasks(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Returns the tasks of the shipped models that begin so."""
    from texprior.store import shipped_models

    return _beginning(incomplete, shipped_models())


def settings(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Returns the settings of an experiment whose path begins so, with the sign =."""
    from texprior.config.schema import Experiment
    from texprior.runtime.run_record import flatten_paths

    paths = flatten_paths(Experiment(name="x").model_dump(mode="json"), lists=False)
    return _beginning(incomplete, (f"{path}=" for path in paths))


def _beginning(incomplete: str, names: Iterable[str]) -> list[CompletionItem]:
    return [CompletionItem(name) for name in sorted(set(names)) if name.startswith(incomplete)]
