"""Workers of a sweep beyond this process: local processes with their share of the threads, or tasks of a Ray cluster.

They share Optuna's storage and the folders of the runs; what a worker is given is text, so that any machine can start.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Literal

from texprior.config import resolve
from texprior.errors import ConfigError, TexpriorError
from texprior.processes import run_processes
from texprior.registry import Registry
from texprior.runtime.session import Session
from texprior.sweeps.ask_tell import run_trials
from texprior.sweeps.confirm import confirm_unclaimed
from texprior.sweeps.records import Better, TrialRecord
from texprior.sweeps.report import describe_outcome
from texprior.sweeps.study import programs_of, study_name
from texprior.sweeps.trial import Trials

Launcher = Literal["local", "ray"]


@dataclass(frozen=True)
class Job:
    """What a worker needs to know of a sweep."""

    experiment: str
    """The resolved experiment, YAML."""
    plugins: tuple[str, ...]
    """Plugins that are single files."""
    root: str
    parent_run: str
    study: str
    prior: str
    predictor: str
    storage: str
    objectives: dict[str, Better]
    trials: int
    threads: int | None = None
    confirm: bool = False
    """Whether the trials are done, and their best are to be trained with fresh seeds."""
    number: int = 0

    @property
    def name(self) -> str:
        return f"worker {self.number + 1}"


def run_worker(job: Job) -> None:
    """Runs trials until the study has enough of them, or confirms the best; what they say goes to stderr, by name."""
    import yaml

    os.environ["TEXPRIOR_RUNS"] = job.root
    registry = Registry.discover(job.plugins)
    experiment = resolve(yaml.safe_load(job.experiment), registry, source="a worker's experiment")
    placed = experiment.model_copy(update={"threads": job.threads or experiment.threads})

    def say(message: str) -> None:
        print(f"{job.name}: {message}", file=sys.stderr, flush=True)  # noqa: T201

    def told(trial: TrialRecord) -> None:
        say(f"trial {trial.number}: {describe_outcome(trial, job.objectives)}")

    session = Session.start(placed, registry, root=Path(job.root), say=say, parent_run=job.parent_run)
    trials, programs = Trials(session, job.study, Path(job.prior), Path(job.predictor)), programs_of(session)
    if study_name(placed, programs) != job.study:
        raise ConfigError(f"the plugins here are not those that study {job.study} was started with: {programs}")
    result = run_trials(
        placed,
        registry,
        trials,
        job.storage,
        job.objectives,
        told,
        job.trials,
        trials.shared,
        programs=programs,
        died=trials.bury,
    )
    if job.confirm:
        confirm_unclaimed(trials, result, job.number)


def run_workers(job: Job, workers: int, launcher: Launcher, address: str | None, say: Callable[[str], None]) -> None:
    """Starts so many workers and waits for them; one that dies is named, and its trial is the others' to run again."""
    threads = job.threads or max(1, (os.cpu_count() or 1) // workers if launcher == "local" else 1)
    jobs = [replace(job, number=n, threads=threads) for n in range(workers)]
    failures = (
        run_processes({job.name: partial(run_worker, job) for job in jobs})
        if launcher == "local"
        else _ray(jobs, address)
    )
    for name, problem in failures.items():
        say(f"{name} {problem}; what it was at is done by the others")
    if len(failures) == workers:
        raise TexpriorError(f"all {workers} workers of the sweep ended early ({'; '.join(failures.values())})")


def _ray(jobs: list[Job], address: str | None) -> dict[str, str]:
    """Tasks of a Ray cluster, one CPU a thread. A task whose node dies is started again elsewhere by Ray."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
    except ImportError:
        raise ConfigError("--launcher ray: Ray is not installed; pip install 'texprior[ray]'") from None
    started = not ray.is_initialized()
    if started:
        ray.init(address=address, log_to_driver=True, configure_logging=False, include_dashboard=False)
    try:
        tasks = {
            job.name: ray.remote(run_worker)
            .options(num_cpus=job.threads or 1, max_retries=3, name=job.name)
            .remote(job)
            for job in jobs
        }
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
