"""A sweep of Stage II: one prior and one predictor shared by trials that each train, restore and score an adapter.

Trials are judged on the split val only; the best of them are trained again with fresh seeds before one is called best.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

from texprior.errors import ConfigError, TexpriorError
from texprior.evaluation.metrics import build_metrics
from texprior.flow.image import load_image
from texprior.locks import hold_lock
from texprior.runtime.session import Session
from texprior.store import write_atomically
from texprior.sweeps.ask_tell import run_trials
from texprior.sweeps.confirm import confirm_best, confirmation_pairs
from texprior.sweeps.importance import parameter_importances
from texprior.sweeps.records import COSTS, Better, StudyDone, SweepResult, TrialRecord
from texprior.sweeps.report import describe_outcome
from texprior.sweeps.study import default_storage, programs_of, study_name
from texprior.sweeps.trial import Trials
from texprior.sweeps.workers import Job, Launcher, run_workers
from texprior.track import Run
from texprior.training.predictor import train_predictor
from texprior.training.preflight import require_adapters
from texprior.training.prior import train_prior


@dataclass(frozen=True)
class TrialRunners:
    """Who runs the trials: this process, or so many workers."""

    workers: int = 1
    launcher: Launcher = "local"
    address: str | None = None
    """Of a Ray cluster; a new local one, or the one in RAY_ADDRESS, where none is given."""

    def run(self, job: Job, most: int, say: Callable[[str], None]) -> None:
        """Has at most so many workers do a job; nothing where this process works alone."""
        if self.workers > 1 or self.launcher != "local":
            run_workers(job, min(self.workers, most), self.launcher, self.address, say)


def run_study(
    session: Session,
    prior: Path | None = None,
    trials: int | None = None,
    storage: str | None = None,
    run: Run | None = None,
    crew: TrialRunners | None = None,
) -> StudyDone:
    """Searches the experiment's sweep space until the study holds so many trials.

    Each trial is a child of ``run``, or of a run of the study's own where none is given. Raises ConfigError for a
    metric that the experiment does not measure, and TexpriorError where no trial finished.
    """
    objectives, programs = objectives_of(session), programs_of(session)
    name = study_name(session.experiment, programs)
    place, crew = storage or default_storage(), crew or TrialRunners()
    require_adapters(session, prior)
    with _parent(session, run, name) as parent:
        inner = session.with_(parent_run=parent.info.id)
        stage_one = None if prior else train_prior(inner)
        predictor = train_predictor(inner)
        broken = {**(stage_one.broken if stage_one else {}), **predictor.broken}
        folder = prior or cast("Path", stage_one and stage_one.folder)
        objective = Trials(inner, name, folder, predictor.folder, broken)
        wanted = trials or session.experiment.sweep.trials
        job = _job(inner, objective, place, objectives, wanted)
        crew.run(job, crew.workers, session.say)

        def told(trial: TrialRecord) -> None:
            session.say(f"trial {trial.number}: {describe_outcome(trial, dict(objectives))}")

        result = run_trials(  # what the workers left to do, which is nothing where all went well
            session.experiment,
            session.registry,
            objective,
            place,
            objectives,
            told,
            wanted,
            objective.shared,
            session.say,
            programs,
            objective.bury,
        )
        if result.best is None:
            reasons = "; ".join(dict.fromkeys(t.reason for t in result.trials if t.reason))
            raise TexpriorError(f"study {name}: none of its {len(result.trials)} trials finished ({reasons})")
        undone = [pair for pair in confirmation_pairs(objective, result) if objective.known(*pair) is None]
        if len(undone) > 1:
            crew.run(replace(job, confirm=True), len(undone), session.say)
        confirmed = confirm_best(objective, result)
        best = next((t for t in result.trials if confirmed and t.number == confirmed[0].trial), result.best)
        model, scores = objective.outcome(best)
        importance = parameter_importances(session.experiment, place, name)
        done = StudyDone(
            name,
            result.storage,
            objectives,
            parent.where(),
            best,
            result.trials,
            result.front,
            confirmed,
            importance,
            model,
            folder,
            predictor.folder,
            scores,
            objective.broken,
        )
        _write_up(parent, objective, done, result)
        return done


def objectives_of(session: Session) -> dict[str, Better]:
    """What the sweep searches by, with directions. Raises ConfigError for a metric that is not measured."""
    sweep, measured = session.experiment.sweep, {**build_metrics(session).better, **COSTS}
    for path, names in {"sweep.metric": [sweep.metric], "sweep.also": sweep.also}.items():
        for name in names:
            if name not in measured:
                close = difflib.get_close_matches(name, measured, n=1)
                hint = f"did you mean '{close[0]}'?" if close else f"it measures {', '.join(measured)}"
                raise ConfigError(f"{path}: the experiment does not measure '{name}'; {hint}")
    return {name: cast("Better", measured[name]) for name in (sweep.metric, *sweep.also)}


def _job(session: Session, trials: Trials, storage: str, objectives: Mapping[str, Better], wanted: int) -> Job:
    return Job(
        session.experiment.to_yaml(),
        tuple(session.registry.files),
        str(session.root),
        session.parent_run,
        trials.study,
        str(trials.prior.resolve()),
        str(trials.predictor.resolve()),
        storage,
        dict(objectives),
        wanted,
        session.experiment.threads,
    )


@contextmanager
def _parent(session: Session, run: Run | None, name: str) -> Iterator[Run]:
    if run is not None:
        yield run
        return
    info = session.run_info(f"sweep-{name}", f"sweep by {session.experiment.sweep.metric}", "sweep", resume=True)
    with ExitStack() as stack:
        with hold_lock(
            session.root / ".locks" / f"{info.id}.lock"
        ):  # one process at a time, so that a study has one run
            opened = stack.enter_context(session.tracker.run(info))
        yield opened


def _write_up(run: Run, trials: Trials, done: StudyDone, result: SweepResult) -> None:
    """The winner on the parent run: its scores and numbers as values, all its parameters in words and as a file."""
    from texprior.sweeps.report import sweep_note, trials_csv

    best = done.best
    numbers = {k: v for k, v in best.params.items() if isinstance(v, int | float) and not isinstance(v, bool)}
    run.summary |= {"best.trial": float(best.number)}
    run.summary |= {f"best.{name}": value for name, value in {**best.values, **numbers}.items()}
    run.notes.append(sweep_note(done))
    folder = trials.session.folder / f"sweep-{trials.study}"
    write_atomically(folder / "best.yaml", trials.experiment_of(best).to_yaml().encode())
    write_atomically(folder / "trials.csv", trials_csv(done).encode())
    run.artifact(folder / "best.yaml")
    run.artifact(folder / "trials.csv")
    sheet = trials.folder(best.number) / "sheet.png"
    if sheet.is_file():
        run.image("best", load_image(sheet))
    if len(done.objectives) > 1:
        from texprior.sweeps.front_figure import draw_front

        run.image("front", load_image(draw_front(result, folder / "front.png")))
        run.artifact(folder / "front.png")
