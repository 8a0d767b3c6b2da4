"""Runs the demo on bundled photographs.

The demo is Stage I, Stage II with a small sweep of adapters, and an evaluation.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.resources import files
from typing import Any

import yaml

from texprior import config
from texprior.evaluation.run import run_evaluation
from texprior.evaluation.scores import Scores
from texprior.evaluation.tables import scores_markdown
from texprior.flow.image import load_image
from texprior.models.folders import load_model
from texprior.registry import Registry
from texprior.runtime.progress import Progress, no_progress
from texprior.runtime.session import Session
from texprior.runtime.split_check import require_splits
from texprior.sweeps.run import run_study
from texprior.training.preflight import require_adapters
from texprior.training.prior import train_prior

QUICK = (
    "name=demo-quick",
    "data.variants=1",
    "denoiser.unet.width=16",
    "predictor.unet.width=16",
    "training.prior.budget.images=640",
    "training.predictor.budget.images=640",
    "training.adapter.budget.images=160",
    "training.prior.log_every_images=80",
    "training.predictor.log_every_images=80",
    "training.adapter.log_every_images=80",
    "sweep.trials=4",
)
"""Overrides of ``--quick``: small networks and few images, which show that everything works, but not how well."""


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


def experiment(registry: Registry, quick: bool = False, overrides: tuple[str, ...] = ()) -> config.Experiment:
    """Resolves the demo's experiment; the user's overrides come after those of ``--quick``, and win."""
    data = yaml.safe_load(files("texprior").joinpath("demo.yaml").read_text(encoding="utf-8"))
    return config.resolve(data, registry, [*(QUICK if quick else ()), *overrides], source="demo.yaml")


def run_demo(
    registry: Registry,
    quick: bool = False,
    overrides: tuple[str, ...] = (),
    say: Callable[[str], None] = lambda _message: None,
    progress: Progress = no_progress,
) -> Demo:
    """Trains, sweeps and evaluates under one parent run, and returns where everything is."""
    # what cannot work is refused before a run is opened
    session = Session.start(experiment(registry, quick, overrides), registry, say=say, progress=progress)
    require_splits(session, "train", "val", "test")
    require_adapters(session, None)
    info = session.run_info(f"demo-{session.experiment.hash()}", "demo", "demo", resume=True)
    with session.tracker.run(info) as run:
        inner = session.with_(parent_run=info.id)

        say("Stage I: trains the texture prior on the texture layers of clean photographs")
        prior = train_prior(inner).folder

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
