"""``texprior decompose`` and ``texprior degrade``: what a component does to a picture."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from texprior.cli.common import Command, component, discover, json_option, output_folder, plugin_option
from texprior.cli.pictures import Source, for_each, sources, target
from texprior.errors import ConfigError, blaming

if TYPE_CHECKING:
    from texprior.cli.recipes import Recipes
    from texprior.registry import Registry

AMPLIFIED = 4.0

images_argument = click.argument("images", metavar="IMAGE...", nargs=-1, required=True)
output_option = click.option("-o", "--output", metavar="DIR", required=True, help="Where the results go, as PNG.")


class _Number(click.FloatRange):
    """A range that 'nan' and 'inf' are outside of."""

    def convert(self, value: float, param: click.Parameter | None, ctx: click.Context | None) -> float:
        number = float(super().convert(value, param, ctx))
        if not math.isfinite(number):
            self.fail(f"{value} is no finite number.", param, ctx)
        return number


def _with(kind: str, required: bool = True) -> Command:
    text = f"A {kind}: its name, or YAML with its options, such as '{{name: {{option: value}}}}'."
    return click.option("--with", "named", metavar="NAME", required=required, help=text)


@click.command()
@images_argument
@_with("decomposition")
@output_option
@click.option("--alpha", "alphas", multiple=True, type=_Number(0, 2), help="Recompose with so much of the texture.")
@click.option(
    "--amplify",
    default=AMPLIFIED,
    show_default=True,
    type=_Number(min=0, min_open=True),
    help="Of the texture.",
)
@plugin_option
@json_option
def decompose(
    images: tuple[str, ...],
    named: str,
    output: str,
    alphas: tuple[float, ...],
    amplify: float,
    plugins: tuple[str, ...],
    as_json: bool,
) -> None:
    """Split pictures into structure and texture.

    Writes NAME-structure.png and NAME-texture.png, the latter amplified around middle grey.
    """
    registry = discover(plugins)
    ref = component(registry, "decomposition", named, "--with")
    found = sources(images)
    folder = output_folder(output)
    decomposition = registry.build("decomposition", ref)

    def work(source: Source) -> dict[str, object]:
        from texprior.flow.decompose import decompose as split
        from texprior.flow.decompose import with_texture
        from texprior.flow.image import load_image, save_image

        image = load_image(source.path)[None]
        with blaming("decomposition", ref.name, source.path):
            layers = split(image, decomposition)
        made = {
            "structure": layers.structure[0],
            "texture": 0.5 + amplify * layers.texture[0],
            **{f"alpha-{alpha:g}": with_texture(layers, alpha)[0] for alpha in alphas},
        }
        paths = {part: target(folder, f"{source.name}-{part}", found) for part in made}
        for part, picture in made.items():
            save_image(picture, paths[part])
        return {
            "structure": str(paths["structure"]),
            "texture": str(paths["texture"]),
            "amplified": amplify,
            "texture_std": float(layers.texture.std(correction=0)),
            "recomposed": [str(paths[f"alpha-{alpha:g}"]) for alpha in alphas],
        }

    for_each(found, work, as_json, decomposition=ref.model_dump())


@click.command()
@images_argument
@_with("degradation", required=False)
@output_option
@click.option("--seed", type=int, help="Of what is random, with each picture's file name; 0 if not given.")
@click.option("--recipe", metavar="FILE", help="Write what was drawn for each picture, as JSON.")
@click.option("--replay", metavar="FILE", help="Degrade as a recipe says, instead of --with.")
@plugin_option
@json_option
def degrade(
    images: tuple[str, ...],
    named: str | None,
    output: str,
    seed: int | None,
    recipe: str | None,
    replay: str | None,
    plugins: tuple[str, ...],
    as_json: bool,
) -> None:
    """Write degraded pictures, NAME.png.

    With --recipe also the random values that made them, with which --replay makes the same pictures again.
    """
    registry = discover(plugins)
    recipes = _recipes(registry, named, seed, replay)
    found = sources(images)
    folder = output_folder(output)
    targets = {source: target(folder, source.name, found) for source in found}
    degradation = registry.build("degradation", recipes.degradation)
    used = replace(recipes, drawn={})

    def work(source: Source) -> dict[str, object]:
        from texprior.flow.degrade import draw, rng_of
        from texprior.flow.degrade import replay as apply
        from texprior.flow.image import load_image, save_image

        clean = load_image(source.path)
        height, width = clean.shape[-2:]
        with blaming("degradation", recipes.degradation.name, source.path):
            if replay is None:
                drawn = draw(degradation, rng_of(seed or 0, (source.path.name,)), (height, width))
            else:
                drawn = recipes.of(source.path, width, height)
            degraded = apply(degradation, clean, drawn)
            rmse = float((degraded - clean).square().mean().sqrt())
        save_image(degraded, targets[source])
        used.drawn[source.path.name, width, height] = drawn
        return {"degraded": str(targets[source]), "rmse": rmse}

    try:
        for_each(found, work, as_json, degradation=recipes.degradation.model_dump(), seed=seed or 0, recipe=recipe)
    finally:
        if recipe is not None:
            used.write(Path(recipe))


def _recipes(registry: Registry, named: str | None, seed: int | None, replay: str | None) -> Recipes:
    """What the command line asks for. Raises ConfigError where it asks for two things, or for none."""
    from texprior.cli.recipes import Recipes, read

    if (named is None) == (replay is None):
        raise ConfigError("name a degradation with --with, or a file of recipes with --replay, and not both")
    if named is not None:
        return Recipes(component(registry, "degradation", named, "--with"))
    if seed is not None:
        raise ConfigError("--seed: a replay draws nothing; leave it out")
    return read(Path(str(replay)), registry)
