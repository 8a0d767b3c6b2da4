"""Implements ``texprior decompose``.

It splits pictures into layers, finds the strength for a given texture, and compares decompositions.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from texprior.cli.commands.degrade import Number, images_argument, with_option
from texprior.cli.output import emit, name_broken, plain, say, table
from texprior.cli.pictures import AMPLIFIED, Source, find_sources, full_names_option, process_each, target_path
from texprior.cli.request import discover_plugins, json_option, output_folder, parse_component, plugin_option
from texprior.errors import ConfigError, ImageError, blaming

if TYPE_CHECKING:
    from torch import Tensor

    from texprior.decompositions.comparison import Row
    from texprior.decompositions.strength_search import Matched
    from texprior.plugin import Ref
    from texprior.registry import Registry

REFERENCE = "gaussian"
"""The decomposition whose time is the unit of the others' times."""
REPORT = "decompositions.csv"


@click.command()
@images_argument
@with_option(
    "decomposition",
    multiple=True,
    help="A decomposition: its name, or YAML with its options, such as '{guided: {eps: 0.02}}'. Repeatable with "
    "--report.",
)
@click.option("-o", "--output", metavar="DIR", help="Folder for the layers, as PNG, or for the report, as CSV.")
@click.option(
    "--alpha",
    "alphas",
    multiple=True,
    type=Number(0, 2),
    help="Also write structure plus this share of the texture, 0 to 2; repeatable.",
)
@click.option(
    "--amplify",
    type=Number(min=0, min_open=True),
    help=f"Factor of the texture in NAME-texture.png; {AMPLIFIED:g} if not given.",
)
@click.option(
    "--match-std",
    "target_std",
    metavar="STD",
    type=Number(0, 1, min_open=True, max_open=True),
    help="Find the strength at which the texture of all the pictures together has this standard deviation.",
)
@click.option(
    "--report", is_flag=True, help="Compare all decompositions, or each --with, on at least two pictures instead."
)
@full_names_option
@plugin_option
@json_option
def decompose(
    images: tuple[str, ...],
    named: tuple[str, ...],
    output: str | None,
    alphas: tuple[float, ...],
    amplify: float | None,
    target_std: float | None,
    report: bool,
    full_names: bool,
    plugins: tuple[str, ...],
    as_json: bool,
) -> None:
    """Split pictures into structure and texture.

    Writes NAME-structure.png and NAME-texture.png. The texture is amplified around middle grey. What
    lies below DIR is no input.

    With --match-std, the strength that was found is printed, and layers are written only if -o is given. With
    --report, a table is printed instead of layers, and written as a CSV file if -o is given. For each decomposition
    it shows the texture's standard deviation; R², the share of the texture that a linear filter predicts from the
    structure, on pictures that it was not fitted on; and the time per megapixel, also as a multiple of the Gaussian's.
    """
    registry = discover_plugins(plugins)
    refs = [parse_component(registry, "decomposition", text, "--with") for text in named]
    found = find_sources(images, output, full_names)
    if (report or output is None) and (alphas or amplify):
        raise ConfigError("--alpha and --amplify are for layers, which are only written with -o and without --report")

    if report:
        _report(registry, refs, found, target_std, output, as_json)
        return

    if len(refs) != 1:
        raise ConfigError("--with: name exactly one decomposition (only --report accepts several, or none for all)")
    if output is None and target_std is None:
        raise click.UsageError("Missing option '-o' / '--output'.")

    ref, about = refs[0], {}
    if target_std is not None:
        matched, broken = _match(registry, ref, target_std, found)
        ref, about = matched.decomposition, {"matched": matched.record()}
        said = f"{ref.name}: {matched.option} {matched.value:.5g}, texture_std {matched.texture_std:.5g}"
        if output is None:
            if as_json:
                emit({"decomposition": ref.model_dump(), **about, "broken": broken})
            else:
                click.echo(f"{said} on {matched.pictures} pictures")
            name_broken(broken, "read")
            return
        say(f"{said} on {matched.pictures} pictures")
    _write_layers(registry, ref, found, output_folder(str(output)), (alphas, amplify or AMPLIFIED), as_json, about)


def _write_layers(
    registry: Registry,
    ref: Ref,
    found: Sequence[Source],
    folder: Path,
    how: tuple[Sequence[float], float],
    as_json: bool,
    about: dict[str, Any],
) -> None:
    """Writes structure, texture and recomposed pictures of every source, with ``how`` = (alphas, amplification)."""
    from texprior.flow.kinds import DECOMPOSITION

    alphas, amplify = how
    decomposition = registry.build(DECOMPOSITION, ref)

    def work(source: Source) -> dict[str, object]:
        from texprior.flow.decompose import decompose as split
        from texprior.flow.decompose import with_texture
        from texprior.flow.image import is_grey, read_picture, save_image

        read = read_picture(source.path)
        image = read.colour[None]
        with blaming("decomposition", ref.name, source.path):
            layers = split(image, decomposition)
        # A texture has mean 0 and both signs: middle grey, 0.5, is its zero in a picture.
        made = {
            "structure": layers.structure[0],
            "texture": 0.5 + amplify * layers.texture[0],
            **{f"alpha-{alpha:g}": with_texture(layers, alpha)[0] for alpha in alphas},
        }
        paths = {part: target_path(folder, f"{source.name}-{part}", found) for part in made}
        # All targets are checked before the first is written, so that no picture is left with half of its results.
        for part, picture in made.items():
            save_image(picture, paths[part], grey=read.grey and is_grey(picture))
        return {
            "structure": str(paths["structure"]),
            "texture": str(paths["texture"]),
            "amplified": amplify,
            "texture_std": float(layers.texture.std(correction=0)),
            "recomposed": [str(paths[f"alpha-{alpha:g}"]) for alpha in alphas],
        }

    process_each(found, work, as_json, decomposition=ref.model_dump(), **about)


def _match(registry: Registry, ref: Ref, target_std: float, found: Sequence[Source]) -> tuple[Matched, dict[str, str]]:
    """Returns the decomposition at the strength that was found.

    Also returns the pictures that could not be read.
    """
    from texprior.decompositions.strength_search import match_strength
    from texprior.flow.image import load_image
    from texprior.runtime.progress import Reporter

    pictures: list[Tensor] = []
    broken: dict[str, str] = {}
    for source in found:
        try:
            pictures.append(load_image(source.path))
        except ImageError as error:
            broken[str(source.path)] = str(error)

    if not pictures:
        raise ImageError("; ".join(broken.values()))
    tell = click.get_current_context().with_resource(Reporter()).say
    with blaming("decomposition", ref.name, f"{len(pictures)} pictures"):
        matched = match_strength(
            registry, ref, target_std, pictures, lambda _n, value, std: tell(f"{ref.name}: {value:.5g} gives {std:.5g}")
        )
    return matched, broken


def _report(
    registry: Registry,
    refs: Sequence[Ref],
    found: Sequence[Source],
    target_std: float | None,
    output: str | None,
    as_json: bool,
) -> None:
    from texprior.decompositions.comparison import compare_decompositions
    from texprior.runtime.progress import Reporter
    from texprior.store import write_atomically

    """Compares decompositions, and prints and writes the table."""
    chosen = list(refs) or _all(registry, matchable=target_std is not None)
    folder = output_folder(output) if output else None
    if target_std is not None:
        chosen = [_match(registry, ref, target_std, found)[0].decomposition for ref in chosen]
    reporter = click.get_current_context().with_resource(Reporter())
    reference = parse_component(registry, "decomposition", REFERENCE, "the reference of times")
    rows, broken = compare_decompositions(
        registry, chosen, [s.path for s in found], reference, lambda done, total: reporter("report", done, total, {})
    )

    if folder:
        write_atomically(folder / REPORT, _csv(rows))
    if as_json:
        emit({"decompositions": rows, "reference": REFERENCE, "broken": broken})
    else:
        _show(rows)
    name_broken(broken, "used")


def _all(registry: Registry, matchable: bool) -> list[Ref]:
    """Returns every installed decomposition, or every one that has a strength."""
    # A name that two plugins share is ambiguous, so it is qualified by its distribution.
    entries = registry.entries("decomposition")
    names = [e.qualified if _twice(e.component.name, registry) else e.component.name for e in entries]
    return [
        parse_component(registry, "decomposition", name, "--with")
        for name, entry in zip(names, entries, strict=True)
        if not matchable or getattr(entry.component, "strength", None)
    ]


def _twice(name: str, registry: Registry) -> bool:
    return sum(e.component.name == name for e in registry.entries("decomposition")) > 1


def _csv(rows: Sequence[Row]) -> bytes:
    from texprior.decompositions.comparison import Row
    from texprior.runtime.text_tables import csv_text

    names = [field.name for field in fields(Row)]
    values = ({**plain(row), "options": json.dumps(row.options)} for row in rows)
    return csv_text([names, *([row[name] for name in names] for row in values)])


def _show(rows: Sequence[Row]) -> None:
    columns = ["decomposition", "texture std", "R² from structure", "s per megapixel", f"times {REFERENCE}"]
    cells = [
        [
            row.decomposition,
            f"{row.texture_std:.4f}",
            f"{row.r2:.3f}",
            f"{row.seconds_per_megapixel:.3f}",
            f"{row.times_reference:.1f}",
        ]
        for row in rows
    ]
    table(columns, cells)
