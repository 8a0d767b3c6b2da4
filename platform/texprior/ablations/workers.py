"""Starts worker processes of an ablation.

Each gets a share of threads and cache, and runs cells until none are left.
"""

from __future__ import annotations

from functools import partial

from texprior.ablations.plan import Plan, plan_of
from texprior.ablations.work import run_cells
from texprior.processes import run_processes, worker_threads
from texprior.runtime.worker_session import WorkerStart, gpus_of_worker

_LEAST_MB = 16
"""Smallest cache of a worker, MB: the least that ``data.cache_mb`` allows."""


def start_workers(plan: Plan, workers: int, gpus: float | None = None) -> None:
    """Starts ``workers`` processes with ``gpus`` GPUs each, and waits.

    If one dies, reports it; another worker picks up its cell.
    """
    session, experiment = plan.session, plan.session.experiment
    threads = worker_threads(experiment.threads, workers)
    cache_mb = max(_LEAST_MB, experiment.data.cache_mb // workers)
    starts = [
        WorkerStart.of(session, f"worker {n + 1}", threads, cache_mb, gpus_of_worker(n, gpus)) for n in range(workers)
    ]
    for name, problem in run_processes({start.name: partial(run_worker, start) for start in starts}).items():
        session.say(f"{name} {problem}; another worker picks up its cell")


def run_worker(start: WorkerStart) -> None:
    """Runs cells that no other process is running, until all have ended.

    Reports under the worker's name.
    """
    run_cells(plan_of(start.session()))
