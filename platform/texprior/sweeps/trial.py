"""Runs one trial of a sweep.

A trial is an adapter on the shared prior and predictor: trained, scored on val, and tracked as a run.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from statistics import fmean
from typing import Any, cast

from texprior.config import with_overrides
from texprior.config.dotted_paths import get_path
from texprior.config.schema import Experiment, component_paths
from texprior.config.search_dimension import choice_label
from texprior.errors import Interrupted, TexpriorError
from texprior.evaluation.evaluate import Evaluated, evaluate, judged_plainly, write_evaluation
from texprior.evaluation.scores import Scores, read_scores
from texprior.flow.image import load_image
from texprior.models.build import Model, count_parameters
from texprior.models.folders import PREDICTOR, PRIOR, load_model
from texprior.registry.error_source import describe_error
from texprior.runtime.identity import experiment_identity, stored_identity
from texprior.runtime.machine_faults import name_machine_faults
from texprior.runtime.session import Session
from texprior.store import sha256, write_atomically
from texprior.sweeps.records import AskedTrial, TrialRecord
from texprior.track import RunInfo
from texprior.training.adapter import train_adapter

_WORKER_DIED = "its worker died; its configuration is run again"


class FailedBefore(TexpriorError):
    """Raised for a configuration that is known to fail with a fresh seed; the message is the reason."""


@dataclass
class Trials:
    """A sweep's objective.

    Trials share a prior and a predictor, and are judged on the split val only.
    """

    session: Session
    study: str
    prior: Path
    predictor: Path
    mark: str = ""
    """What tells the study from one of the same name in another storage; empty for studies of earlier versions."""
    broken: dict[str, str] = field(default_factory=dict)
    """Photographs that could not be read, and why."""

    @property
    def key(self) -> str:
        """The study's name and mark, with which its folder, its runs and its locks begin."""
        return "-".join(part for part in (self.study, self.mark) if part)

    @cached_property
    def shared(self) -> dict[str, str]:
        """The hashes of what all trials depend on."""
        weights = {"prior": self.prior / PRIOR, "predictor": self.predictor / PREDICTOR}
        return {f"{name}'s sha256": sha256(path) for name, path in weights.items()}

    def __call__(self, asked: AskedTrial) -> Mapping[str, float]:
        """Trains and judges at each rung and at the end; the run gets every value over the images seen."""
        inner, base = self.session.with_(experiment=asked.experiment), self.session.experiment
        info = self._run_info(inner, asked.number)
        with inner.tracker.run(info) as run, name_machine_faults():
            asked.tracked_as(run.where().get("run_id", ""))
            self.session.say(f"trial {asked.number}: {describe_values(asked.experiment, base)}")

            # a rung is a training of its own with a smaller budget, which the next rung continues
            below = inner.with_(parent_run=info.id)
            for images in _rungs(base):
                values = self._judged(below, _with_budget(asked.experiment, images))[1]
                run.step(images, **{f"val.{name}": value for name, value in values.items()})
                asked.report(images, values)

            # the whole budget, with its files
            evaluated, values = self._judged(below, asked.experiment)
            run.step(base.training.adapter.budget.images, **{f"val.{name}": value for name, value in values.items()})
            folder = self.folder(asked.number)
            write_evaluation(evaluated, folder)
            write_atomically(folder / "config.yaml", asked.experiment.to_yaml().encode())
            run.summary |= values
            run.artifact(folder)
            if evaluated.sheet:
                run.image("sheet", load_image(folder / "sheet.png"))
        return values

    def end_dead_run(self, trial: TrialRecord) -> None:
        """Ends the run of a trial whose worker died, if a tracker has it."""
        inner = self.session.with_(experiment=self.experiment_of(trial))
        with inner.tracker.run(self._run_info(inner, trial.number, resume=True)) as run:
            run.finish(*(("failed", trial.reason) if trial.reason else ("interrupted", _WORKER_DIED)))

    def train_again(self, trial: TrialRecord, seed: int) -> Mapping[str, float]:
        """Trains and judges a trial's configuration with a fresh seed; returns its values.

        The tracker shows it as a separate run. What is known already is not trained again. Raises FailedBefore if it
        is known to fail; ``forget_failures`` has it trained again.
        """
        stored = self._stored(trial, seed)
        if "reason" in stored:
            raise FailedBefore(str(stored["reason"]))
        if stored:
            return cast("Mapping[str, float]", stored["values"])
        experiment = self.experiment_of(trial, seed)
        try:
            values = self._train_with(experiment, trial, seed)
        except Exception as error:
            # a lost device may be this configuration's own doing; after any other interruption it is trained again
            if not isinstance(error, Interrupted) or getattr(error, "device", False):
                self._store(trial, seed, {"reason": describe_error(error)})
            raise
        self._store(trial, seed, {"values": values})
        return values

    def _train_with(self, experiment: Experiment, trial: TrialRecord, seed: int) -> Mapping[str, float]:
        inner = self.session.with_(experiment=experiment)
        name = f"trial {trial.number}, seed {seed}"
        tags = {"texprior.trial": str(trial.number), "texprior.seed": str(seed)}
        info = inner.run_info(f"{self.run_id(trial.number)}-seed-{seed}", name, "confirmation", True, **tags)
        with inner.tracker.run(info) as run, name_machine_faults():
            self.session.say(f"trial {trial.number} again, with seed {seed}")
            evaluated, values = self._judged(inner.with_(parent_run=info.id), experiment)
            write_evaluation(evaluated, self.folder(trial.number) / f"seed-{seed}")
            run.summary |= values
        return values

    def is_known(self, trial: TrialRecord, seed: int) -> bool:
        """Returns whether ``train_again`` has stored how a configuration does with a seed."""
        return bool(self._stored(trial, seed))

    def forget_failures(self) -> None:
        """Removes what is known of configurations that failed with a fresh seed, so that they are trained again."""
        for path in self.folder(0).parent.glob("trial-*/seed-*/values.json"):
            if "reason" in json.loads(path.read_text(encoding="utf-8")):
                path.unlink()

    def _stored(self, trial: TrialRecord, seed: int) -> Mapping[str, Any]:
        """The values, or the reason of a failure, with a seed; empty if there are none of this experiment."""
        path = self.folder(trial.number) / f"seed-{seed}" / "values.json"
        if not path.is_file():
            return {}
        document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return document if document["experiment"] == experiment_identity(self.experiment_of(trial, seed)) else {}

    def _store(self, trial: TrialRecord, seed: int, outcome: Mapping[str, object]) -> None:
        document = {"experiment": experiment_identity(self.experiment_of(trial, seed)), **outcome}
        path = self.folder(trial.number) / f"seed-{seed}" / "values.json"
        write_atomically(path, json.dumps(document).encode())

    def load_outcome(self, trial: TrialRecord) -> tuple[Path, Scores]:
        """Returns a trial's model folder and scores, from any process's files.

        Makes again what is missing.
        """
        experiment = self.experiment_of(trial)
        inner, folder = self.session.with_(experiment=experiment, fresh=False), self.folder(trial.number)
        stored = folder / "config.yaml"  # another storage numbers its trials from 0 too
        model = self._trained(inner, tell_found=False)
        if stored.is_file() and stored_identity(stored, self.session.registry) == experiment_identity(experiment):
            return model.folder, read_scores(folder / "scores.csv")
        return model.folder, evaluate(_judged_on_val(inner), model).scores

    def confirmed_means(self, trial: TrialRecord, seeds: Sequence[int]) -> dict[str, dict[str, float]]:
        """Returns method -> metric -> mean of a trial's scores.

        It is averaged over the trainings with fresh seeds.
        """
        means = [read_scores(self.folder(trial.number) / f"seed-{seed}" / "scores.csv").means() for seed in seeds]
        return {
            method: {metric: fmean(of_seed[method][metric] for of_seed in means) for metric in row}
            for method, row in means[0].items()
        }

    def experiment_of(self, trial: TrialRecord, seed: int | None = None) -> Experiment:
        """Returns the resolved experiment of a trial, with another seed if one is given."""
        base = self.session.experiment
        fresh = {} if seed is None else {"seed": seed}
        return with_overrides(base, {**values_of(base, trial.params), **fresh}, self.session.registry)

    def run_id(self, number: int) -> str:
        """Returns the id of a trial's run."""
        return f"{self.key}-{number}"

    def folder(self, number: int) -> Path:
        """Returns the folder of a trial's scores and contact sheet."""
        return self.session.folder / f"sweep-{self.key}" / f"trial-{number}"

    def _run_info(self, inner: Session, number: int, resume: bool = False) -> RunInfo:
        """The run of a trial; its parameters are what the sweep searches."""
        tags = {"texprior.trial": str(number)}
        info = inner.run_info(self.run_id(number), f"trial {number}", "trial", resume, **tags)
        return replace(info, params=searched_values(inner.experiment, self.session.experiment))

    def _judged(self, session: Session, experiment: Experiment) -> tuple[Evaluated, dict[str, float]]:
        inner = session.with_(experiment=experiment)
        model = self._trained(inner)
        evaluated = evaluate(_judged_on_val(inner), model)
        self.broken |= evaluated.broken
        costs = {"trainable_parameters": float(count_parameters(model.adapter)), **evaluated.costs}
        values, sweep = {**evaluated.scores.restored_means(), **costs}, self.session.experiment.sweep
        # MLflow's comparison of runs opens with their first metric, which shall be the searched one
        first = {name: values[name] for name in (sweep.metric, *sweep.also) if name in values}
        return evaluated, {**first, **values}

    def _trained(self, session: Session, tell_found: bool = True) -> Model:
        # a trial may be shorter than what measuring it on held-out photographs takes; it is scored on val anyway
        trained = train_adapter(session, self.prior, self.predictor, held_out=False, tell_found=tell_found)
        self.broken |= trained.broken
        return load_model(trained.folder, session.builder, self.prior)


def values_of(experiment: Experiment, params: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a trial's values by dotted path, from its parameters in Optuna's form."""
    values = dict(params)
    for path, dimension in experiment.sweep.space.items():
        if path in params and isinstance(dimension, list):
            values[path] = next(choice for choice in dimension if choice_label(choice) == params[path])
    return values


def searched_values(experiment: Experiment, base: Experiment) -> dict[str, Any]:
    """Returns what a trial searched: path -> value; for a component its name."""
    data = experiment.model_dump(mode="json")
    found = {path: get_path(data, path) for path in base.sweep.space}
    kinds = component_paths()
    named = {path: next(iter(v)) if path in kinds and isinstance(v, dict) else v for path, v in found.items()}
    return {path: value for path, value in named.items() if value is not None}


def describe_values(experiment: Experiment, base: Experiment) -> str:
    """Returns what a trial searched and the values that it took, in words."""
    return ", ".join(f"{path}={_short(value)}" for path, value in searched_values(experiment, base).items())


def _judged_on_val(session: Session) -> Session:
    return session.with_(experiment=judged_plainly(session.experiment, "val"))


def _rungs(experiment: Experiment) -> list[int]:
    """The images seen at each rung: full batches, below the budget."""
    batch, whole = experiment.training.adapter.batch, experiment.training.adapter.budget.images
    images = [max(1, round(share * whole / batch)) * batch for share in experiment.sweep.rungs]
    return [n for n in dict.fromkeys(images) if n < whole]


def _with_budget(experiment: Experiment, images: int) -> Experiment:
    training = experiment.training
    budget = training.adapter.budget.model_copy(update={"images": images})
    adapter = training.adapter.model_copy(update={"budget": budget})
    return experiment.model_copy(update={"training": training.model_copy(update={"adapter": adapter})})


def _short(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
