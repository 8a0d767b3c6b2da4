"""Implements ``texprior app``, a local page that shows what a model does to a picture."""

from __future__ import annotations

from pathlib import Path

import click

from texprior.cli.commands.restore import model_of_session, model_session
from texprior.cli.completion import tasks
from texprior.cli.request import device_option, discover_plugins, plugin_option, set_option
from texprior.cli.ui_address import HOST
from texprior.errors import ConfigError

PORT = 7860
"""The port if the user names none: Gradio's own."""
MEGAPIXELS = 8.0
"""The largest picture of the page by default: on two cores it takes some minutes, and browsers show it well."""


@click.command()
@click.argument("image", required=False)
@click.option("--model", "model_path", metavar="MODEL", help="The folder of a trained or exported model.")
@click.option(
    "--task",
    metavar="NAME",
    shell_complete=tasks,
    help="A model that texprior ships, by its task; see 'texprior models list'.",
)
@click.option("--prior", metavar="PRIOR", help="The folder of the model's prior, if it was moved.")
@click.option("--degrade", is_flag=True, help="IMAGE is sharp: degrade it first, as in the model's training.")
@click.option("--port", type=click.IntRange(1, 65535), default=PORT, show_default=True)
@click.option("--seed", type=int, metavar="N", help="Seed of the noise; the model's if not given.")
@click.option(
    "--max-megapixels",
    type=click.FloatRange(min=0, min_open=True),
    default=MEGAPIXELS,
    show_default=True,
    metavar="N",
    help="The largest picture that the page takes.",
)
@set_option
@plugin_option
@device_option
def app(
    image: str | None,
    model_path: str | None,
    task: str | None,
    prior: str | None,
    degrade: bool,
    port: int,
    seed: int | None,
    max_megapixels: float,
    overrides: tuple[str, ...],
    plugins: tuple[str, ...],
    device: str | None,
) -> None:
    """Open a page that restores photographs with a model; Ctrl-C ends it.

    IMAGE is the first photograph. The page has a slider between the picture and its restored version, its texture
    layer, the spread of several samples, and the layers of every decomposition. Only this machine can open it.

    --set accepts paths below 'sampling', such as sampling.schedule=karras, and threads. Needs the extra 'app'.
    """
    from texprior.cli.app.server import application, free_port, require_gradio, serve, uploads
    from texprior.models.shipped import chosen_model

    require_gradio()
    chosen = chosen_model(model_path, task, "--model FOLDER and --task NAME")
    with free_port(port) as here, uploads():
        from texprior.cli.app.restoring import Restorer

        session = model_session(chosen, discover_plugins(plugins), list(overrides), device)
        model = model_of_session(chosen, session, prior)
        restorer = Restorer(model, session.experiment.seed if seed is None else seed, max_megapixels)
        first = None if image is None else str(Path(image).expanduser().resolve())
        if degrade and not restorer.can_degrade:
            raise ConfigError("--degrade: the model was trained on pairs of pictures, so no degradation is known")
        if first is not None:
            # on the terminal, an error is seen at once
            restorer.picture(first)
        page = application(restorer, first, degrade)
        # the socket listens already: a browser that is faster than the server waits
        click.echo(f"http://{HOST}:{port}\nCtrl-C ends it")
        serve(page, here)
