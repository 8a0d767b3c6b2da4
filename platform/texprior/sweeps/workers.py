"""Starts workers that run a sweep's trials.

They are local processes with their share of the threads, or tasks of a Ray cluster. They share Optuna's storage and the
folder of the runs.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Literal

from texprior.errors import ConfigError, TexpriorError
from texprior.processes import run_processes, worker_threads
from texprior.runtime.session import Session
from texprior.runtime.worker_session import GPUS_OPTION, WorkerStart, gpus_of_worker, require_gpus
from texprior.sweeps.ask_tell import run_trials
from texprior.sweeps.confirm import confirm_unclaimed
from texprior.sweeps.records import Better, SweepSetup, TrialRecord
from texprior.sweeps.report import describe_outcome
from texprior.sweeps.study import programs_of, study_name
from texprior.sweeps.trial import Trials

Launcher = Literal["local", "ray"]
_RAY_RETRIES = 3
"""How many times Ray starts a task again whose node died; a cluster that loses more nodes than that needs a person."""


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

    def numbered(self, number: int, threads: int, gpu: str | None = None) -> SweepJob:
        """Returns the job of one worker, with its name, its threads and its GPU."""
        start = replace(self.start, name=f"worker {number + 1}", threads=threads, gpu=gpu)
        return replace(self, start=start, number=number)


@dataclass(frozen=True)
class TrialRunners:
    """Who runs the trials: this process, or ``workers`` others."""

    workers: int = 1
    launcher: Launcher = "local"
    address: str | None = None
    """The address of a Ray cluster; None is the one in RAY_ADDRESS, else a new local one."""
    gpus: float | None = None
    """GPUs of each worker. None is one in turn on this machine, and none of a Ray cluster."""

    def require(self, device: str) -> None:
        """Raises ConfigError if a worker cannot have its GPUs; only a Ray cluster itself knows what it has."""
        require_gpus(device, self.gpus, here=self.launcher == "local")

    def run(self, job: SweepJob, most: int, say: Callable[[str], None]) -> None:
        """Starts at most ``most`` workers on a job and waits for them.

        Does nothing if this process works alone.
        """
        if self.workers > 1 or self.launcher != "local" or self.gpus is not None:
            run_workers(job, replace(self, workers=min(self.workers, most)), say)


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


def run_workers(job: SweepJob, runners: TrialRunners, say: Callable[[str], None]) -> None:
    """Starts workers and waits for them.

    If one dies, reports it; another worker redoes its trial. Raises TexpriorError if all of them ended early.
    """
    local, workers = runners.launcher == "local", runners.workers
    threads = worker_threads(job.start.threads, workers) if local else job.start.threads or 1
    gpus = [gpus_of_worker(n, runners.gpus) if local else None for n in range(workers)]
    jobs = {f"worker {n + 1}": job.numbered(n, threads, gpus[n]) for n in range(workers)}
    works = {name: partial(run_worker, one) for name, one in jobs.items()}
    failures = run_processes(works) if local else _run_ray_tasks(works, threads, runners.gpus or 0, runners.address)
    for name, problem in failures.items():
        say(f"{name} {problem}; another worker will redo its trial")
    if len(failures) == workers:
        raise TexpriorError(f"all {workers} workers of the sweep ended early ({'; '.join(failures.values())})")


def _run_ray_tasks(
    works: Mapping[str, Callable[[], None]], threads: int, gpus: float, address: str | None
) -> dict[str, str]:
    """Runs each work as a task of a Ray cluster, one CPU per thread; returns name -> how it ended, for failures.

    Ray chooses a task's GPUs and hides the others. If a node dies, Ray starts its task again on another node. Raises
    ConfigError if no node has the GPUs that one task needs, because Ray would wait for such a node without end.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
    except ImportError:
        raise ConfigError("--launcher ray: Ray is not installed; pip install 'texprior[ray]'") from None
    started = not ray.is_initialized()
    if started:
        ray.init(address=address, log_to_driver=True, configure_logging=False, include_dashboard=False)
    try:
        most = max((node["Resources"].get("GPU", 0) for node in ray.nodes() if node["Alive"]), default=0)
        if gpus > most:
            raise ConfigError(f"{GPUS_OPTION} {gpus:g}: no node of the Ray cluster has more than {most:g} GPUs")
        options = {"num_cpus": threads, "num_gpus": gpus, "max_retries": _RAY_RETRIES}
        tasks = {name: ray.remote(_call).options(**options, name=name).remote(work) for name, work in works.items()}
        failures = {}
        for name, task in tasks.items():
            try:
                ray.get(task)
            except ray.exceptions.RayError as error:
                failures[name] = f"ended: {str(error).splitlines()[0]}"
        return failures
    finally:
        if started:
            ray.shutdown()


def _call(work: Callable[[], None]) -> None:
    """Ray takes a function, not a partial."""
    work()
