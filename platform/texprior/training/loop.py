"""Trains Stage I, the predictor or the adapter in one loop, which yields typed events.

Every random number is a function of (seed, sample number), or of (seed, step, process) if a network draws it in its
forward pass, such as dropout. A checkpoint therefore needs no random state. On the CPU a resumed run equals an
uninterrupted one to the bit; on a GPU it does as far as the kernels are deterministic.
"""

from __future__ import annotations

import contextlib
import math
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import torch
from torch import Tensor, nn

from texprior.config.schema import Experiment, Training
from texprior.diffusion.keys import drawing_by_key
from texprior.errors import TexpriorError
from texprior.flow.optimize import LearningRateDecay
from texprior.flow.precision import repeatable_convolutions
from texprior.runtime.team import ALONE, Team
from texprior.training.checkpoints import CheckpointWriter
from texprior.training.spikes import is_spike, remembered
from texprior.training.trainee import Saved, Trainee

NOTHING = "nothing to train"
GIVE_UP_AFTER = 10
"""Steps in a row without a finite loss and gradient after which a training stops.

A single one may be the fault of one picture or of an overflow. Ten in a row, each on other pictures and other noise,
show that the weights or a component are at fault, and cost little time."""
_AHEAD = 4
"""Steps whose photographs are announced before a step."""
Loss = Callable[[Sequence[int]], Tensor]
"""A function from sample numbers to the loss per image, (B,)."""


class Diverged(TexpriorError):
    """Raised if ``GIVE_UP_AFTER`` steps in a row were not finite.

    A training of fewer steps raises it if all its steps were not finite.
    """

    def __init__(self, steps: int, numbers: range, loss: float, grad_norm: float) -> None:
        super().__init__(
            f"{steps} steps in a row were not finite, up to image {numbers.stop} "
            f"(loss {loss}, gradient norm {grad_norm})"
        )
        self.numbers = numbers
        """The sample numbers of the last step."""


@dataclass(frozen=True)
class Step:
    """A finished step of the optimiser."""

    images_seen: int
    loss: float
    grad_norm: float
    lr: float
    images_per_s: float
    skipped: bool
    """Whether the step changed nothing, because its loss or gradient was not finite."""


@dataclass(frozen=True)
class Finished:
    """The end of a training.

    Its budget or time is used up, or the user interrupted it.
    """

    images_seen: int
    elapsed_s: float
    why: str
    """The reason: ``budget``, ``seconds``, ``interrupted``, or ``nothing to train``."""
    skipped_steps: int = 0
    """Steps that changed nothing, because their loss or gradient was not finite."""
    spikes: int = 0
    """Steps whose loss was far above that of the steps before."""
    last_spike: int = 0
    """Images seen after the last of them."""
    images_before: int = 0
    """Images of the training that this one started from."""


def train_steps(
    trainee: Trainee,
    loss: Loss,
    checkpoint: Path,
    about: Mapping[str, object],
    team: Team = ALONE,
    seed: int = 0,
    turns: int = 1,
    expect: Callable[[Sequence[int]], None] | None = None,
) -> Iterator[Step | Saved | Finished]:
    """Trains until the budget is used up.

    Ctrl-C ends the training after the current step, with a checkpoint. In a team every process takes its share of each
    batch, and all take the same steps. Only the leader saves. For a network without trainable parameters the only event
    is ``Finished``, and no step is taken. ``turns`` is how many photographs take turns in the sample numbers, for
    ``Team.share``. ``expect`` is told the sample numbers of this process in the next steps. Raises Diverged if many
    steps in a row are not finite.
    """
    settings = trainee.settings
    team.require("training.batch", settings.batch)
    team.require("training.microbatch", settings.microbatch or settings.batch)
    if not trainee.parameters():
        yield Finished(trainee.images_seen, trainee.elapsed_s, NOTHING)
        return

    device = next(iter(trainee.parameters().values())).device
    with _interruptible() as interrupted, CheckpointWriter(trainee, checkpoint, about) as writer:
        why = _spent(trainee, 0.0)
        while not why:
            started, numbers = time.monotonic(), range(trainee.next_number, trainee.next_number + settings.batch)
            if expect is not None:
                expect(_next_numbers(trainee, team, turns))
            with drawing_by_key(device, seed, "step", numbers.start, team.rank), repeatable_convolutions():
                (total, norm, lr), why = _step(trainee, loss, team, turns, interrupted)
            elapsed = time.monotonic() - started
            # The clock stops while the caller handles an event: only time in steps counts against the budget.
            trainee.elapsed_s += elapsed

            skipped = trainee.skipped_in_a_row > 0
            if not skipped and is_spike(total, trainee.recent_losses):
                trainee.spikes, trainee.last_spike = trainee.spikes + 1, trainee.images_seen
            elif not skipped:
                trainee.recent_losses = remembered(total, trainee.recent_losses)
            yield Step(trainee.images_seen, total, norm, lr, settings.batch / elapsed, skipped)
            images_skipped = trainee.skipped_steps * settings.batch
            ends_untrained = why in ("budget", "seconds") and images_skipped >= trainee.images_seen
            if trainee.skipped_in_a_row >= GIVE_UP_AFTER or ends_untrained:
                raise Diverged(trainee.skipped_in_a_row, numbers, total, norm)
            # After a skipped step no checkpoint is written, so that a resume meets the failing steps again.
            yield from writer.written()
            if team.leads and not (why or skipped):
                writer.begin_if_due()
        if team.leads:
            yield from writer.finish()
        counts = trainee.skipped_steps, trainee.spikes, trainee.last_spike, trainee.images_before
        yield Finished(trainee.images_seen, trainee.elapsed_s, why, *counts)


def _next_numbers(trainee: Trainee, team: Team, turns: int) -> list[int]:
    """Returns the sample numbers of this process in the next steps, up to the end of the budget."""
    settings, first = trainee.settings, trainee.next_number
    size, last = settings.microbatch or settings.batch, trainee.images_before + settings.budget.images
    end = min(first + _AHEAD * settings.batch, last)
    return [n for start in range(first, end, size) for n in team.share(range(start, start + size), turns)]


def _step(
    trainee: Trainee, loss: Loss, team: Team, turns: int, interrupted: threading.Event
) -> tuple[tuple[float, float, float], str]:
    """Takes one step of the optimiser, or skips it if its loss or gradient is not finite.

    Returns (loss, norm of the gradient before clipping, learning rate), and the reason to stop, or "" to continue.
    """
    settings, first, started = trainee.settings, trainee.next_number, time.monotonic()
    parameters, own = list(trainee.parameters().values()), list(trainee.recipe.own_parameters().values())
    size = settings.microbatch or settings.batch

    # The sum is divided by the whole batch, so that gradients add up to those of one large batch. They are added over
    # microbatches here, and over processes below.
    sums = []
    for start in range(first, first + settings.batch, size):
        losses = loss(team.share(range(start, start + size), turns))
        (losses.sum() / settings.batch).backward()  # type: ignore[no-untyped-call]
        sums.append(losses.detach().sum())
    # Read once, after all microbatches: each reading waits until the device has computed what was asked of it.
    total = sum(part / settings.batch for part in torch.stack(sums).tolist())

    # A process must not stop alone, or the others would wait for it; so the reasons to stop are summed too (ADR 7).
    late = _spent(trainee, time.monotonic() - started) == "seconds"
    total, asked, timed_out = team.total([*parameters, *own], total, float(interrupted.is_set()), float(late))

    # Checked before the step, so that NaN reaches neither the weights nor the averages.
    norms = [float(nn.utils.clip_grad_norm_(clipped, settings.grad_clip)) for clipped in (parameters, own)]
    norm = norms[0]
    trainee.images_seen += settings.batch
    lr = learning_rate(settings, trainee.images_seen, trainee.recipe.decay)
    if math.isfinite(total) and all(math.isfinite(each) for each in norms):
        trainee.step(lr)
        trainee.skipped_in_a_row = 0
    else:
        trainee.skipped_steps += 1
        trainee.skipped_in_a_row += 1
    trainee.optimizer.zero_grad(set_to_none=True)

    # The budget comes first: a training that has all its images is complete, even if it was interrupted as well.
    if trainee.images_seen >= settings.budget.images:
        return (total, norm, lr), "budget"
    return (total, norm, lr), "interrupted" if asked else "seconds" if timed_out else ""


def learning_rate(settings: Training, images_seen: int, decay: LearningRateDecay) -> float:
    """Returns the learning rate after ``images_seen`` images.

    It rises linearly over ``warmup_images``, and is multiplied by the decay.
    """
    warm = min(1.0, images_seen / settings.warmup_images) if settings.warmup_images else 1.0
    return settings.lr * warm * decay(min(1.0, images_seen / settings.budget.images))


def warmup_notes(experiment: Experiment, stages: Sequence[str]) -> list[str]:
    """Says which trainings end while their learning rate still rises: it then never stays at ``lr``."""
    notes = []
    for stage in stages:
        settings: Training = getattr(experiment.training, stage)
        warmup, images = settings.warmup_images, settings.budget.images
        if warmup >= images:
            notes.append(
                f"training.{stage}: the warm-up ({warmup:,} images) is not shorter than the budget ({images:,}): the "
                f"learning rate still rises at the end, where it is {images / warmup:.0%} of lr; set "
                f"training.{stage}.warmup_images well below the budget"
            )
    return notes


def _spent(trainee: Trainee, more_s: float) -> str:
    """Returns which limit of the budget is reached, ``budget`` (images) or ``seconds``; "" if none is.

    ``more_s`` is added to the time that the trainee has counted.
    """
    budget = trainee.settings.budget
    if trainee.images_seen >= budget.images:
        return "budget"
    return "seconds" if budget.seconds is not None and trainee.elapsed_s + more_s >= budget.seconds else ""


@contextlib.contextmanager
def _interruptible() -> Iterator[threading.Event]:
    """Yields an event that Ctrl-C or SIGTERM sets, so that no step is cut off; a second signal interrupts at once."""
    event = threading.Event()
    # Python allows only the main thread to set signal handlers. In another thread nothing sets the event.
    if threading.current_thread() is not threading.main_thread():
        yield event
        return

    def handle(number: int, _frame: FrameType | None) -> None:
        if event.is_set():
            raise KeyboardInterrupt
        event.set()

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield event
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
