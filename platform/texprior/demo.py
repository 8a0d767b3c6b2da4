"""Runs the demo on bundled photographs.

The demo is Stage II with a small sweep of adapters, on the prior that texprior ships, and an evaluation. From scratch,
Stage I comes first.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from texprior import config
from texprior.digests import digest
from texprior.evaluation.run import run_evaluation
from texprior.evaluation.scores import Scores
from texprior.evaluation.tables import scores_markdown
from texprior.flow.image import load_image
from texprior.models.folders import PRIOR, load_model
from texprior.models.shipped import prior_of
from texprior.registry import Registry
from texprior.runtime.progress import Progress, no_progress
from texprior.runtime.session import Session
from texprior.runtime.split_check import require_splits
from texprior.store import model_of_task, sha256
from texprior.sweeps.run import run_study
from texprior.training.preflight import on_prior, require_adapters
from texprior.training.prior import train_prior

TASK = "defocus"
"""The shipped model whose prior the demo starts from."""
QUICK = (
    "name=demo-quick",
    "data.variants=1",
    "training.predictor.budget.images=640",
    "training.adapter.budget.images=160",
    "training.predictor.log_every_images=80",
    "training.adapter.log_every_images=80",
    "sweep.trials=4",
)
"""Overrides of ``--quick``: few images, which show that everything works, but not how well."""
QUICK_TASK = ("predictor.nafnet.width=16",)
QUICK_FROM_SCRATCH = (
    "denoiser.unet.width=16",
    "predictor.unet.width=16",
    "training.prior.budget.images=640",
    "training.prior.log_every_images=80",
)
"""The same for the demo's own file on the shipped prior, and for the one that trains a prior: small networks."""


@dataclass(frozen=True)
class Demo:
    """The results of a demo, and where they are."""

    prior: str
    model: str
    tracking_uri: str
    experiment: str
    parent_run: str
    pictures: list[str]
    scores: Scores

    def as_json(self) -> dict[str, Any]:
        """Returns one JSON document.

        ``metrics`` is method -> metric -> mean, ``better`` is each metric's direction.
        """
        data = asdict(self)
        del data["scores"]
        return {**data, "metrics": self.scores.means(), "better": dict(self.scores.better)}


def experiment(
    registry: Registry, quick: bool = False, overrides: tuple[str, ...] = (), from_scratch: bool = True
) -> config.Experiment:
    """Resolves the demo's experiment; the user's overrides come after those of ``--quick``, and win."""
    data, every = _written(quick, overrides, from_scratch)
    return config.resolve(data, registry, every, source="demo.yaml" if from_scratch else "demo_task.yaml")


def said(registry: Registry, quick: bool, overrides: tuple[str, ...], from_scratch: bool) -> config.Said:
    """Returns which settings the demo and the user's overrides state."""
    data, every = _written(quick, overrides, from_scratch)
    return config.said_in(data, registry, every)


def _written(quick: bool, overrides: tuple[str, ...], from_scratch: bool) -> tuple[dict[str, Any], list[str]]:
    """Returns the demo's file, which states nothing of Stage I if there is a prior, and all overrides."""
    name = "demo.yaml" if from_scratch else "demo_task.yaml"
    data = yaml.safe_load(files("texprior").joinpath(name).read_text(encoding="utf-8"))
    own = (*QUICK, *(QUICK_FROM_SCRATCH if from_scratch else QUICK_TASK)) if quick else ()
    return data, [*own, *overrides]


def shipped_prior() -> Path:
    """Returns the folder of the prior that the demo starts from. Raises ConfigError if it is not shipped."""
    return prior_of(model_of_task(TASK))


def run_demo(
    registry: Registry,
    quick: bool = False,
    overrides: tuple[str, ...] = (),
    say: Callable[[str], None] = lambda _message: None,
    progress: Progress = no_progress,
    from_scratch: bool = False,
) -> Demo:
    """Trains, sweeps and evaluates under one parent run, and returns where everything is.

    ``from_scratch`` also trains the prior, instead of starting from the shipped one.
    """
    # what cannot work is refused before a run is opened
    how: dict[str, Any] = {"said": said(registry, quick, overrides, from_scratch), "say": say, "progress": progress}
    session = Session.start(experiment(registry, quick, overrides, from_scratch), registry, **how)
    given = None if from_scratch else shipped_prior()
    session = on_prior(session, given)
    require_splits(session, "train", "val", "test")
    require_adapters(session, given)
    name = session.experiment.hash() if given is None else digest([session.experiment.hash(), sha256(given / PRIOR)])
    info = session.run_info(f"demo-{name}", "demo", "demo", resume=True)
    with session.tracker.run(info) as run:
        inner = session.with_(parent_run=info.id)

        if given is None:
            say("Stage I: trains the texture prior on the texture layers of clean photographs")
        else:
            say(f"Stage I: done already, by the prior of the shipped model '{TASK}'; --from-scratch trains one")
        prior = given or train_prior(inner).folder

        say("Stage II: trains one predictor, then sweeps adapters on the frozen prior")
        study = run_study(inner, prior, run=run)

        # the split test, which neither the trainings nor the sweep have seen
        say("Evaluation: restores and measures held-out photographs")
        model = load_model(study.model, session.builder, prior)
        judged = run_evaluation(inner, model)
        evaluated = judged.evaluated
        run.summary |= evaluated.scores.flat()
        run.notes.append(scores_markdown(evaluated.scores))
        run.image("sheet", load_image(judged.folder / "sheet.png"))
        where = run.where()

    pictures = [str(judged.folder / "sheet.png")]
    return Demo(
        str(prior),
        str(study.model),
        where.get("tracking_uri", ""),
        where.get("experiment", session.experiment.name),
        where.get("run_id", ""),
        pictures,
        evaluated.scores,
    )
