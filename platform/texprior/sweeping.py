"""A sweep of Stage II: one prior and one predictor shared by trials that each train, restore and score an adapter.

The experiment's own folders hold everything; trials are judged on the split val only.
"""

from __future__ import annotations

import contextlib
import difflib
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, cast

from texprior import scores
from texprior.config import with_overrides
from texprior.dimension import label
from texprior.documents import get_path
from texprior.errors import ConfigError, TexpriorError
from texprior.evaluate import build_metrics, evaluate, write
from texprior.flow.image import load_image
from texprior.models import PREDICTOR, PRIOR, load_model
from texprior.schema import Experiment, component_paths
from texprior.scores import Scores
from texprior.session import Session
from texprior.store import sha256, write_atomically
from texprior.study import Better, TrialRecord, default_storage, study_name
from texprior.sweep import run_sweep
from texprior.track import Run
from texprior.trainings import Trained, train_adapter, train_predictor, train_prior


@dataclass(frozen=True)
class StudyDone:
    """A finished study: its trials, and the best one's model with its scores on the split val."""

    study: str
    storage: str
    metric: str
    better: Better
    parent_run: dict[str, str]
    best: TrialRecord
    trials: list[TrialRecord]
    model: Path
    prior: Path
    predictor: Path
    scores: Scores
    broken: dict[str, str] = field(default_factory=dict)
    """Photographs that could not be read, and why."""


def run_study(
    session: Session,
    prior: Path | None = None,
    trials: int | None = None,
    storage: str | None = None,
    run: Run | None = None,
) -> StudyDone:
    """Searches the experiment's sweep space until the study holds so many trials.

    Each trial is a child of ``run``, or of a run of the study's own where none is given. Raises ConfigError for a
    metric that the experiment does not measure, and TexpriorError where no trial finished.
    """
    experiment = session.experiment
    better = _direction(session)
    name = study_name(experiment)
    with _parent(session, run, name) as parent:
        inner = session.with_(parent_run=parent.info.id)
        trial = _Trials(inner, name, _kept(prior) if prior else train_prior(inner), train_predictor(inner))
        told = _teller(session, better)
        place = storage or default_storage()
        result = run_sweep(experiment, session.registry, trial, place, better, told, trials, trial.shared)
        best = result.best
        if best is None:
            reasons = "; ".join(dict.fromkeys(t.reason for t in result.trials if t.reason))
            raise TexpriorError(f"study {name}: none of its {len(result.trials)} trials finished ({reasons})")
        model, best_scores = trial.outcome(best)
        _write_up(parent, trial, best, better)
        return StudyDone(
            name,
            result.storage,
            result.metric,
            better,
            parent.where(),
            best,
            result.trials,
            model,
            trial.prior.folder,
            trial.predictor.folder,
            best_scores,
            trial.broken,
        )


def values_of(experiment: Experiment, params: Mapping[str, Any]) -> dict[str, Any]:
    """A trial's values by dotted path, from its parameters as Optuna holds them."""
    values = dict(params)
    for path, dimension in experiment.sweep.space.items():
        if path in params and isinstance(dimension, list):
            values[path] = next(choice for choice in dimension if label(choice) == params[path])
    return values


class _Trials:
    """The sweep's objective: a trial is the shared prior and predictor with the trial's adapter, scored on val."""

    def __init__(self, session: Session, study: str, prior: Trained, predictor: Trained) -> None:
        self.session, self.study, self.prior, self.predictor = session, study, prior, predictor
        self.broken = {**prior.broken, **predictor.broken}

    @cached_property
    def shared(self) -> dict[str, str]:
        """What all trials stand on, by content."""
        weights = {"prior": self.prior.folder / PRIOR, "predictor": self.predictor.folder / PREDICTOR}
        return {f"{name}'s sha256": sha256(path) for name, path in weights.items()}

    def __call__(self, number: int, experiment: Experiment) -> Mapping[str, float]:
        inner = self.session.with_(experiment=experiment)
        info = inner.run_info(
            f"{self.study}-{number}", f"trial {number}", "trial", False, **{"texprior.trial": str(number)}
        )
        with inner.tracker.run(info) as run:
            self.session.say(f"trial {number}: {described(experiment, self.session.experiment)}")
            model = self._train(inner.with_(parent_run=info.id))
            folder = self._folder(number)
            evaluated = evaluate(_judging(inner), load_model(model, inner.registry, self.prior.folder, inner))
            self.broken |= evaluated.broken
            write(evaluated, folder)
            write_atomically(folder / "config.yaml", experiment.to_yaml().encode())
            run.summary |= restored_means(evaluated.scores)
            run.artifact(folder)
            if evaluated.sheet:
                run.image("sheet", load_image(folder / "sheet.png"))
        return run.summary

    def outcome(self, trial: TrialRecord) -> tuple[Path, Scores]:
        """A trial's model and scores; what another process made of it is read, or made again where it is missing."""
        experiment = self.experiment_of(trial)
        inner = self.session.with_(experiment=experiment, fresh=False)
        model, folder = self._train(inner), self._folder(trial.number)
        of_this = folder / "config.yaml"  # another storage numbers its trials from 0 too
        if of_this.is_file() and of_this.read_text(encoding="utf-8") == experiment.to_yaml():
            return model, scores.read(folder / "scores.csv")
        return model, evaluate(_judging(inner), load_model(model, inner.registry, self.prior.folder, inner)).scores

    def experiment_of(self, trial: TrialRecord) -> Experiment:
        """The resolved experiment of a trial."""
        base = self.session.experiment
        return with_overrides(base, values_of(base, trial.params), self.session.registry)

    def _train(self, session: Session) -> Path:
        trained = train_adapter(session, self.prior.folder, self.predictor.folder)
        self.broken |= trained.broken
        return trained.folder

    def _folder(self, number: int) -> Path:
        return self.session.folder / f"sweep-{self.study}" / f"trial-{number}"


def described(experiment: Experiment, base: Experiment) -> str:
    """What a trial searched, with the values that it took."""
    data = experiment.model_dump(mode="json")
    found = {path: get_path(data, path) for path in base.sweep.space}
    kinds = component_paths()
    shown = {path: next(iter(v)) if path in kinds and isinstance(v, dict) else v for path, v in found.items()}
    return ", ".join(f"{path}={value}" for path, value in shown.items() if value is not None)


def restored_means(found: Scores) -> dict[str, float]:
    """Metric -> mean of the restored pictures (the last of their rows)."""
    methods = [m for m in found.methods() if m.startswith("restored")]
    return found.means()[methods[-1]] if methods else {}


def _kept(prior: Path) -> Trained:
    return Trained(prior, {})


def _judging(session: Session) -> Session:
    """The session with an evaluation on val that has one row of restored pictures."""
    choice = session.experiment.evaluation
    plain = choice.model_copy(update={"split": "val", "steps": [], "texture_strengths": [], "controls": False})
    return session.with_(experiment=session.experiment.model_copy(update={"evaluation": plain}))


def _direction(session: Session) -> Better:
    metric, better = session.experiment.sweep.metric, build_metrics(session)[1]
    if metric not in better:
        close = difflib.get_close_matches(metric, better, n=1)
        hint = f"did you mean '{close[0]}'?" if close else f"it measures {', '.join(better) or 'nothing'}"
        raise ConfigError(f"sweep.metric: the experiment does not measure '{metric}'; {hint}")
    return cast("Better", better[metric])


def _parent(session: Session, run: Run | None, name: str) -> AbstractContextManager[Run]:
    if run is not None:
        return contextlib.nullcontext(run)
    info = session.run_info(f"sweep-{name}", f"sweep by {session.experiment.sweep.metric}", "sweep", resume=True)
    return session.tracker.run(info)


def _teller(session: Session, better: Better) -> Any:
    metric = session.experiment.sweep.metric

    def told(trial: TrialRecord) -> None:
        value = f"{metric} {trial.values[metric]:.4g} ({better} is better)" if metric in trial.values else trial.reason
        session.say(f"trial {trial.number}: {trial.state}, {value}")

    return told


def _write_up(run: Run, trials: _Trials, best: TrialRecord, better: Better) -> None:
    """The winner on the parent run: its scores and numbers as values, all its parameters in words and as a file."""
    numbers = {k: v for k, v in best.params.items() if isinstance(v, int | float) and not isinstance(v, bool)}
    run.summary |= {"best.trial": float(best.number)}
    run.summary |= {f"best.{name}": value for name, value in {**best.values, **numbers}.items()}
    metric = trials.session.experiment.sweep.metric
    params = "\n".join(f"| {path} | {value} |" for path, value in best.params.items())
    values = "\n".join(f"| {name} | {value:.6g} |" for name, value in best.values.items())
    run.notes.append(
        f"Best of the sweep by {metric} ({better} is better): trial {best.number}\n\n"
        f"| parameter | value |\n|---|---|\n{params}\n\n| metric | mean on val |\n|---|---|\n{values}"
    )
    path = trials.session.folder / f"sweep-{trials.study}" / "best.yaml"
    write_atomically(path, trials.experiment_of(best).to_yaml().encode())
    run.artifact(path)
