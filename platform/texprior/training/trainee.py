"""Holds a network in training with its optimiser, its average and its progress.

All of it goes into a checkpoint and comes back from one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from texprior.config.schema import Training
from texprior.diffusion.ema import Ema
from texprior.errors import ConfigError
from texprior.runtime.team import Team
from texprior.store import copies, load_tensors, save_tensors

_MOMENTS = ("step", "exp_avg", "exp_avg_sq")
"""What AdamW keeps of each parameter."""
_FUSED = ("cpu", "cuda")
"""The types of devices on which AdamW's update is one kernel."""


@dataclass(frozen=True)
class Saved:
    """A checkpoint that was written."""

    images_seen: int
    path: Path


@dataclass(frozen=True)
class Checkpoint:
    """The content of a checkpoint: tensors by name, and the record in its header."""

    tensors: Mapping[str, Tensor]
    about: Mapping[str, object]
    images_seen: int

    def write(self, path: Path) -> Saved:
        """Writes the file, atomically. Raises TexpriorError if it cannot be written."""
        save_tensors(path, self.tensors, self.about)
        return Saved(self.images_seen, path)


@dataclass
class Trainee:
    """A network in training, with its optimiser, its average and its progress."""

    network: nn.Module
    settings: Training
    ema: Ema = field(init=False)
    optimizer: torch.optim.AdamW = field(init=False)
    images_seen: int = 0
    elapsed_s: float = 0.0
    skipped_steps: int = 0
    """Steps that were left out because their loss or gradient was not finite; their images count as seen."""
    skipped_in_a_row: int = 0
    """The last of them, if no other step came after."""
    spikes: int = 0
    """Steps whose loss was far above that of the steps before, see ``spikes``."""
    last_spike: int = 0
    """Images seen after the last of them."""
    images_before: int = 0
    """Images that the training saw whose weights this one started from; 0 if the weights were initial ones."""

    def __post_init__(self) -> None:
        s = self.settings
        self.ema = Ema(self.parameters(), s.ema_half_life_images, s.ema_rampup)
        # AdamW refuses an empty list of parameters, but accepts an empty group; an adapter may have no parameters
        group = {"params": list(self.parameters().values())}
        # fused: one pass over the weights, instead of one for each operation of the update
        fused = all(p.device.type in _FUSED for p in group["params"])
        self.optimizer = torch.optim.AdamW([group], lr=s.lr, weight_decay=s.weight_decay, fused=fused)

    def parameters(self) -> dict[str, nn.Parameter]:
        """Returns the trainable parameters by name."""
        return {n: p for n, p in self.network.named_parameters() if p.requires_grad}

    def averaged(self) -> dict[str, Tensor]:
        """Returns the network's state, with the averages in place of the trained weights.

        A parameter with several names has its average under each of them.
        """
        average_of = {id(p): self.ema.shadow[name] for name, p in self.parameters().items()}
        # ``keep_vars`` returns the parameters themselves, by which the further names of one are recognised
        state = self.network.state_dict(keep_vars=True)
        return {**{n: average_of.get(id(t), t.detach()) for n, t in state.items()}, **self.ema.shadow}

    def save(self, path: Path, about: Mapping[str, object]) -> Saved:
        """Writes all that an exact resume needs to one file, atomically."""
        return Checkpoint(self._tensors(), {**about, **self._progress()}, self.images_seen).write(path)

    def copied(self, about: Mapping[str, object]) -> Checkpoint:
        """Returns the same in memory of its own, which later steps do not change."""
        return Checkpoint(copies(self._tensors()), {**about, **self._progress()}, self.images_seen)

    def _tensors(self) -> dict[str, Tensor]:
        tensors = {f"model/{n}": t for n, t in self.network.state_dict().items()}
        tensors |= {f"ema/{n}": t for n, t in self.ema.shadow.items()}
        for name, parameter in self.parameters().items():
            tensors |= {f"adam/{key}/{name}": t for key, t in self.optimizer.state.get(parameter, {}).items()}
        return tensors

    def load(self, path: Path, wanted: Callable[[Mapping[str, Any]], bool] = lambda _about: True) -> bool:
        """Loads a checkpoint if its record (``about``) is ``wanted``; returns whether it did.

        The owner of the file may overwrite it later. Raises ConfigError if the file cannot be read.
        """
        tensors, about = load_tensors(path)
        if not wanted(about):
            return False
        model, ema, adam = (_below(tensors, part) for part in ("model", "ema", "adam"))
        self._load_weights(model, ema)
        for name, parameter in self.parameters().items():
            state = {key: adam.get(f"{key}/{name}") for key in _MOMENTS}
            # Set directly: the optimiser's own ``load_state_dict`` knows parameters by number, the file by name. The
            # moments get the parameter's device and memory format, and a fused AdamW wants ``step`` there, too.
            self.optimizer.state[parameter] = {
                key: t.to(self._step_device(parameter)) if key == "step" else torch.empty_like(parameter).copy_(t)
                for key, t in state.items()
                if t is not None
            }
        self._set_progress(about)
        return True

    def start_from(self, path: Path) -> None:
        """Takes weights and averages from a file of another training.

        Takes neither its optimiser nor its progress. The file is a checkpoint, or finished weights, which are averages.
        Raises ConfigError if the file cannot be read or its weights do not fit.
        """
        tensors, about = load_tensors(path)
        model = _below(tensors, "model") or tensors
        try:
            self._load_weights(model, _below(tensors, "ema") or model)
        except (RuntimeError, KeyError) as error:
            raise ConfigError(f"{path}: its weights do not fit the network of this training ({error})") from None
        self.images_before = int(about.get("images_before", 0)) + int(about["images_seen"])

    def follow(self, team: Team) -> None:
        """Takes over the state of the team's leader, so that all train the same weights."""
        if team.size == 1:
            return
        parameters = self.parameters()
        state = {name: list(self.optimizer.state.get(p, {})) for name, p in parameters.items()}
        progress, state = team.from_leader((self._progress(), state))
        self._set_progress(progress)

        moments = []
        for name, parameter in parameters.items():
            own = self.optimizer.state[parameter]
            for key in state[name]:
                zeros = torch.zeros((), device=self._step_device(parameter))
                empty = zeros if key == "step" else torch.zeros_like(parameter, requires_grad=False)
                moments.append(own.setdefault(key, empty))
        team.copy_from_leader([*self.network.state_dict().values(), *self.ema.shadow.values(), *moments])

    def _step_device(self, parameter: Tensor) -> torch.device:
        """Returns where AdamW counts a parameter's steps: beside the parameter if it is fused, else on the CPU."""
        return parameter.device if self.optimizer.defaults["fused"] else torch.device("cpu")

    def _load_weights(self, model: Mapping[str, Tensor], ema: Mapping[str, Tensor]) -> None:
        self.network.load_state_dict(model)
        for name, shadow in self.ema.shadow.items():
            shadow.copy_(ema[name])

    def _progress(self) -> dict[str, float]:
        return {name: getattr(self, name) for name in _PROGRESS}

    def _set_progress(self, about: Mapping[str, Any]) -> None:
        for name, kind in _PROGRESS.items():
            # earlier versions wrote the first two only
            setattr(self, name, kind(about.get(name, 0)))


_PROGRESS = {
    "images_seen": int,
    "elapsed_s": float,
    "skipped_steps": int,
    "skipped_in_a_row": int,
    "spikes": int,
    "last_spike": int,
    "images_before": int,
}
"""The attributes of a trainee that a checkpoint records, with their types."""


def _below(tensors: Mapping[str, Tensor], part: str) -> dict[str, Tensor]:
    """Returns the tensors whose names start with ``part``, without that start."""
    return {name.removeprefix(f"{part}/"): t for name, t in tensors.items() if name.startswith(f"{part}/")}
