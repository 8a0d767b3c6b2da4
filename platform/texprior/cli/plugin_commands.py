"""Finds the commands that plugins bring. Imports their implementation only to run one.

texprior's own distribution brings none, so it is not loaded for them.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import entry_points
from typing import TYPE_CHECKING

import click

from texprior.errors import PluginError, suggest_name
from texprior.plugin import GROUP

if TYPE_CHECKING:
    from texprior.registry import Entry, Plugin

OWN = "texprior"


def are_other_plugins() -> bool:
    """Whether any distribution but texprior's own has plugins; a quick look, which loads nothing."""
    try:
        return any(point.dist is None or point.dist.name != OWN for point in entry_points(group=GROUP))
    # the metadata of a damaged installation can raise anything; loading tells which it is
    except Exception:
        return True


@dataclass(frozen=True)
class PluginCommands:
    """The commands of the installed plugins. A name in ``own`` stays that of texprior's command."""

    own: Collection[str]

    @cached_property
    def plugins(self) -> list[Plugin]:
        """The plugins of other distributions; a damaged or failed one is among them, without components."""
        if not are_other_plugins():
            return []
        from texprior.registry.discovery import installed_plugins

        return installed_plugins(os.environ.get("TEXPRIOR_DISABLE", "").split(","), besides=[OWN])

    @cached_property
    def entries(self) -> dict[str, Entry]:
        """The name to type -> the command: ``NAME``, or ``DISTRIBUTION/NAME`` if several commands have the name."""
        if not self.plugins:
            return {}
        from texprior.registry import Registry

        found = Registry(self.plugins).entries("command")
        count = Counter([*self.own, *(entry.component.name for entry in found)])
        return {e.component.name if count[e.component.name] == 1 else e.qualified: e for e in found}

    def summaries(self) -> list[tuple[str, str]]:
        """Returns the names to type, each with its summary."""
        return [(name, entry.component.summary) for name, entry in self.entries.items()]

    def not_loaded(self) -> list[str]:
        """Returns a line for each plugin that should have been loaded and was not."""
        bad = [plugin for plugin in self.plugins if plugin.status in ("failed", "incompatible")]
        return [f"plugin {plugin.distribution} is {plugin.status}: {plugin.reason}" for plugin in bad]

    def find(self, name: str) -> click.Command | None:
        """Imports and returns a command by its name or qualified name; None if there is none.

        Raises PluginError if several plugins have the name, or if its implementation is no command.
        """
        found = self.entries.get(name)
        found = found or next((entry for entry in self.entries.values() if entry.qualified == name), None)
        if found is None:
            several = [entry.qualified for entry in self.entries.values() if entry.component.name == name]
            if several:
                raise PluginError(f"several plugins have a command '{name}'; type one of: {', '.join(several)}")
            return None
        return load_command(found)

    def hint(self, name: str) -> str:
        """Returns what to say of a name that no command has: the closest one, and plugins that did not load."""
        close = suggest_name(name, [*self.own, *self.entries])
        lines = [close if close.startswith("did you mean") else "", *self.not_loaded()]
        return "".join(f"\n{line}" for line in lines if line)


def load_command(entry: Entry) -> click.Command:
    """Imports the implementation of a command. Raises PluginError if it cannot be imported, or is no command."""
    from texprior.registry import load_implementation

    command = load_implementation(entry)
    if not isinstance(command, click.Command):
        raise PluginError(
            f"command '{entry.qualified}': {entry.component.impl} is a {type(command).__name__}, but must be a "
            "click.Command, such as a function with @click.command() above it"
        )
    return command
