"""Starts workers that run a sweep's trials.

A launcher starts them, on this machine or others. They share Optuna's storage and the folder of the runs.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from texprior.errors import ConfigError, TexpriorError
from texprior.runtime.session import Session
from texprior.runtime.worker_session import WorkerStart
from texprior.runtime.workers import Share, Workers
from texprior.sweeps.ask_tell import run_trials
from texprior.sweeps.confirm import confirm_unclaimed
from texprior.sweeps.records import Better, SweepSetup, TrialRecord
from texprior.sweeps.report import describe_outcome
from texprior.sweeps.study import programs_of, study_name
from texprior.sweeps.trial import Trials


@dataclass(frozen=True, kw_only=True)
class SweepJob:
    """What a worker of a sweep is started with.

    All of it can be pickled and sent to another machine.
    """

    start: WorkerStart
    study: str
    mark: str
    prior: str
    predictor: str
    storage: str
    objectives: dict[str, Better]
    trials: int
    confirm: bool = False
    """Whether the trials are done, so that the best of them are to be trained with fresh seeds."""
    number: int = 0

    @classmethod
    def of(cls, session: Session, trials: Trials, setup: SweepSetup, wanted: int) -> SweepJob:
        """Describes a sweep for its workers."""
        return cls(
            start=WorkerStart.of(session, "worker", threads=session.experiment.threads),
            study=trials.study,
            mark=trials.mark,
            prior=str(trials.prior.resolve()),
            predictor=str(trials.predictor.resolve()),
            storage=setup.storage,
            objectives=dict(setup.objectives),
            trials=wanted,
        )

    def numbered(self, number: int, share: Share) -> SweepJob:
        """Returns the job of one worker, with its name, its threads and its GPUs."""
        start = replace(self.start, name=share.name, threads=share.threads, gpu=share.gpus)
        return replace(self, start=start, number=number)


def run_worker(job: SweepJob) -> None:
    """Runs trials until the study has enough of them, or confirms the best.

    Reports to stderr under the worker's name. Raises ConfigError if this machine's plugins are not those that the study
    was started with.
    """
    session = job.start.session()
    trials, programs = Trials(session, job.study, Path(job.prior), Path(job.predictor), job.mark), programs_of(session)
    if study_name(session.experiment, programs) != job.study:
        raise ConfigError(f"the plugins here are not those that study {job.study} was started with: {programs}")
    setup = SweepSetup(
        experiment=session.experiment,
        registry=session.registry,
        storage=job.storage,
        objectives=job.objectives,
        trials=job.trials,
        shared=trials.shared,
        programs=programs,
    )

    def report(trial: TrialRecord) -> None:
        session.say(f"trial {trial.number}: {describe_outcome(trial, job.objectives)}")

    result = run_trials(setup, trials, report, session.say, trials.end_dead_run)
    if job.confirm:
        confirm_unclaimed(trials, result, job.number)


def run_workers(job: SweepJob, session: Session, workers: Workers, most: int) -> None:
    """Starts at most ``most`` workers on a job and waits for them; does nothing if this process works alone.

    If one dies, reports it; another worker redoes its trial. Raises TexpriorError if all of them ended early.
    """
    if not workers.are_needed(session.registry):
        return
    shares = workers.shares(session, min(workers.number, most))
    works = {share.name: partial(run_worker, job.numbered(n, share)) for n, share in enumerate(shares)}
    failures = workers.run(session, works, shares[0].threads)
    for name, problem in failures.items():
        session.say(f"{name} {problem}; another worker will redo its trial")
    if len(failures) == len(works):
        raise TexpriorError(f"all {len(works)} workers of the sweep ended early ({'; '.join(failures.values())})")
