"""Trains Stage I, the predictor or the adapter in one loop, which yields typed events.

Every random number is a function of (seed, sample number). A checkpoint therefore needs no random state, and a resumed
run equals an uninterrupted one to the bit.
"""

from __future__ import annotations

import contextlib
import math
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from torch import Tensor, nn

from texprior.config.schema import Training
from texprior.diffusion.ema import Ema
from texprior.errors import TexpriorError
from texprior.runtime.team import ALONE, Team
from texprior.store import load_tensors, save_tensors

NOTHING = "nothing to train"
Loss = Callable[[Sequence[int]], Tensor]
"""A function from sample numbers to the loss per image, (B,)."""


@dataclass(frozen=True)
class Step:
    """A finished step of the optimiser."""

    images_seen: int
    loss: float
    grad_norm: float
    lr: float
    images_per_s: float


@dataclass(frozen=True)
class Saved:
    """A checkpoint that was written."""

    images_seen: int
    path: Path


@dataclass(frozen=True)
class Finished:
    """The end of a training.

    Its budget or time is used up, or the user interrupted it.
    """

    images_seen: int
    elapsed_s: float
    why: str
    """The reason: ``budget``, ``seconds``, ``interrupted``, or ``nothing to train``."""


@dataclass
class Trainee:
    """A network in training, with its optimiser, its average and its progress."""

    network: nn.Module
    settings: Training
    ema: Ema = field(init=False)
    optimizer: torch.optim.AdamW = field(init=False)
    images_seen: int = 0
    elapsed_s: float = 0.0

    def __post_init__(self) -> None:
        s = self.settings
        self.ema = Ema(self.parameters(), s.ema_half_life_images, s.ema_rampup)
        # AdamW refuses an empty list of parameters, but accepts an empty group; an adapter may have no parameters
        group = {"params": list(self.parameters().values())}
        self.optimizer = torch.optim.AdamW([group], lr=s.lr, weight_decay=s.weight_decay)

    def parameters(self) -> dict[str, nn.Parameter]:
        """Returns the trainable parameters by name."""
        return {n: p for n, p in self.network.named_parameters() if p.requires_grad}

    def averaged(self) -> dict[str, Tensor]:
        """Returns the network's state, with the averages in place of the trained weights."""
        return {**self.network.state_dict(), **self.ema.shadow}

    def save(self, path: Path, about: Mapping[str, object]) -> Saved:
        """Writes all that a bit-exact resume needs to one file, atomically."""
        tensors = {f"model/{n}": t for n, t in self.network.state_dict().items()}
        tensors |= {f"ema/{n}": t for n, t in self.ema.shadow.items()}
        for name, parameter in self.parameters().items():
            tensors |= {f"adam/{key}/{name}": t for key, t in self.optimizer.state.get(parameter, {}).items()}
        save_tensors(path, tensors, {**about, "images_seen": self.images_seen, "elapsed_s": self.elapsed_s})
        return Saved(self.images_seen, path)

    def load(self, path: Path, wanted: Callable[[Mapping[str, Any]], bool] = lambda _about: True) -> bool:
        """Loads a checkpoint if its record (``about``) is ``wanted``; returns whether it did.

        The owner of the file may overwrite it later. Raises ConfigError if the file cannot be read.
        """
        tensors, about = load_tensors(path)
        if not wanted(about):
            return False
        parts = ("model", "ema", "adam")
        group = {p: {n.split("/", 1)[1]: t for n, t in tensors.items() if n.startswith(f"{p}/")} for p in parts}
        self.network.load_state_dict(group["model"])
        for name, shadow in self.ema.shadow.items():
            shadow.copy_(group["ema"][name])
        for name, parameter in self.parameters().items():
            state = {key: group["adam"].get(f"{key}/{name}") for key in ("step", "exp_avg", "exp_avg_sq")}
            # Set directly: the optimiser's own ``load_state_dict`` knows parameters by number, the file by name. The
            # moments get the parameter's device and memory format; AdamW keeps ``step`` on the CPU.
            self.optimizer.state[parameter] = {
                key: t if key == "step" else torch.empty_like(parameter).copy_(t)
                for key, t in state.items()
                if t is not None
            }
        self.images_seen, self.elapsed_s = int(about["images_seen"]), float(about["elapsed_s"])
        return True


def train_steps(
    trainee: Trainee, loss: Loss, checkpoint: Path, about: Mapping[str, object], team: Team = ALONE
) -> Iterator[Step | Saved | Finished]:
    """Trains until the budget is used up.

    Ctrl-C ends the training after the current step, with a checkpoint. In a team every process takes its share of each
    batch, and all take the same steps. Only the leader saves. For a network without trainable parameters the only event
    is ``Finished``, and no step is taken.
    """
    settings = trainee.settings
    team.require("training.batch", settings.batch)
    team.require("training.microbatch", settings.microbatch or settings.batch)
    if not trainee.parameters():
        yield Finished(trainee.images_seen, trainee.elapsed_s, NOTHING)
        return

    saved_at = time.monotonic()
    with _interruptible() as interrupted:
        why = _spent(trainee, 0.0)
        while not why:
            started = time.monotonic()
            step, why = _step(trainee, loss, team, interrupted)
            elapsed = time.monotonic() - started
            # The clock stops while the caller handles an event: only time in steps counts against the budget.
            trainee.elapsed_s += elapsed
            yield Step(trainee.images_seen, *step, images_per_s=settings.batch / elapsed)
            if team.leads and not why and time.monotonic() - saved_at > settings.checkpoint_every_s:
                yield trainee.save(checkpoint, about)
                saved_at = time.monotonic()
        if team.leads:
            yield trainee.save(checkpoint, about)
        yield Finished(trainee.images_seen, trainee.elapsed_s, why)


def _step(
    trainee: Trainee, loss: Loss, team: Team, interrupted: threading.Event
) -> tuple[tuple[float, float, float], str]:
    """Takes one step of the optimiser.

    Returns (loss, norm of the gradient before clipping, learning rate), and the reason to stop, or "" to continue.
    """
    settings, first, started = trainee.settings, trainee.images_seen, time.monotonic()
    parameters = list(trainee.parameters().values())
    size = settings.microbatch or settings.batch

    # The sum is divided by the whole batch, so that gradients add up to those of one large batch. They are added over
    # microbatches here, and over processes below.
    total = 0.0
    for start in range(first, first + settings.batch, size):
        losses = loss(team.share(range(start, start + size)))
        (losses.sum() / settings.batch).backward()  # type: ignore[no-untyped-call]
        total += float(losses.detach().sum()) / settings.batch

    # A process must not stop alone, or the others would wait for it; so the reasons to stop are summed too (ADR 7).
    late = _spent(trainee, time.monotonic() - started) == "seconds"
    total, asked, timed_out = team.total(parameters, total, float(interrupted.is_set()), float(late))

    # Checked before the step, so that NaN reaches neither the weights nor the averages.
    norm = float(nn.utils.clip_grad_norm_(parameters, settings.grad_clip))
    if not (math.isfinite(total) and math.isfinite(norm)):
        raise TexpriorError(
            f"the training diverged after {first} images (loss {total}, gradient norm {norm}); "
            "the last checkpoint was kept; lower the learning rate"
        )

    lr = learning_rate(settings, first + settings.batch)
    for group in trainee.optimizer.param_groups:
        group["lr"] = lr
    trainee.optimizer.step()
    trainee.optimizer.zero_grad(set_to_none=True)
    trainee.images_seen += settings.batch
    trainee.ema.update(trainee.parameters(), settings.batch, trainee.images_seen)

    # The budget comes first: a training that has all its images is complete, even if it was interrupted as well.
    if trainee.images_seen >= settings.budget.images:
        return (total, norm, lr), "budget"
    return (total, norm, lr), "interrupted" if asked else "seconds" if timed_out else ""


def learning_rate(settings: Training, images_seen: int) -> float:
    """Returns the learning rate after ``images_seen`` images.

    It rises linearly over ``warmup_images``. Then it is constant, or follows a cosine to 0 at the end of the budget.
    """
    warm = min(1.0, images_seen / settings.warmup_images) if settings.warmup_images else 1.0
    if settings.decay == "constant":
        return settings.lr * warm
    return settings.lr * warm * 0.5 * (1 + math.cos(math.pi * min(1.0, images_seen / settings.budget.images)))


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
