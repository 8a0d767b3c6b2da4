"""Measures what the shipped prior reads from its condition, as a training does at its end.

    python experiments/two-tasks/held_out.py FOLDER

Run it at the top level of the repository, with the photographs of prior.yaml. It writes ``held_out.json`` to FOLDER, as
it lies beside the shipped prior. Nothing is trained.
"""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

from texprior.config import load
from texprior.diffusion.process import Process
from texprior.models.folders import load_prior
from texprior.models.sampling import noise_levels_of
from texprior.models.shipped import prior_of
from texprior.registry import Registry
from texprior.runtime.session import Session
from texprior.store import model_of_task
from texprior.training.data import cached_texture_pool
from texprior.training.held_out import ALONE, measure_held_out, measure_layer
from texprior.training.losses import LayerLoss
from texprior.training.recipe import recipe_of
from texprior.training.trainee import Trainee


def main(folder: Path) -> None:
    """Writes the measures of the shipped prior to a folder."""
    registry = Registry.discover()
    session = Session.start(
        load(Path("experiments/two-tasks/prior.yaml"), registry, ["threads=1"]), registry, say=print
    )
    experiment, prior = session.experiment, load_prior(prior_of(model_of_task("defocus")), session.builder)
    settings = experiment.training.prior
    levels = noise_levels_of(registry, experiment.diffusion, prior.process, prior.scale)
    loss_on = partial(LayerLoss, experiment, prior, Process(prior.scale), amp=settings.amp, levels=levels)
    pool_of = partial(cached_texture_pool, session, prior)
    measure = partial(measure_layer, loss_on, LayerLoss.texture, ALONE, settings.batch)
    trainee = Trainee(prior.network, settings, recipe_of(session, settings))
    folder.mkdir(parents=True, exist_ok=True)
    print(measure_held_out(session, "prior", trainee, folder, pool_of("train"), pool_of, measure))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
