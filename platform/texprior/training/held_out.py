"""Measures what a training learned, on photographs that it did not see.

The explained share 1 - MSE(D(x_0 + sigma n | condition), x_0) / var(x_0) says, level by level, how much of the layer's
variance the network finds. At the first level it is given noise alone, so that the share is what it reads from the
condition.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor

from texprior.config.schema import Training
from texprior.diffusion.keys import drawing_by_key, seed_of
from texprior.diffusion.precondition import broadcast
from texprior.errors import ConfigError, Interrupted, TexpriorError, error_text
from texprior.flow.precision import autocast
from texprior.flow.prior import prior_denoise
from texprior.flow.process import entrance
from texprior.models.folders import HELD_OUT
from texprior.runtime.session import Session
from texprior.store import write_atomically
from texprior.training.losses import LayerLoss, LayerTask
from texprior.training.patches import TOGETHER, Patches, Pool
from texprior.training.trainee import Trainee

PATCHES = 32
"""Patches that are measured on, from TOGETHER photographs: the differences between photographs decide the error."""
_BATCH = 16
ALONE = 20.0
"""The noise level at which a prior is given noise alone, unless its process ends below; a layer is little beside it."""
LEVELS = (10.0, 3.0, 1.0, 0.3, 0.1)
"""Noise levels that are measured at, below that of noise alone; fixed, so that priors can be compared."""
COST_IMAGES = {"prior": 150, "predictor": 22, "adapter": 150}
"""Training -> what measuring it costs, in images of the training: a forward pass of all patches, and one more at each
level, take a third of a step each."""


@dataclass(frozen=True)
class Level:
    """What a network learned of a layer at one noise level."""

    sigma: float
    explained: float
    """Share of the held-out layer's variance that the network finds; 1 is all, and below 0 is worse than a constant."""
    loss: float
    """Mean squared error of D divided by c_out^2, on the held-out patches."""
    train_loss: float
    """The same on patches of the training photographs."""


@dataclass(frozen=True)
class HeldOut:
    """What a training learned, on photographs that it did not see and on its own."""

    split: str
    """``val``; or ``train`` if there is no other split: then the patches and their noise are new, the photographs not.
    """
    loss: float
    """The loss of the training on the held-out patches, without augmentations."""
    train_loss: float
    """The same on patches of the training photographs."""
    levels: tuple[Level, ...] = ()
    """The first is noise alone; empty for a predictor, whose pictures have no noise level."""

    def metrics(self, stage: str) -> dict[str, float]:
        """Returns the numbers under the names that trackers show."""
        seen = self.split == "train"
        found = {f"{stage}.train_loss": self.train_loss} | ({} if seen else {f"{stage}.val_loss": self.loss})
        for level in self.levels:
            at = f"{level.sigma:g}"
            found |= {f"{stage}.explained.{at}": level.explained, f"{stage}.train_loss.{at}": level.train_loss}
            found |= {} if seen else {f"{stage}.val_loss.{at}": level.loss}
        return found

    def write(self, folder: Path) -> None:
        """Writes the numbers next to the weights."""
        write_atomically(folder / HELD_OUT, json.dumps(asdict(self), indent=2).encode())


def read_held_out(folder: Path) -> HeldOut | None:
    """Reads what was measured after a training; None for one of an earlier version, or if it was not measured."""
    try:
        data = json.loads((folder / HELD_OUT).read_text(encoding="utf-8"))
        return HeldOut(**{**data, "levels": tuple(Level(**level) for level in data["levels"])})
    except (OSError, ValueError, TypeError, KeyError):
        return None


def explained_alone(folder: Path) -> float | None:
    """Returns the share of a layer's variance that is read from the condition alone; None if it is not known."""
    found = read_held_out(folder)
    share = found.levels[0].explained if found and found.levels else math.nan
    return share if math.isfinite(share) else None


def measure_held_out(
    session: Session,
    stage: str,
    trainee: Trainee,
    folder: Path,
    pool: Pool,
    pool_of: Callable[[str], Pool],
    measure: Callable[[str, Patches, Patches], HeldOut],
) -> HeldOut | None:
    """Measures the averaged weights and writes the numbers to the folder; None, with a warning, if it fails.

    ``pool`` has the training's photographs and ``pool_of`` those of another split. ``measure`` gets the name of the
    split, patches of it, and patches of the training's photographs.
    """
    (folder / HELD_OUT).unlink(missing_ok=True)
    settings, seed = trainee.settings, session.experiment.seed
    try:
        split = held_out_split(session)
        own = _patches(pool, settings, seed)
        held = own if split == "train" else _patches(pool_of(split), settings, seed)
        with trainee.as_averaged(), torch.no_grad(), drawing_by_key(session.device, seed, "held out"):
            found = measure(split, held, own)
        found.write(folder)
    except Interrupted:
        raise
    except Exception as error:  # a component of any author runs here, and the weights must not be lost for a measure
        why = str(error) if isinstance(error, TexpriorError) else error_text(error)
        session.say(f"warning: {stage}: not measured on held-out photographs: {why}")
        return None
    return found


def held_out_split(session: Session) -> str:
    """Returns ``val``, or ``train`` if the experiment has no photographs there, or none of its own."""
    try:
        session.pictures("val")
    except ConfigError:
        return "train"
    return "val"


def _patches(pool: Pool, settings: Training, seed: int) -> Patches:
    # with a seed of their own, so that places and noise are not those of the training's first steps
    return Patches(pool, settings.patch, seed_of(seed, "held out"), per_visit=PATCHES // TOGETHER)


def measure_layer(
    loss_on: Callable[[Patches], LayerLoss],
    task: Callable[[LayerLoss, Sequence[int]], LayerTask],
    sigma_max: float,
    images: int,
    split: str,
    held: Patches,
    own: Patches,
) -> HeldOut:
    """Measures a network of the layer at all levels; ``sigma_max`` is that of noise alone.

    At most ``images`` are measured at once, as the training has memory for.
    """
    loss, train = (_measured(loss_on(patches), task, sigma_max, images) for patches in (held, own))
    levels = [
        Level(sigma, 1 - error / loss.variance, error * _weight(sigma), train.errors[sigma] * _weight(sigma))
        for sigma, error in loss.errors.items()
    ]
    return HeldOut(split, loss.loss, train.loss, tuple(levels))


def measure_pictures(
    loss_on: Callable[[Patches], Callable[[Sequence[int]], Tensor]],
    images: int,
    split: str,
    held: Patches,
    own: Patches,
) -> HeldOut:
    """Measures a network of pictures, the predictor, on at most ``images`` at once."""
    batches = _batches(images)
    loss, train = (torch.cat([loss_on(patches)(n) for n in batches]).mean().item() for patches in (held, own))
    return HeldOut(split, loss, train)


@dataclass(frozen=True)
class _Measured:
    loss: float
    variance: float
    errors: dict[float, float]
    """Noise level -> mean squared error of D; the first level is noise alone."""


def _measured(
    loss: LayerLoss, task_of: Callable[[LayerLoss, Sequence[int]], LayerTask], sigma_max: float, images: int
) -> _Measured:
    loss.drops_codes = False
    largest = min(sigma_max, loss.prior.process.largest / loss.process.scale)
    levels = [largest, *(sigma for sigma in LEVELS if sigma < largest)]
    losses, layers, errors = [], [], dict[float, list[Tensor]]((sigma, []) for sigma in levels)
    for numbers in _batches(images):
        task = task_of(loss, numbers)
        losses.append(loss.of(task))
        layers.append(task.layer)
        for sigma in levels:
            known = task.layer if sigma < largest else 0
            found = _estimate(loss, task, known + sigma * task.noise, sigma)
            errors[sigma].append((found - task.layer).square().mean())
    variance = torch.cat(layers).var(correction=0).item()
    # every batch has as many values
    means = {sigma: torch.stack(batch).mean().item() for sigma, batch in errors.items()}
    return _Measured(torch.cat(losses).mean().item(), variance, means)


def _estimate(loss: LayerLoss, task: LayerTask, x_BCHW: Tensor, sigma: float) -> Tensor:
    enter = entrance(loss.prior.process, task.base, loss.process.scale)
    with autocast(loss.device, loss.amp):
        given = task.inputs["condition"], task.inputs["code"], enter
        return prior_denoise(task.network, x_BCHW, broadcast(sigma, x_BCHW), *given)


def _batches(images: int) -> list[range]:
    """Returns the sample numbers in batches of one size, of at most so many images."""
    # a power of 2, as PATCHES is
    size = 2 ** int(math.log2(min(images, _BATCH)))
    return [range(first, first + size) for first in range(0, PATCHES, size)]


def _weight(sigma: float) -> float:
    """Returns 1 / c_out^2, with which a squared error of D is the loss of Karras et al. 2022."""
    return 1 + sigma**-2
