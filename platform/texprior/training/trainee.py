"""Holds a network in training with its optimiser, its average and its progress.

All of it goes into a checkpoint and comes back from one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
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
from texprior.training.folders import images_behind
from texprior.training.recipe import Recipe, groups_of

_KEPT = (bool, int, float)
"""The types of what an optimizer keeps besides tensors, such as a number of steps."""


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
    recipe: Recipe
    ema: Ema = field(init=False)
    optimizer: torch.optim.Optimizer = field(init=False)
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
    recent_losses: list[float] = field(default_factory=list)
    """Losses of the last steps that were no part of a spike, which ``spikes`` compares the next ones with."""
    precisions: list[str] = field(default_factory=list)
    """What the steps were computed in, ``bfloat16`` or ``float32``; the second one if a resume had to change it."""
    images_before: int = 0
    """Images that the training saw whose weights this one started from; 0 if the weights were initial ones."""

    def __post_init__(self) -> None:
        s = self.settings
        self.ema = Ema(self.parameters(), s.ema_half_life_images, s.ema_rampup)
        groups = groups_of(self.parameters(), self.recipe, s)
        self.optimizer = self.recipe.optimizer(groups, s.lr)
        self.lr_factors = [group.lr_factor for group in groups]
        self._initial = [_numbers(group) for group in self.optimizer.param_groups]
        if self.recipe.averages:
            self.optimizer.train()  # type: ignore[attr-defined]

    @property
    def next_number(self) -> int:
        """The sample number of the next step's first image.

        A training that started from the weights of another one goes on where that one ended, so that it does not see
        the same crops and noise again.
        """
        return self.images_before + self.images_seen

    def parameters(self) -> dict[str, nn.Parameter]:
        """Returns the trainable parameters by name."""
        return {n: p for n, p in self.network.named_parameters() if p.requires_grad}

    def step(self, lr: float) -> None:
        """Changes the weights and their averages by the gradients of one batch."""
        for group, factor in zip(self.optimizer.param_groups, self.lr_factors, strict=True):
            group["lr"] = lr * factor
        self.optimizer.step()
        if not self.recipe.averages:
            self.ema.update(self.parameters(), self.settings.batch, self.next_number)

    def averaged(self) -> dict[str, Tensor]:
        """Returns the network's state, with the averages in place of the trained weights.

        A parameter with several names has its average under each of them.
        """
        averages = self._averages()
        average_of = {id(p): averages[name] for name, p in self.parameters().items()}
        # ``keep_vars`` returns the parameters themselves, by which the further names of one are recognised
        state = self.network.state_dict(keep_vars=True)
        return {**{n: average_of.get(id(t), t.detach()) for n, t in state.items()}, **averages}

    def _averages(self) -> dict[str, Tensor]:
        if not self.recipe.averages:
            return self.ema.shadow
        trained = {name: p.detach().clone() for name, p in self.parameters().items()}
        self.optimizer.eval()  # type: ignore[attr-defined]
        found = {name: p.detach().clone() for name, p in self.parameters().items()}
        self.optimizer.train()  # type: ignore[attr-defined]
        # Going to the averages and back rounds. A checkpoint must change nothing, so the weights are put back.
        _put(self.parameters(), trained)
        return found

    @contextmanager
    def as_averaged(self) -> Iterator[None]:
        """Has the averages in the network, in evaluation mode, until the end of the block."""
        averages, parameters = self._averages(), self.parameters()
        trained = {name: p.detach().clone() for name, p in parameters.items()}
        modes = [(module, module.training) for module in self.network.modules()]
        try:
            _put(parameters, averages)
            self.network.eval()
            yield
        finally:
            _put(parameters, trained)
            for module, mode in modes:
                module.training = mode

    def save(self, path: Path, about: Mapping[str, object]) -> Saved:
        """Writes all that an exact resume needs to one file, atomically."""
        return Checkpoint(self._tensors(), self._about(about), self.images_seen).write(path)

    def copied(self, about: Mapping[str, object]) -> Checkpoint:
        """Returns the same in memory of its own, which later steps do not change."""
        return Checkpoint(copies(self._tensors()), self._about(about), self.images_seen)

    def _about(self, about: Mapping[str, object]) -> dict[str, object]:
        return {**about, **self._progress(), **self._counts()}

    def _tensors(self) -> dict[str, Tensor]:
        tensors = {f"model/{n}": t for n, t in self.network.state_dict().items()}
        tensors |= {f"ema/{n}": t for n, t in self._averages().items()}
        if self.recipe.own_parameters() and self.recipe.objective is not None:
            tensors |= {f"objective/{n}": t for n, t in self.recipe.objective.state_dict().items()}
        for name, parameter in self._trained().items():
            kept = self.optimizer.state.get(parameter, {}).items()
            tensors |= {f"adam/{key}/{name}": t for key, t in kept if isinstance(t, Tensor)}
        return tensors

    def load(self, path: Path, wanted: Callable[[Mapping[str, Any]], bool] = lambda _about: True) -> bool:
        """Loads a checkpoint if its record (``about``) is ``wanted``; returns whether it did.

        The owner of the file may overwrite it later. Raises ConfigError if the file cannot be read.
        """
        tensors, about = load_tensors(path)
        if not wanted(about):
            return False
        self._load_weights(_below(tensors, "model"), _below(tensors, "ema"))
        own = _below(tensors, "objective")
        if own and self.recipe.objective is not None:
            self.recipe.objective.load_state_dict(own)
        # Set directly: the optimizer's own ``load_state_dict`` knows parameters by number, the file by name.
        parameters = self._trained()
        for key, tensor in _below(tensors, "adam").items():
            what, _, name = key.partition("/")
            self.optimizer.state[parameters[name]][what] = self._placed(what, tensor, parameters[name])
        self._set_counts(about)
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
        self.images_before = images_behind(about)

    def follow(self, team: Team) -> None:
        """Takes over the state of the team's leader, so that all train the same weights."""
        if team.size == 1:
            return
        parameters = self._trained()
        shapes = {name: self._shapes(p) for name, p in parameters.items()}
        progress, counts, shapes = team.from_leader((self._progress(), self._counts(), shapes))
        self._set_progress(progress)
        self._set_counts(counts)

        moments = []
        for name, parameter in parameters.items():
            own = self.optimizer.state[parameter]
            for key, (shape, dtype) in shapes[name].items():
                empty = self._placed(key, torch.zeros(shape, dtype=getattr(torch, dtype)), parameter)
                moments.append(own.setdefault(key, empty))
        objective = self.recipe.objective.state_dict() if self.recipe.objective else {}
        states = *self.network.state_dict().values(), *objective.values(), *self.ema.shadow.values()
        team.copy_from_leader([*states, *moments])

    def _trained(self) -> dict[str, nn.Parameter]:
        """Returns all that the optimizer changes, by name: the network's parameters, and the objective's own."""
        return {**self.parameters(), **self.recipe.own_parameters()}

    def _shapes(self, parameter: nn.Parameter) -> dict[str, tuple[list[int], str]]:
        """Returns shape and dtype of what the optimizer keeps of a parameter, in JSON's types."""
        kept = self.optimizer.state.get(parameter, {}).items()
        return {k: (list(t.shape), str(t.dtype).removeprefix("torch.")) for k, t in kept if isinstance(t, Tensor)}

    def _placed(self, key: str, tensor: Tensor, parameter: nn.Parameter) -> Tensor:
        """Returns a tensor of the optimizer's state where the optimizer would have made it."""
        if tensor.shape == parameter.shape and tensor.ndim:
            # with the parameter's memory format
            return torch.empty_like(parameter, dtype=tensor.dtype, requires_grad=False).copy_(tensor)
        # torch counts steps on the CPU, unless the update is one kernel
        on_cpu = key == "step" and not self.optimizer.defaults.get("fused")
        return tensor.to(torch.device("cpu") if on_cpu else parameter.device)

    def _counts(self) -> dict[str, Any]:
        """Returns the numbers that the optimizer keeps besides tensors and that changed; empty for most optimizers."""
        groups = [_numbers(group) for group in self.optimizer.param_groups]
        changed = [
            {k: v for k, v in now.items() if v != before.get(k)}
            for now, before in zip(groups, self._initial, strict=True)
        ]
        state = {name: _numbers(self.optimizer.state.get(p, {})) for name, p in self._trained().items()}
        state = {name: numbers for name, numbers in state.items() if numbers}
        return {"optimizer": {"groups": changed, "state": state}} if any(changed) or state else {}

    def _set_counts(self, about: Mapping[str, Any]) -> None:
        counts, parameters = about.get("optimizer", {}), self._trained()
        for group, numbers in zip(self.optimizer.param_groups, counts.get("groups", ()), strict=False):
            group.update(numbers)
        for name, numbers in counts.get("state", {}).items():
            self.optimizer.state[parameters[name]].update(numbers)

    def _load_weights(self, model: Mapping[str, Tensor], ema: Mapping[str, Tensor]) -> None:
        self.network.load_state_dict(model)
        for name, shadow in self.ema.shadow.items():
            shadow.copy_(ema[name])

    def _progress(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in _PROGRESS}

    def _set_progress(self, about: Mapping[str, Any]) -> None:
        for name, kind in _PROGRESS.items():
            # earlier versions wrote the first two only
            setattr(self, name, kind(about[name]) if name in about else kind())


_PROGRESS: Mapping[str, type] = {
    "images_seen": int,
    "elapsed_s": float,
    "skipped_steps": int,
    "skipped_in_a_row": int,
    "spikes": int,
    "last_spike": int,
    "recent_losses": list,
    "precisions": list,
    "images_before": int,
}
"""The attributes of a trainee that a checkpoint records, with their types."""


@torch.no_grad()
def _put(parameters: Mapping[str, nn.Parameter], values: Mapping[str, Tensor]) -> None:
    """Copies values into parameters of the same names."""
    for name, parameter in parameters.items():
        parameter.copy_(values[name])


def _numbers(kept: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the plain numbers of an optimizer's group or state, without the learning rate, which the loop sets."""
    return {key: value for key, value in kept.items() if isinstance(value, _KEPT) and key != "lr"}


def _below(tensors: Mapping[str, Tensor], part: str) -> dict[str, Tensor]:
    """Returns the tensors whose names start with ``part``, without that start."""
    return {name.removeprefix(f"{part}/"): t for name, t in tensors.items() if name.startswith(f"{part}/")}
