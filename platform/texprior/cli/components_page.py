"""Prints docs/reference/components.md from the records of texprior: ``python -m texprior.cli.components_page``."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from texprior.cli.component_help import TYPED, Option, declared, declared_text, option_rows, yaml_text
from texprior.cli.component_pictures import picture_name
from texprior.cli.pictures import AMPLIFIED
from texprior.config.schema import Experiment
from texprior.plugin import KINDS, Component
from texprior.plugin.references import refs_of
from texprior.registry import Registry
from texprior.runtime.identity import OWN

_HEAD = """\
# All components and their options

Made from the components by `make reference`; do not edit this page. It lists those that come with texprior;
`texprior plugins list` also lists those of other plugins, and `texprior plugins show KIND/NAME` prints one of them
with its citation. `search space` is what a sweep tries if it searches the component. [All settings](settings.md)
has the settings that name these components.

Degradations are shown on this photograph (NASA, public domain, from scikit-image), with their default options.
Decompositions are shown by their structure and, on its right, their texture, amplified {factor} times around grey.

![the photograph](../images/components/photograph.jpg)
"""


def components_page(registry: Registry) -> str:
    """Returns the page in Markdown: for each component what it declares, and a table of its options."""
    head = _HEAD.format(factor=f"{AMPLIFIED:g}")
    return "\n".join([head, *(line for kind in KINDS for line in _kind(registry, kind))])


def _kind(registry: Registry, kind: str) -> Iterator[str]:
    paths = [re.sub(r"\.\d+$", "", path) for path, of, _ in refs_of(Experiment(name="x")) if of == kind]
    settings = ", ".join(f"`{path}`" for path in dict.fromkeys(paths))
    named = f"`{TYPED[kind].format(named='NAME')}`" if kind in TYPED else settings
    yield f"## {kind}\n\nNamed by {named}. [Contract](../kinds/{kind}.md).\n"
    for entry in sorted(registry.entries(kind), key=lambda entry: entry.component.name):
        if entry.plugin.distribution == OWN:
            yield _component(entry.component)


def _component(component: Component) -> str:
    facts = "; ".join(declared_text(declared(component)))
    options = option_rows(component.options)
    lines = [f"### {component.kind} {component.name}", "", component.summary, ""]
    lines += [f"Declares {facts}.", ""] * bool(facts)
    if name := picture_name(component):
        lines += [f"![{component.kind} {component.name}](../images/components/{name})", ""]
    return "\n".join([*lines, *(_table(options) if options else ["No options."]), ""])


def _table(options: Sequence[Option]) -> list[str]:
    head = ["| option | type, range | default | search space | meaning |", "|---|---|---|---|---|"]
    return [*head, *map(_row, options)]


def _row(option: Option) -> str:
    kind = ", ".join(filter(None, [option.type, option.range]))
    default = "required" if option.required else f"`{yaml_text(option.default)}`"
    cells = [f"`{option.name}`", kind, default, option.search, option.description]
    return f"| {' | '.join(' '.join(cell.split()).replace('|', chr(92) + '|') for cell in cells)} |"


if __name__ == "__main__":
    print(components_page(Registry.discover()), end="")  # noqa: T201 (printing is the purpose)
