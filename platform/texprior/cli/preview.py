"""``texprior decompose`` and ``texprior degrade``: what a component does to a picture."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator

import click

from texprior.cli.common import Command, component, discover, json_option, output_folder, plugin_option
from texprior.cli.pictures import Source, for_each, sources, target
from texprior.errors import TexpriorError

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


@contextlib.contextmanager
def _blamed(kind: str, name: str, source: Source) -> Iterator[None]:
    """What a component raises is its plugin's fault: the message names component and picture."""
    try:
        yield
    except TexpriorError:
        raise
    except Exception as error:
        raise TexpriorError(
            f"{kind} '{name}' failed on {source.path}: {type(error).__name__}: {error}; "
            "TEXPRIOR_DEBUG=1 shows the traceback"
        ) from error


def _with(kind: str) -> Command:
    text = f"A {kind}: its name, or YAML with its options, such as '{{name: {{option: value}}}}'."
    return click.option("--with", "named", metavar="NAME", required=True, help=text)


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
        with _blamed("decomposition", ref.name, source):
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
@_with("degradation")
@output_option
@click.option("--seed", default=0, show_default=True, help="Of what is random, with each picture's file name.")
@plugin_option
@json_option
def degrade(
    images: tuple[str, ...], named: str, output: str, seed: int, plugins: tuple[str, ...], as_json: bool
) -> None:
    """Write degraded pictures, NAME.png."""
    registry = discover(plugins)
    ref = component(registry, "degradation", named, "--with")
    found = sources(images)
    folder = output_folder(output)
    targets = {source: target(folder, source.name, found) for source in found}
    degradation = registry.build("degradation", ref)

    def work(source: Source) -> dict[str, object]:
        from texprior.flow.degrade import degrade as spoil
        from texprior.flow.image import load_image, save_image

        clean = load_image(source.path)[None]
        with _blamed("degradation", ref.name, source):
            degraded = spoil(clean, degradation, seed, [(source.path.name,)])
            rmse = float((degraded - clean).square().mean().sqrt())
        save_image(degraded[0], targets[source])
        return {"degraded": str(targets[source]), "rmse": rmse}

    for_each(found, work, as_json, degradation=ref.model_dump(), seed=seed)
