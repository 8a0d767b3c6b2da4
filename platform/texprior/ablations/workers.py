"""Starts workers of an ablation by a launcher.

Each gets a share of threads and cache, and runs cells until none are left.
"""

from __future__ import annotations

from functools import partial

from texprior.ablations.plan import Plan, plan_of
from texprior.ablations.work import run_cells
from texprior.runtime.worker_session import WorkerStart
from texprior.runtime.workers import Workers

_LEAST_MB = 16
"""Smallest cache of a worker, MB: the least that ``data.cache_mb`` allows."""


def start_workers(plan: Plan, workers: Workers) -> None:
    """Starts workers and waits for them; does nothing if this process works alone.

    If one dies, reports it; another worker picks up its cell.
    """
    session = plan.session
    if not workers.are_needed(session.registry):
        return
    shares, cache_mb = workers.shares(session), _cache_mb(plan, workers)
    starts = [WorkerStart.of(session, share.name, share.threads, cache_mb, share.gpus) for share in shares]
    works = {start.name: partial(run_worker, start) for start in starts}
    for name, problem in workers.run(session, works, shares[0].threads).items():
        session.say(f"{name} {problem}; another worker picks up its cell")


def _cache_mb(plan: Plan, workers: Workers) -> int | None:
    """Returns a worker's share of this machine's cache; None, which is all of it, on another machine."""
    cache_mb = plan.session.experiment.data.cache_mb
    return max(_LEAST_MB, cache_mb // workers.number) if workers.are_here(plan.session.registry) else None


def run_worker(start: WorkerStart) -> None:
    """Runs cells that no other process is running, until all have ended.

    Reports under the worker's name.
    """
    run_cells(plan_of(start.session()))
