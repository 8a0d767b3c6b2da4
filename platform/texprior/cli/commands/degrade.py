"""Implements ``texprior degrade``, and the options that it shares with ``texprior decompose``."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from texprior.cli.pictures import Source, find_sources, full_names_option, process_each, target_path
from texprior.cli.request import Command, discover_plugins, json_option, output_folder, parse_component, plugin_option
from texprior.errors import ConfigError, blaming

if TYPE_CHECKING:
    from texprior.cli.recipes import Recipes
    from texprior.registry import Registry

images_argument = click.argument("images", metavar="IMAGE...", nargs=-1, required=True)
output_option = click.option("-o", "--output", metavar="DIR", required=True, help="Folder for the results, as PNG.")


class Number(click.FloatRange):
    """A number range that excludes 'nan' and 'inf', which click accepts."""

    def convert(self, value: float, param: click.Parameter | None, ctx: click.Context | None) -> float:
        number = float(super().convert(value, param, ctx))
        if not math.isfinite(number):
            self.fail(f"{value} is not a finite number.", param, ctx)
        return number


def with_option(kind: str, **how: Any) -> Command:
    """Returns the option --with, which names a component of a kind."""
    text = f"A {kind}: its name, or YAML with its options, such as '{{name: {{option: value}}}}'."
    return click.option("--with", "named", metavar="NAME", help=how.pop("help", text), **how)


@click.command()
@images_argument
@with_option("degradation")
@output_option
@click.option(
    "--seed", type=int, help="Seed of the random values, which also depend on the file names; 0 if not given."
)
@click.option("--recipe", metavar="FILE", help="Write the random values of each picture to this file, as JSON.")
@click.option(
    "--replay",
    metavar="FILE",
    help="Repeat the degradation and random values in a file of --recipe, instead of --with.",
)
@full_names_option
@plugin_option
@json_option
def degrade(
    images: tuple[str, ...],
    named: str | None,
    output: str,
    seed: int | None,
    recipe: str | None,
    replay: str | None,
    full_names: bool,
    plugins: tuple[str, ...],
    as_json: bool,
) -> None:
    """Degrade pictures and write each as NAME.png.

    What lies below DIR is no input. Results have 8 bits a value; transparency is composed on white, and a grey picture
    stays grey if the degradation leaves it grey. With --recipe, the random values are written too. --replay uses them
    to make the same pictures again.
    """
    from texprior.flow.kinds import DEGRADATION

    registry = discover_plugins(plugins)
    recipes = _recipes(registry, named, seed, replay)
    found = find_sources(images, output, full_names)
    folder = output_folder(output)
    targets = {source: target_path(folder, source.name, found) for source in found}
    degradation = registry.build(DEGRADATION, recipes.degradation)
    # A replayed file may cover other pictures too: the new file holds only those of this command.
    used = replace(recipes, drawn={})

    def work(source: Source) -> dict[str, object]:
        from texprior.flow.contract import require_finite
        from texprior.flow.degrade import draw, rng_of, rounded
        from texprior.flow.degrade import replay as apply
        from texprior.flow.image import is_grey, read_picture, save_image

        picture = read_picture(source.path)
        clean = picture.colour
        height, width = clean.shape[-2:]
        with blaming("degradation", recipes.degradation.name, source.path):
            if replay is None:
                drawn = draw(degradation, rng_of(seed or 0, (source.key,)), (height, width))
            else:
                drawn = recipes.of(source.path, source.key, width, height)
            # rounded before it is measured, since the file has 8 bits
            found = apply(degradation, clean, drawn)
            require_finite(degradation, found, "the degraded picture")
            degraded = rounded(found, 8)
            rmse = float((degraded - clean).square().mean().sqrt())
        save_image(degraded, targets[source], grey=picture.grey and is_grey(degraded))
        used.drawn[source.key, width, height] = drawn
        return {"degraded": str(targets[source]), "rmse": rmse}

    # Written also after an error or Ctrl-C, because the pictures so far exist and need their recipes.
    try:
        process_each(found, work, as_json, degradation=recipes.degradation.model_dump(), seed=seed or 0, recipe=recipe)
    finally:
        if recipe is not None:
            used.write(Path(recipe))


def _recipes(registry: Registry, named: str | None, seed: int | None, replay: str | None) -> Recipes:
    """Returns the degradation of --with, or the recipes of --replay.

    Raises ConfigError if both or neither are given, or if --seed is given together with --replay.
    """
    from texprior.cli.recipes import Recipes, read_recipes

    if (named is None) == (replay is None):
        raise ConfigError("name a degradation with --with, or a file of recipes with --replay, and not both")
    if named is not None:
        return Recipes(parse_component(registry, "degradation", named, "--with"))
    if seed is not None:
        raise ConfigError("--seed: a replay draws no random values; leave out --seed")
    return read_recipes(Path(str(replay)), registry)
