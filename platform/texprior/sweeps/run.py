"""Runs a sweep of Stage II.

Its trials share one prior and one predictor; each trains and scores an adapter. Trials are judged on the split val
only. The best of them are trained again with fresh seeds before one is called best.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

from texprior.errors import ConfigError, TexpriorError, suggest_name
from texprior.evaluation.metrics import build_metrics, with_metric_keys
from texprior.locks import hold_lock
from texprior.runtime.session import Session
from texprior.runtime.split_check import require_splits
from texprior.runtime.workers import Workers
from texprior.sweeps.ask_tell import run_trials
from texprior.sweeps.confirm import confirm_best, confirmation_pairs
from texprior.sweeps.importance import parameter_importances
from texprior.sweeps.records import COSTS, Better, Confirmed, StudyDone, SweepResult, SweepSetup, TrialRecord
from texprior.sweeps.report import describe_outcome
from texprior.sweeps.retries import retry_failed_trials
from texprior.sweeps.storage import default_storage, name_storage_errors
from texprior.sweeps.study import MARK, open_study, programs_of, study_name
from texprior.sweeps.trial import Trials
from texprior.sweeps.workers import SweepJob, run_workers
from texprior.sweeps.write_up import write_up_once
from texprior.track import Run
from texprior.training.given_prior import given_prior
from texprior.training.loop import warmup_notes
from texprior.training.predictor import train_predictor
from texprior.training.preflight import require_adapters
from texprior.training.prior import train_prior


@dataclass(frozen=True)
class _Prepared:
    """A sweep whose prior and predictor are trained."""

    session: Session
    setup: SweepSetup
    trials: Trials
    job: SweepJob
    workers: Workers


def run_study(
    session: Session,
    prior: Path | None = None,
    trials: int | None = None,
    storage: str | None = None,
    run: Run | None = None,
    workers: Workers | None = None,
    retry_failed: bool = False,
) -> StudyDone:
    """Searches the experiment's sweep space until the study holds ``trials`` trials (``sweep.trials`` if None).

    ``prior`` is a trained one; by default that of the experiment's key ``prior``, if it has one, else its own.
    Each trial is a child of ``run``, or of a run of the study's own. ``retry_failed`` runs failed trials again first.
    Any number of processes may run this on one study: each returns the same, when no trial is running any more, and one
    of them writes it up. Raises ConfigError for a metric that the experiment does not measure or if there are too few
    GPUs for one worker, and TexpriorError if no trial finished.
    """
    workers = workers or Workers()
    workers.require(session)
    session = with_metric_keys(session)
    objectives, programs = objectives_of(session), programs_of(session)
    setup = SweepSetup(
        experiment=session.experiment,
        registry=session.registry,
        storage=storage or default_storage(),
        objectives=objectives,
        trials=trials or session.experiment.sweep.trials,
        programs=programs,
    )
    prior = prior or given_prior(session.experiment)
    name = study_name(session.experiment, programs)
    require_splits(session, "train", "val")
    require_adapters(session, prior)
    for note in warmup_notes(session.experiment, ["adapter"]):
        session.say(f"warning: {note}")
    with _parent_run(session, run, name) as parent:
        inner = session.with_(parent_run=parent.info.id)
        prepared = _prepare(inner, setup, name, prior, workers)
        if retry_failed:
            _retry(prepared)
        result = _search(prepared)
        confirmed = _confirm(prepared, result)
        done = _conclude(prepared, result, confirmed, parent)
        write_up_once(parent, prepared.trials, done, result)
        return done


def objectives_of(session: Session) -> dict[str, Better]:
    """Returns what the sweep searches by, with directions.

    Raises ConfigError for a metric that is not measured.
    """
    sweep, measured = session.experiment.sweep, {**build_metrics(session).better, **COSTS}
    for path, names in {"sweep.metric": [sweep.metric], "sweep.also": sweep.also}.items():
        for name in names:
            if name not in measured:
                hint = suggest_name(name, measured)
                raise ConfigError(f"{path}: the experiment does not measure '{name}'; {hint}")
    return {name: cast("Better", measured[name]) for name in (sweep.metric, *sweep.also)}


def _prepare(session: Session, setup: SweepSetup, name: str, prior: Path | None, workers: Workers) -> _Prepared:
    """Trains, or finds, what all trials share: the prior, unless one is given, and the predictor."""
    broken: dict[str, str] = {}
    if prior is None:
        stage_one = train_prior(session)
        prior, broken = stage_one.folder, stage_one.broken
    predictor = train_predictor(session)
    trials = Trials(session, name, prior, predictor.folder, broken={**broken, **predictor.broken})
    setup = replace(setup, shared=trials.shared)
    trials.mark = open_study(setup, session.say).user_attrs.get(MARK, "")
    job = SweepJob.of(session, trials, setup, cast("int", setup.trials))
    return _Prepared(session, setup, trials, job, workers)


def _retry(prepared: _Prepared) -> None:
    """Queues failed trials again, and forgets which configurations failed with a fresh seed."""
    with name_storage_errors(prepared.setup.storage):
        numbers = retry_failed_trials(open_study(prepared.setup))
    prepared.trials.forget_failures()
    prepared.session.say(f"failed trials that are run again: {', '.join(map(str, numbers)) or 'none'}")


def _search(prepared: _Prepared) -> SweepResult:
    """Has the workers run the trials, then runs here what they left: nothing if all went well."""
    say, trials = prepared.session.say, prepared.trials
    run_workers(prepared.job, prepared.session, prepared.workers, prepared.workers.number)

    def report(trial: TrialRecord) -> None:
        say(f"trial {trial.number}: {describe_outcome(trial, prepared.setup.objectives)}")

    result = run_trials(prepared.setup, trials, report, say, trials.end_dead_run)
    if result.best is None:
        reasons = "; ".join(dict.fromkeys(t.reason for t in result.trials if t.reason))
        raise TexpriorError(f"study {trials.study}: none of its {len(result.trials)} trials finished ({reasons})")
    return result


def _confirm(prepared: _Prepared, result: SweepResult) -> list[Confirmed]:
    """Trains the best trials again with fresh seeds, in the workers if there are several trainings to do."""
    trials = prepared.trials
    undone = [pair for pair in confirmation_pairs(trials, result) if not trials.is_known(*pair)]
    if len(undone) > 1:
        run_workers(replace(prepared.job, confirm=True), prepared.session, prepared.workers, len(undone))
    return confirm_best(trials, result)


def _conclude(prepared: _Prepared, result: SweepResult, confirmed: list[Confirmed], parent: Run) -> StudyDone:
    """The finished study; its best trial is the one with the best confirmed mean, if any was confirmed."""
    trials, setup = prepared.trials, prepared.setup
    best = next((t for t in result.trials if confirmed and t.number == confirmed[0].trial), result.best)
    assert best is not None
    model, scores = trials.load_outcome(best)
    return StudyDone(
        study=trials.study,
        storage=result.storage,
        objectives=setup.objectives,
        parent_run=parent.where(),
        best=best,
        trials=result.trials,
        front=result.front,
        confirmed=confirmed,
        importance=parameter_importances(setup.experiment, setup.storage, trials.study),
        model=model,
        prior=trials.prior,
        predictor=trials.predictor,
        scores=scores,
        metrics=trials.confirmed_means(best, confirmed[0].seeds) if confirmed else scores.means(),
        broken=trials.broken,
    )


@contextmanager
def _parent_run(session: Session, run: Run | None, name: str) -> Iterator[Run]:
    """The run above the trials: the one given, or one of the study's own."""
    if run is not None:
        yield run
        return
    info = session.run_info(f"sweep-{name}", f"sweep by {session.experiment.sweep.metric}", "sweep", resume=True)
    with ExitStack() as stack:
        # without the lock, two processes could both find no run and both create one
        with hold_lock(session.root / ".locks" / f"{info.id}.lock"):
            opened = stack.enter_context(session.tracker.run(info))
        yield opened
