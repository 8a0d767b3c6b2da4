"""More hands for an ablation: local processes with their share of threads and memory, each taking cells by itself."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from texprior.ablations.plan import Plan, plan_of
from texprior.ablations.work import run_cells
from texprior.config import resolve
from texprior.processes import run_processes
from texprior.registry import Registry
from texprior.runtime.session import Session

_LEAST_MB = 16


@dataclass(frozen=True)
class WorkerJob:
    """What a process needs to know of an ablation; text, as it starts with nothing."""

    name: str
    experiment: str
    """The resolved experiment, YAML."""
    plugins: tuple[str, ...]
    """Plugins that are single files."""
    root: str
    threads: int
    cache_mb: int


def start_workers(plan: Plan, workers: int) -> None:
    """Lets so many processes work until every cell has ended; one that dies is named, its cell left to the others."""
    session = plan.session
    threads = (session.experiment.threads or os.cpu_count() or 1) // workers
    hands = [
        WorkerJob(
            f"worker {n + 1}",
            session.experiment.to_yaml(),
            tuple(session.registry.files),
            str(session.root),
            max(1, threads),
            max(_LEAST_MB, session.experiment.data.cache_mb // workers),
        )
        for n in range(workers)
    ]
    for name, problem in run_processes({hand.name: partial(run_worker, hand) for hand in hands}).items():
        session.say(f"{name} {problem}; what it was at is taken up by whoever goes on")


def run_worker(hand: WorkerJob) -> None:
    """One process's work: cells that nobody is at, until all have ended. What it says bears its name."""
    import yaml

    def say(message: str) -> None:
        print(f"{hand.name}: {message}", file=sys.stderr, flush=True)  # noqa: T201

    registry = Registry.discover(hand.plugins)
    experiment = resolve(yaml.safe_load(hand.experiment), registry, source="a worker's experiment")
    data = experiment.data.model_copy(update={"cache_mb": hand.cache_mb})
    placed = experiment.model_copy(update={"threads": hand.threads, "data": data})
    run_cells(plan_of(Session.start(placed, registry, root=Path(hand.root), say=say)))
