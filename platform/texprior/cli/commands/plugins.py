"""Implements ``texprior plugins``, which lists and describes components and creates packages for new ones."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from texprior.cli.commands.plugins_check import check
from texprior.cli.completion import components
from texprior.cli.component_warnings import warnings_of
from texprior.cli.output import emit, is_narrow, say, table
from texprior.cli.request import discover_plugins, json_option, plugin_option
from texprior.errors import PluginError, suggest_name
from texprior.plugin import KINDS

if TYPE_CHECKING:
    from texprior.registry import Entry, Registry


@click.group()
def plugins() -> None:
    """List components, show their options, check them, and create a package of your own."""


plugins.add_command(check)


@plugins.command("list")
@click.option("--kind", type=click.Choice(KINDS), help="List components of this kind only.")
@click.option("--tag", "tags", multiple=True, metavar="WORD", help="List components with this tag only; repeatable.")
@plugin_option
@json_option
def list_(kind: str | None, tags: tuple[str, ...], plugins: tuple[str, ...], as_json: bool) -> None:
    """List every component, and the plugins that did not load."""
    registry = discover_plugins(plugins)
    entries = _tagged(registry.entries(kind), tags)
    bad = [plugin for plugin in registry.plugins if plugin.status != "loaded"]

    # A plugin that did not load has no components, but it must be visible: it gets a row with the reason.
    if as_json:
        # the schema of an experiment is read for it, which takes longer than the rest
        from texprior.cli.component_help import component_json as described

        nothing: dict[str, Any] = {"kind": None, "name": None, "qualified": None, "summary": "", "options": []}
        missing = [
            {
                **nothing,
                "distribution": plugin.distribution,
                "version": plugin.version,
                "status": plugin.status,
                "reason": plugin.reason,
                "tags": [],
                "warnings": [],
                "citation": "",
            }
            for plugin in bad
        ]
        emit([*(described(entry) for entry in entries), *missing])
        return

    rows = [
        [e.component.kind, e.component.name, e.plugin.distribution, e.plugin.version, e.component.summary]
        for e in entries
    ]
    rows += [["-", "-", p.distribution, p.version, f"{p.status}: {p.reason}"] for p in bad]
    if is_narrow():
        several = len({row[2] for row in rows}) > 1
        table(["component", "summary"], [_short(row, several) for row in rows], wrap=["summary"])
    else:
        table(["kind", "name", "distribution", "version", "summary"], rows, wrap=["summary"])
    for note in (f"plugin {p.distribution} {note}" for p in registry.plugins for note in p.notes):
        say(f"warning: {note}")
    for sentence in warnings_of(entries):
        say(f"warning: {sentence}")


def _short(row: Sequence[str], several: bool) -> list[str]:
    """Returns a row of two cells; it names the plugin if there are ``several``, or if it did not load."""
    kind, name, distribution, version, summary = row
    loaded = name != "-"
    about = f"{summary} ({distribution} {version})" if several else summary
    return [f"{kind}/{name}", about] if loaded else [f"{distribution} {version}", summary]


def _tagged(entries: list[Entry], tags: tuple[str, ...]) -> list[Entry]:
    """Returns the components that have all tags. Raises PluginError for a tag that no component has."""
    known = sorted({tag for entry in entries for tag in entry.component.tags})
    for tag in tags:
        if tag not in known:
            raise PluginError(f"no component has the tag '{tag}'; {suggest_name(tag, known)}")
    return [entry for entry in entries if set(tags) <= set(entry.component.tags)]


@plugins.command()
@click.argument("component", metavar="KIND/NAME", shell_complete=components)
@click.option("--bibtex", is_flag=True, help="Print only the citation.")
@plugin_option
@json_option
def show(component: str, bibtex: bool, plugins: tuple[str, ...], as_json: bool) -> None:
    """Show a component: what it declares, its options, search space, citation, and YAML in an experiment.

    NAME may include the distribution: degradation/acme-rain/rain. NAME alone is enough if one component has it.
    """
    from texprior.cli.component_help import component_json as described
    from texprior.cli.component_help import metric_key, option_rows, use_of

    registry = discover_plugins(plugins)
    entry = _named(registry, component)
    record, kind = entry.component, entry.component.kind
    if as_json:
        key = {"key": metric_key(registry, entry)[0] or None} if kind == "metric" else {}
        emit({**described(entry), **key, "snippet": use_of(entry)[1]})
        return
    if bibtex:
        if not record.citation:
            raise PluginError(f"{kind} '{entry.qualified}' has no citation")
        click.echo(record.citation)
        return

    click.echo(f"{record.kind} {entry.qualified} {entry.plugin.version}\n{record.summary}")
    click.echo("\n".join(_declarations(registry, entry)))
    for sentence in warnings_of([entry]):
        say(f"warning: {sentence}")
    rows = [
        [o.name, o.type, o.range, "required" if o.required else str(_default(o.default)), o.search, o.description]
        for o in option_rows(record.options)
    ]
    if rows:
        table(
            ["option", "type", "range", "default", "search space", "description"], rows, wrap=["description", "range"]
        )
    else:
        click.echo("\nIt has no options.\n")
    where, snippet = use_of(entry)
    click.echo(f"{where}:\n\n{snippet}")
    if record.citation:
        click.echo(record.citation)


def _declarations(registry: Registry, entry: Entry) -> Iterator[str]:
    """Yields a line for each field that a record declares, for the key of a metric, and for the tags."""
    from texprior.cli.component_help import declared, declared_text, metric_key

    if entry.component.kind == "metric":
        key, reason = metric_key(registry, entry)
        yield f"key: {key or f'not known here: {reason}'}"
    yield from declared_text({**declared(entry.component), "tags": entry.component.tags})


def _named(registry: Registry, text: str) -> Entry:
    """Returns the component that KIND/NAME means, or NAME if only one component has it. Raises PluginError."""
    kind, slash, name = text.partition("/")
    if slash and kind in KINDS:
        return registry.find(kind, name)
    entries = registry.entries()
    found = [entry for entry in entries if text in (entry.component.name, entry.qualified)]
    if len(found) == 1:
        return found[0]
    if found:
        several = ", ".join(f"{entry.component.kind}/{entry.component.name}" for entry in found)
        raise PluginError(f"several components are called '{text}'; name one of {several}")
    hint = suggest_name(text, [entry.component.name for entry in entries]).partition("known are")[0]
    raise PluginError(
        f"'{text}' is neither KIND/NAME, such as adapter/cga, nor a component's name; "
        f"{hint or 'the kinds are: ' + ', '.join(KINDS)}"
    )


@plugins.command()
@click.argument("kind")
@click.argument("name")
@click.option("-o", "--output", required=True, metavar="DIR", help="Folder of the new package.")
@json_option
def new(kind: str, name: str, output: str, as_json: bool) -> None:
    """Create a package with one component of KIND, called NAME.

    It contains a small component that works, its options with their search space, the entry point by which texprior
    finds it, and tests that run the conformance kit and pass.
    """
    from texprior.scaffold.new_plugin import new_plugin

    made = new_plugin(kind, name, Path(output))
    # Two installed components of one kind and name are ambiguous, which the author should know now.
    others = [e for e in discover_plugins(()).entries(kind) if e.component.name == name]
    if others and others[0].plugin.distribution != made.distribution:
        say(
            f"note: {others[0].plugin.distribution} also has {kind}/{name}; if both are installed, write "
            f"{made.distribution}/{name} in experiments"
        )
    if as_json:
        emit(made)
        return
    click.echo("\n".join(str(made.folder / file) for file in made.files))
    folder = shlex.quote(str(made.folder))
    say(f"next: pip install -e {folder}'[tests]', then pytest {folder}, and texprior plugins show {kind}/{name}")


def _default(value: object) -> object:
    return "null" if value is None else value
