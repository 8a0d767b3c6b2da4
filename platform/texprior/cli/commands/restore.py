"""Implements ``texprior restore``, which restores pictures of any size with a trained model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from texprior.cli.completion import tasks
from texprior.cli.pictures import Source, find_sources, full_names_option, process_each, target_path
from texprior.cli.request import (
    device_option,
    discover_plugins,
    json_option,
    output_folder,
    plugin_option,
    session_of,
    set_option,
)
from texprior.cli.restored_files import Finished, RestoredFile

if TYPE_CHECKING:
    from texprior.models.build import Model
    from texprior.registry import Registry
    from texprior.runtime.session import Session

SAMPLING = ("steps", "texture_strength", "samples", "tile")
"""The settings of ``sampling`` that have an option of their own."""


@click.command()
@click.argument("images", metavar="IMAGE...", nargs=-1, required=True)
@click.option("--model", "model_path", metavar="MODEL", help="The folder of a trained or exported model.")
@click.option(
    "--task",
    metavar="NAME",
    shell_complete=tasks,
    help="A model that texprior ships, by its task; see 'texprior models list'.",
)
@click.option(
    "-o",
    "--output",
    metavar="DIR",
    default="restored",
    show_default=True,
    help="Folder for NAME.png and, with several samples, NAME-spread.png.",
)
@click.option("--prior", metavar="PRIOR", help="The folder of the model's prior, if it was moved.")
@click.option("--steps", metavar="N", help="Number of sampling steps.")
@click.option(
    "--texture-strength", metavar="W", help="Factor of the sampled layer: 0 is the base alone, 1 the full layer."
)
@click.option("--samples", metavar="K", help="Average K samples, and write their spread.")
@click.option("--tile", metavar="PX", help="Side of a tile, px.")
@click.option(
    "--seed", type=int, metavar="N", help="Seed of the noise, with each picture's file name; the model's if not given."
)
@click.option(
    "--bits", type=click.Choice(["8", "16"]), help="Bits a value of the results; if not given, those of the picture."
)
@full_names_option
@set_option
@plugin_option
@device_option
@json_option
def restore(
    images: tuple[str, ...],
    model_path: str | None,
    task: str | None,
    output: str,
    prior: str | None,
    seed: int | None,
    bits: str | None,
    full_names: bool,
    overrides: tuple[str, ...],
    plugins: tuple[str, ...],
    device: str | None,
    as_json: bool,
    **sampling: str | None,
) -> None:
    """Restore pictures with a trained model, or with one that texprior ships.

    An IMAGE is a file, or a folder with its subfolders. What lies below DIR is no input. A result is PNG in sRGB: grey
    if the picture is grey, with its alpha if it has one, and with 16 bits a value if the picture has more than 8.

    After an interrupt, the same command goes on: it keeps each result that the same model, settings and picture made.

    --set accepts paths below 'sampling', such as sampling.schedule=karras, and threads.
    """
    from texprior.models.shipped import chosen_model

    chosen = chosen_model(model_path, task, "--model FOLDER and --task NAME")
    found = find_sources(images, output, full_names)
    given = [f"sampling.{name}={sampling[name]}" for name in SAMPLING if sampling[name] is not None]
    session = model_session(chosen, discover_plugins(plugins), [*overrides, *given], device)
    model = model_of_session(chosen, session, prior)
    folder = output_folder(output)
    # All targets are checked before the first picture is restored, which takes long.
    targets = {source: target_path(folder, source.name, found) for source in found}
    settings, noise_seed = session.experiment.sampling, session.experiment.seed if seed is None else seed
    spreads = _spreads(targets, folder, found) if settings.samples > 1 else {}
    finished = Finished(folder, _identity(model, session, noise_seed, bits))

    def work(source: Source) -> dict[str, object]:
        from texprior.flow.image import read_picture
        from texprior.pipeline import restore_sections

        done, spread = found.index(source), spreads.get(source)
        results = [targets[source], *([spread] if spread else [])]
        if before := finished.find(source.path, source.key, results):
            session.progress("restore", done + 1, len(found), {})
            return {**before, "finished_before": True}

        def tell(tile: int, tiles: int) -> None:
            alone = len(found) == 1
            shown = ("tiles", tile, tiles, {}) if alone else ("restore", done, len(found), {"tile": tile, "of": tiles})
            session.progress(*shown)

        picture = read_picture(source.path)
        restored = RestoredFile(picture, int(bits) if bits else picture.bits, with_spread=spread is not None)
        for section, part in restore_sections(
            model, picture.part, picture.size, source.key, settings, noise_seed, tell=tell
        ):
            restored.put(section, part, str(targets[source]))
            # or two sections would be in memory
            del part
        restored.write(targets[source])
        result: dict[str, object] = {
            "restored": str(targets[source]),
            "spread": str(spread) if spread else None,
            "mean_spread": restored.write_spread(spread) if spread else None,
            "size": f"{picture.size[1]}x{picture.size[0]}",
            "calls": restored.spent.calls,
            "elapsed_s": round(restored.spent.elapsed_s, 3),
        }
        finished.add(source.path, source.key, results, result)
        if len(found) > 1:
            session.progress("restore", done + 1, len(found), {})
        return result

    about = {"model": model.folder, "prior": model.prior.folder, "seed": noise_seed, "sampling": settings.model_dump()}
    process_each(found, work, as_json, **about)


def _identity(model: Model, session: Session, seed: int, bits: str | None) -> list[object]:
    """Returns all that decides a restored picture, apart from the picture."""
    from texprior._version import __version__
    from texprior.models.folders import ADAPTER, PREDICTOR
    from texprior.runtime.identity import foreign_components
    from texprior.store import sha256

    weights = [sha256(model.folder / PREDICTOR), sha256(model.folder / ADAPTER), model.prior.sha256]
    settings = session.experiment.sampling.model_dump(mode="json", exclude={"features_mb"})
    return [__version__, weights, settings, seed, bits, foreign_components(session)]


def _spreads(targets: dict[Source, Path], folder: Path, found: list[Source]) -> dict[Source, Path]:
    """Returns the target of each picture's spread.

    Raises ConfigError if another picture's result has that target.
    """
    # A picture called ``x-spread`` collides with the spread of ``x``, in lower case on some file systems.
    from texprior.errors import ConfigError

    spreads = {source: target_path(folder, f"{source.name}-spread", found) for source in found}
    taken = {path.name.lower(): source for source, path in targets.items()}
    for source, path in spreads.items():
        if other := taken.get(path.name.lower()):
            raise ConfigError(
                f"{source.path}, {other.path}: the spread of the first and the result of the second would both be "
                f"{path}; restore them one by one, into two folders"
            )
    return spreads


def model_session(model_path: Path, registry: Registry, overrides: list[str], device: str | None) -> Session:
    """Starts a session on the model's own experiment, with overrides of its sampling.

    Raises ConfigError if an override changes anything but ``sampling`` and ``threads``.
    """
    from texprior import config
    from texprior.errors import ConfigError
    from texprior.models.folders import ADAPTER, CONFIG, PREDICTOR
    from texprior.store import require_folder

    for override in overrides:
        if not override.startswith(("sampling.", "threads=")):
            raise ConfigError(
                f"--set {override}: a trained model cannot be changed; only sampling.* and threads can be set"
            )
    folder = require_folder(model_path, "model", CONFIG, PREDICTOR, ADAPTER)
    placed = [f"device={device}"] if device else []
    # a setting that the file lacks is younger than the model, and gets the value that the model was made with
    experiment = config.load(folder / CONFIG, registry, [*overrides, *placed], stored=True)
    # Restoring pictures is not a run: without observers nothing is tracked.
    return session_of(experiment.model_copy(update={"events": []}), registry)


def model_of_session(model_path: Path, session: Session, prior: str | None) -> Model:
    """Loads a model with the session's settings of sampling; ``prior`` is its prior's folder, if that was moved."""
    from texprior.models.folders import load_model

    model = load_model(model_path, session.builder, Path(prior) if prior else None)
    # The predictor takes its tiles from the model's experiment, and they must be those of the sampling.
    return replace(model, experiment=session.experiment)
