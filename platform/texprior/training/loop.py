"""The one training loop, for Stage I, the predictor and the adapter: a generator of typed steps.

Every random number is a function of (seed, sample number), so that a checkpoint needs no random state and a resumed
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
"""Sample numbers -> loss per image, (B,)."""


@dataclass(frozen=True)
class Step:
    """One optimiser step, after it was taken."""

    images_seen: int
    loss: float
    grad_norm: float
    lr: float
    images_per_s: float


@dataclass(frozen=True)
class Saved:
    """A checkpoint was written."""

    images_seen: int
    path: Path


@dataclass(frozen=True)
class Finished:
    """The end: the budget is used up, a time limit was reached, or the user interrupted."""

    images_seen: int
    elapsed_s: float
    why: str
    """``budget``, ``seconds``, ``interrupted``, or ``nothing to train``."""


@dataclass
class Trainee:
    """What is trained and how far it is."""

    network: nn.Module
    settings: Training
    ema: Ema = field(init=False)
    optimizer: torch.optim.AdamW = field(init=False)
    images_seen: int = 0
    elapsed_s: float = 0.0

    def __post_init__(self) -> None:
        s = self.settings
        self.ema = Ema(self.parameters(), s.ema_half_life_images, s.ema_rampup)
        group = {"params": list(self.parameters().values())}  # a group may be empty, a list of parameters may not
        self.optimizer = torch.optim.AdamW([group], lr=s.lr, weight_decay=s.weight_decay)

    def parameters(self) -> dict[str, nn.Parameter]:
        return {n: p for n, p in self.network.named_parameters() if p.requires_grad}

    def averaged(self) -> dict[str, Tensor]:
        """The network's state with the average in place of the trained weights."""
        return {**self.network.state_dict(), **self.ema.shadow}

    def save(self, path: Path, about: dict[str, Any]) -> Saved:
        """Everything for a bit-exact resume, in one file, atomically."""
        tensors = {f"model/{n}": t for n, t in self.network.state_dict().items()}
        tensors |= {f"ema/{n}": t for n, t in self.ema.shadow.items()}
        for name, parameter in self.parameters().items():
            tensors |= {f"adam/{key}/{name}": t for key, t in self.optimizer.state.get(parameter, {}).items()}
        save_tensors(path, tensors, {**about, "images_seen": self.images_seen, "elapsed_s": self.elapsed_s})
        return Saved(self.images_seen, path)

    def load(self, path: Path, wanted: Callable[[Mapping[str, Any]], bool] = lambda _about: True) -> bool:
        """Takes up a checkpoint, if what it says of itself is ``wanted``: whose it is may go on writing it.

        Raises ConfigError where it cannot be read.
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
            self.optimizer.state[parameter] = {
                key: t if key == "step" else torch.empty_like(parameter).copy_(t)
                for key, t in state.items()
                if t is not None
            }
        self.images_seen, self.elapsed_s = int(about["images_seen"]), float(about["elapsed_s"])
        return True


def train_steps(
    trainee: Trainee, loss: Loss, checkpoint: Path, about: dict[str, Any], team: Team = ALONE
) -> Iterator[Step | Saved | Finished]:
    """Trains until the budget is used up. Ctrl-C ends it after the step in progress, with a checkpoint.

    In a team every process takes its share of each batch and all take the same steps; the leader alone saves. A network
    without trainable parameters is finished at once, after no image.
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
    """Loss, norm of the gradient before clipping and learning rate; and the reason to stop here, if there is one."""
    settings, first, started = trainee.settings, trainee.images_seen, time.monotonic()
    parameters = list(trainee.parameters().values())
    size = settings.microbatch or settings.batch
    total = 0.0
    for start in range(first, first + settings.batch, size):
        losses = loss(team.share(range(start, start + size)))
        (losses.sum() / settings.batch).backward()  # type: ignore[no-untyped-call]
        total += float(losses.detach().sum()) / settings.batch
    late = _spent(trainee, time.monotonic() - started) == "seconds"
    total, asked, timed_out = team.total(parameters, total, float(interrupted.is_set()), float(late))
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
    if trainee.images_seen >= settings.budget.images:
        return (total, norm, lr), "budget"
    return (total, norm, lr), "interrupted" if asked else "seconds" if timed_out else ""


def learning_rate(settings: Training, images_seen: int) -> float:
    """Linear warm-up over the first images, then constant, or a cosine to zero at the end of the budget."""
    warm = min(1.0, images_seen / settings.warmup_images) if settings.warmup_images else 1.0
    if settings.decay == "constant":
        return settings.lr * warm
    return settings.lr * warm * 0.5 * (1 + math.cos(math.pi * min(1.0, images_seen / settings.budget.images)))


def _spent(trainee: Trainee, more_s: float) -> str:
    """``budget`` or ``seconds`` where a training has had its images or, ``more_s`` from its last step, its time."""
    budget = trainee.settings.budget
    if trainee.images_seen >= budget.images:
        return "budget"
    return "seconds" if budget.seconds is not None and trainee.elapsed_s + more_s >= budget.seconds else ""


@contextlib.contextmanager
def _interruptible() -> Iterator[threading.Event]:
    """Ctrl-C (or SIGTERM) sets the event instead of breaking a step; a second Ctrl-C breaks at once."""
    event = threading.Event()
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
