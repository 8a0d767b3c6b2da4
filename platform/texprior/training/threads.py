"""Chooses how many CPU threads a training computes with, by what its own step gains from them.

More threads are not always faster: a step of a small network waits more often for its threads than it computes, above
all if other processes use the same cores.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import platform
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import torch
from torch import Tensor, nn

from texprior.config.schema import Training
from texprior.runtime.session import Session
from texprior.store import about_tensors, write_atomically
from texprior.training.loop import Loss
from texprior.training.memory import LossOf, put_back

_NEARLY = 1.1
"""Half the threads are used if a step takes at most this many times as long as with the best number.

The other half is then free for data workers and other programs, for a speed within what a trial can tell."""
_ROUNDS = 5
"""Timed steps with each number of threads, in turn, of which the median counts."""
_WORTH_S = 60
"""Expected time of a training, s, below which nothing is tried, because a trial would take longer than it saves."""
_BUSY = 0.25
"""Share of the usable processors that other programs take during a trial, above which its answer is not kept."""
_FILE = "threads.json"


@contextmanager
def own_threads() -> Iterator[None]:
    """Restores torch's number of threads when the block ends."""
    before = torch.get_num_threads()
    try:
        yield
    finally:
        torch.set_num_threads(before)


def choose_threads(
    session: Session,
    stage: str,
    settings: Training,
    loss_of: LossOf,
    trained: nn.Module,
    *frozen: nn.Module,
    checkpoint: Path | None = None,
) -> int:
    """Sets the number of threads for a training, and returns it.

    Steps on random patches are timed with all threads, half of them, and so on. The fewest that are nearly as fast are
    used. The answer is kept in the folder of caches, so that later trainings of such a network round alike; a training
    that goes on from its ``checkpoint`` takes the number that is in there. Nothing is tried if the user chose a number
    (``threads``, OMP_NUM_THREADS, workers, torchrun), on a GPU, or for a training of less than a minute.
    """
    threads = torch.get_num_threads()
    parameters = [p for p in trained.parameters() if p.requires_grad]
    if session.experiment.threads or "OMP_NUM_THREADS" in os.environ or threads == 1 or session.team.size > 1:
        return threads
    if not parameters or parameters[0].device.type != "cpu":
        return threads
    if checkpoint is not None and checkpoint.is_file() and not session.fresh:
        before = about_tensors(checkpoint).get("threads")
        if isinstance(before, int) and 1 <= before <= threads:
            torch.set_num_threads(before)
            return before
    file, key = session.cache_folder / _FILE, _key(settings, trained, *frozen)
    chosen = _kept(file).get(key)
    if not isinstance(chosen, int) or not 1 <= chosen <= threads:
        loss = loss_of(settings)
        images = settings.microbatch or settings.batch
        step = functools.partial(_step, loss, range(images), parameters)
        started, elsewhere = time.monotonic(), _others_s()
        with put_back(trained, *frozen), own_threads(), torch.random.fork_rng():
            step()  # the first one allocates memory
            expected_s = settings.budget.images / images * _seconds(step, threads)
            if min(expected_s, settings.budget.seconds or expected_s) < _WORTH_S:
                return threads
            chosen = _fewest(step, threads)
        busy = _others_s() - elsewhere > _BUSY * threads * (time.monotonic() - started)
        if not busy:
            write_atomically(file, json.dumps(_kept(file) | {key: chosen}, indent=1).encode())
        beside = " beside other programs" if busy else ""
        session.say(
            f"{stage}: computes with {chosen} of {threads} threads, by a trial{beside} ('threads' sets the number)"
        )
    torch.set_num_threads(chosen)
    return chosen


def _fewest(step: Callable[[], None], threads: int) -> int:
    """Returns the fewest threads with which a step is nearly as fast as with the best number."""
    chosen, best = threads, float("inf")
    while chosen > 1:
        half = chosen // 2
        rounds = [(_seconds(step, chosen), _seconds(step, half)) for _ in range(_ROUNDS)]
        best = min(best, median(now for now, _ in rounds))
        less = median(then for _, then in rounds)
        if less > _NEARLY * best:
            break
        chosen, best = half, min(best, less)
    return chosen


def _step(loss: Loss, numbers: Sequence[int], parameters: Sequence[Tensor]) -> None:
    """Computes the gradient of a step, and drops it."""
    torch.autograd.grad(loss(numbers).mean(), parameters, allow_unused=True)


def _seconds(step: Callable[[], None], threads: int) -> float:
    torch.set_num_threads(threads)
    started = time.monotonic()
    step()
    return time.monotonic() - started


def _others_s(stat: Path = Path("/proc/stat")) -> float:
    """Returns what other programs have computed on the usable processors, s of one since the start of the machine.

    Only its differences count. If the system does not tell, they are not positive.
    """
    try:
        lines = [line.split() for line in stat.read_text(encoding="utf-8").splitlines()]
        usable, ticks = {f"cpu{n}" for n in os.sched_getaffinity(0)}, os.sysconf("SC_CLK_TCK")
    # not on macOS and Windows
    except (OSError, AttributeError):
        return -time.process_time()
    # not idle, and not waiting for a disk: user, nice, system, interrupts, and what other virtual machines took
    worked = sum(int(line[field]) for line in lines if line and line[0] in usable for field in (1, 2, 3, 6, 7, 8))
    return worked / ticks - time.process_time()


def _key(settings: Training, *networks: nn.Module) -> str:
    """Returns what decides the speed of a step: processor, torch, and the networks with the size of their input."""
    shapes = [
        [type(network).__qualname__, [[list(p.shape), p.requires_grad] for p in network.parameters()]]
        for network in networks
    ]
    size = [settings.batch, settings.microbatch, settings.patch, settings.amp, settings.compile, settings.objective]
    about = [platform.node(), platform.processor(), torch.get_num_threads(), torch.__version__, size, shapes]
    return hashlib.sha256(json.dumps(about, default=str).encode()).hexdigest()[:16]


def _kept(file: Path) -> dict[str, object]:
    """Returns the choices that were kept; none if there is no such file, or if it was damaged."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
