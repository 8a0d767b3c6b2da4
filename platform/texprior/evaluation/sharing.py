"""Shares the pictures of an evaluation among processes: those of this machine, or those that torchrun started.

The noise of a picture is keyed by the picture, so it does not matter which process restores it.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import replace
from functools import cache, partial
from multiprocessing.queues import SimpleQueue
from pathlib import Path
from typing import NamedTuple

from texprior.digests import digest
from texprior.errors import TexpriorError, error_text
from texprior.evaluation.evaluate import Judge, Share, judge_here
from texprior.evaluation.judged import Judged, pack, unpack
from texprior.models.build import Model
from texprior.models.folders import ADAPTER, PREDICTOR, load_model
from texprior.processes import bare_start, begin_in_pool, end_pool, worker_threads
from texprior.registry.error_source import find_source
from texprior.runtime.session import Session
from texprior.runtime.team import Team
from texprior.runtime.worker_session import WorkerStart, gpus_of_worker
from texprior.store import sha256

_ROUND = 4
"""Pictures that a process of a team judges between two exchanges: several, so that large and small ones even out."""


class WorkerJob(NamedTuple):
    """What a process of this machine is started with."""

    start: WorkerStart
    model: Path
    prior: Path


def share_of(session: Session, model: Model, workers: int) -> Share:
    """Returns how an evaluation is shared: among a team, among ``workers`` processes, or not at all."""
    if session.team.size > 1:
        return partial(_by_team, model=model, team=session.team)
    if workers > 1:
        return partial(_by_workers, model=model, workers=workers)
    return judge_here


def _by_workers(judge: Judge, model: Model, workers: int) -> Iterator[Judged]:
    """Lets processes of this machine take the next picture whenever they are free."""
    workers = min(workers, len(judge.keys))
    session, context = judge.session, multiprocessing.get_context("spawn")
    threads = worker_threads(session.experiment.threads, workers)
    jobs = context.SimpleQueue()
    for n in range(workers):
        start = WorkerStart.of(session, f"worker {n + 1}", threads, gpu=gpus_of_worker(n))
        jobs.put(WorkerJob(start, model.folder, model.prior.folder))
    pool = ProcessPoolExecutor(workers, context, _begin, (os.getpid(), jobs))
    try:
        with _named_death(workers):
            with bare_start():
                futures = [pool.submit(_judge_there, number) for number in range(len(judge.keys))]
            for future in futures:
                yield from unpack(future.result())
    finally:
        end_pool(pool)


@contextmanager
def _named_death(workers: int) -> Iterator[None]:
    """Says what happened where a process ended without an answer."""
    try:
        yield
    except BrokenProcessPool:
        raise TexpriorError(
            f"one of {workers} processes that restore pictures was killed, perhaps for lack of memory; nothing was "
            "written; run the command again, with fewer --workers if memory is short"
        ) from None


_jobs: list[WorkerJob] = []
"""The job of this process, if it is a worker."""


def _begin(parent: int, jobs: SimpleQueue[WorkerJob]) -> None:
    begin_in_pool(parent)
    _jobs.append(jobs.get())


@cache
def _judge_of_worker() -> _Trimmed:
    job = _jobs[0]
    session = job.start.bare_session()
    return _Trimmed(Judge(session, load_model(job.model, session.builder, job.prior)))


def _judge_there(number: int) -> bytes:
    """Judges a picture in a worker. An error of a component names it here, where its traceback is."""
    try:
        return pack([_judge_of_worker()(number)])
    except TexpriorError:
        raise
    except Exception as error:
        found = find_source(error)
        if found is None:
            raise
        raise TexpriorError(found.sentence(error)) from None


class _Trimmed:
    """A judge that hands on the versions of no more pictures than a contact sheet can show.

    The first pictures of all are among the first ones of each process, if each takes its pictures in order.
    """

    def __init__(self, judge: Judge) -> None:
        self._judge, self._left = judge, judge.session.experiment.evaluation.pictures

    def __call__(self, number: int) -> Judged:
        judged = self._judge(number)
        if judged.broken:
            return judged
        self._left -= 1
        return judged if self._left >= 0 else replace(judged, shown={})


def _by_team(judge: Judge, model: Model, team: Team) -> Iterator[Judged]:
    """Judges this process's part of the pictures; the leader gets what all have found, round by round."""
    team.require_same("the evaluation", _identity(judge, model))
    judges, count = _Trimmed(judge), len(judge.keys)
    for first in range(0, count, _ROUND * team.size):
        own = range(first, min(first + _ROUND * team.size, count))[team.rank :: team.size]
        found = _found_by_all(team, partial(_judge_each, judges, own))
        if team.leads:
            yield from found


def _identity(judge: Judge, model: Model) -> str:
    """Returns a digest of the model, of the experiment and of the pictures' keys."""
    weights = [*(sha256(model.folder / name) for name in (PREDICTOR, ADAPTER)), model.prior.sha256]
    return digest([weights, judge.session.experiment.model_dump(mode="json"), list(judge.keys)])


def _judge_each(judges: _Trimmed, numbers: Sequence[int]) -> bytes:
    return pack([judges(number) for number in numbers])


def _found_by_all(team: Team, work: Callable[[], bytes]) -> list[Judged]:
    """Returns what all processes found, in the order of the pictures.

    If one fails, all processes end with its error, because a process that waited for it would wait in vain.
    """
    found, error = b"", None
    try:
        found = work()
    except Exception as failed:
        error = failed
    said = team.from_all(error_text(error).encode() if error else b"")
    if error is not None:
        raise error
    for rank, text in enumerate(said):
        if text:
            raise TexpriorError(f"process {rank + 1} of {team.size} failed: {text.decode()}")
    parts = [unpack(part) for part in team.from_all(found)]
    return sorted((judged for part in parts for judged in part), key=lambda judged: judged.number)
