"""Prepares the photographs of the next steps in worker processes, while this process takes a step.

Processes and not threads: components share global state, such as the precision of a GPU and random generators, which a
second thread would change in the middle of a step. Only whole photographs are prepared elsewhere. Which photograph a
sample is cut from, and where, is decided here, so that the workers change no trained number.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import cache
from types import TracebackType
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray

from texprior.errors import TexpriorError
from texprior.processes import bare_start, begin_in_pool, end_pool, usable_cpus
from texprior.registry.error_source import find_source
from texprior.runtime.session import Session
from texprior.runtime.worker_session import WorkerStart
from texprior.store import as_it_lay, in_memory_order
from texprior.training.patches import Pool, Prepared

log = logging.getLogger(__name__)
MakePool = Callable[[Session], Pool]
"""Makes a training's pool in another process; a function of a module, or a ``partial`` of one."""
_EACH = 4
"""Photographs that are on their way for each worker: more would only take memory besides that of the pool."""
_MOST_BY_DEFAULT = 4
_Sent = tuple[list[tuple[NDArray[np.float32], list[int]]], dict[str, int]]
"""The distinct tensors of a photograph, each with the order of its axes in memory, and name -> number of its tensor."""


def worker_count(session: Session) -> int:
    """Returns how many processes prepare photographs: ``data.workers``, or what helps on this machine.

    On a CPU the training itself uses all cores, so that the default is none.
    """
    wanted, cores = session.experiment.data.workers, usable_cpus()
    if wanted is None:
        here = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
        wanted = min(_MOST_BY_DEFAULT, cores // (2 * here)) if session.device.type == "cuda" else 0
    return wanted if wanted and _can_be_made_elsewhere(session) else 0


def _can_be_made_elsewhere(session: Session) -> bool:
    """Whether another process finds all components. It does not find those of a module without a file."""
    entries = [
        session.registry.find(kind, ref.name) for _, kind, ref in session.registry.components_of(session.experiment)
    ]
    known = [entry for entry in entries if entry.plugin.token]
    if known and session.experiment.data.workers:
        session.say(
            f"data.workers: no process is started, because '{known[0].qualified}' was registered in this process only; "
            "register its file instead"
        )
    return not known


class Ahead:
    """The worker processes of one training. They end with the block that it opens."""

    def __init__(self) -> None:
        self.workers = 0
        self._executor: ProcessPoolExecutor | None = None
        self._coming: deque[str] = deque()
        self._pending: dict[str, Future[_Sent]] = {}
        self._undo: Callable[[], None] = lambda: None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _tb: TracebackType | None
    ) -> None:
        self._undo()
        self._end()

    def serve(self, pool: Pool, make: MakePool, session: Session) -> Pool:
        """Lets the pool have its photographs prepared by the workers, which make the same pool from the session."""
        self.workers = worker_count(session)
        if not self.workers:
            return pool
        self._pool, self._here, self._make = pool, pool.prepare, make
        self._start = WorkerStart.of(session, "a worker of data.workers", torch.get_num_threads())
        pool.prepare, pool.announce = self._prepare, self._expect

        def undo() -> None:
            pool.prepare, pool.announce = self._here, None

        self._undo = undo
        return pool

    def _expect(self, keys: Sequence[str]) -> None:
        """Takes note of the photographs that are used next, in this order."""
        self._coming = deque(dict.fromkeys(keys))
        for key in self._pending.keys() - set(keys):
            self._pending.pop(key).cancel()
        self._fill()

    def _fill(self) -> None:
        while self._coming and len(self._pending) < _EACH * self.workers:
            key = self._coming.popleft()
            if key not in self._pool.kept and key not in self._pending:
                self._submit(key)

    def _submit(self, key: str) -> None:
        with bare_start(), self._or_here():
            if self._executor is None and self.workers:
                context = multiprocessing.get_context("spawn")
                self._executor = ProcessPoolExecutor(self.workers, context, begin_in_pool, (os.getpid(),))
            if self._executor is not None:
                self._pending[key] = self._executor.submit(_prepare_there, self._start, self._make, key)

    def _prepare(self, key: str) -> Prepared:
        """Returns a photograph from a worker, or prepares it here if none has begun with it."""
        future = self._pending.pop(key, None)
        if future is None and key in self._coming:
            self._coming.remove(key)
        self._fill()
        if future is not None and not future.cancel():
            with self._or_here():
                return _received(future.result())
        return self._here(key)

    @contextmanager
    def _or_here(self) -> Iterator[None]:
        """Continues without workers if one was killed, such as for lack of memory."""
        try:
            yield
        except BrokenProcessPool:
            if self.workers:
                log.warning(
                    "a process that prepares photographs was killed, perhaps for lack of memory; the training "
                    "continues without such processes; a lower data.workers or data.cache_mb needs less"
                )
            self.workers = 0
            self._end()

    def _end(self) -> None:
        self._coming.clear()
        self._pending.clear()
        if self._executor is None:
            return
        pool, self._executor = self._executor, None
        end_pool(pool)


@cache
def _pool_there(start: WorkerStart, make: MakePool) -> Pool:
    return make(start.bare_session())


def _prepare_there(start: WorkerStart, make: MakePool, key: str) -> _Sent:
    """Prepares a photograph in a worker. An error of a component names it here, where its traceback is."""
    try:
        return _sent(_pool_there(start, make).prepare(key))
    except TexpriorError:
        raise
    except Exception as error:
        found = find_source(error)
        if found is None:
            raise
        raise TexpriorError(found.sentence(error)) from None


def _sent(item: Prepared) -> _Sent:
    """Packs a photograph as arrays, not as torch's shared memory: containers have little of that."""
    numbers: dict[tuple[int, torch.Size, tuple[int, ...]], int] = {}
    names: dict[str, int] = {}
    arrays: list[tuple[NDArray[np.float32], list[int]]] = []
    for name, tensor in item.items():
        same = tensor.data_ptr(), tensor.shape, tensor.stride()
        if same not in numbers:
            numbers[same] = len(arrays)
            lying, order = in_memory_order(tensor)
            arrays.append((lying.numpy(), order))
        names[name] = numbers[same]
    return arrays, names


def _received(sent: _Sent) -> Prepared:
    arrays, names = sent
    tensors = [as_it_lay(torch.from_numpy(array), order) for array, order in arrays]
    return {name: tensors[number] for name, number in names.items()}
