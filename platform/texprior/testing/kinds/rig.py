"""An adapter on a frozen denoiser of the registry, as its rules need it."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from texprior.errors import ConfigError
from texprior.flow.adapt import DenoiserAdapter
from texprior.flow.prior import DenoiserNet
from texprior.plugin import Ref
from texprior.testing.kinds.attention import Plain
from texprior.testing.kinds.denoiser import CODE_WIDTH, arguments
from texprior.testing.material import perturbed, photographs
from texprior.testing.outcomes import NotRun
from texprior.testing.probe import Inputs
from texprior.testing.subject import Subject


def hosts(subject: Subject) -> list[Ref]:
    """The denoisers to try: the one that was asked for, or all that are installed."""
    if subject.denoiser:
        return [subject.denoiser]
    return [Ref(name=entry.qualified) for entry in subject.registry.entries("denoiser")]


def prior(subject: Subject) -> DenoiserNet:
    """A denoiser as if trained, frozen; the first that fits. A new copy at each call."""
    return copy.deepcopy(untouched(subject))


def untouched(subject: Subject) -> DenoiserNet:
    """The same, shared: for reading alone."""
    if "prior" not in subject.memory:
        subject.memory["prior"] = _first_that_fits(subject)
    frozen: DenoiserNet = subject.memory["prior"]
    return frozen


def _first_that_fits(subject: Subject) -> DenoiserNet:
    refused, absent = list[str](), list[str]()
    for ref in hosts(subject):
        try:
            network = subject.registry.build("denoiser", ref, code_width=CODE_WIDTH, attention=Plain())
        except Exception as error:  # that is not the adapter's fault
            absent.append(f"{ref.name}: {error}")
            continue
        frozen: DenoiserNet = perturbed(network).requires_grad_(False).eval()
        try:
            subject.registry.build("adapter", subject.ref(), denoiser=copy.deepcopy(frozen))
        except ConfigError as error:
            refused.append(f"{ref.name}: {error}")
            continue
        except Exception:  # the checks meet it again, and say it
            pass
        subject.note(f"on denoiser {ref.name}")
        return frozen
    reasons = "; ".join([*refused, *absent]) or "none is installed"
    raise NotRun(f"no denoiser to steer: {reasons}", lacking=not refused)


@dataclass
class Rig:
    """An adapter on its frozen denoiser."""

    network: DenoiserNet
    adapter: DenoiserAdapter

    @classmethod
    def of(
        cls,
        subject: Subject,
        changes: Mapping[str, Any] | None = None,
        *,
        trained: bool = True,
        seed: int = 0,
        network: DenoiserNet | None = None,
    ) -> Rig:
        """Built as in a run, for a new copy of the prior where none is given; perturbed as if trained, or new."""
        network = prior(subject) if network is None else network
        adapter: DenoiserAdapter = subject.build(changes, seed, {"denoiser": network})
        return cls(network, perturbed(adapter) if trained else adapter)

    def __call__(self, given: Inputs) -> Tensor:
        """The adapted output of the denoiser."""
        return self.step(given)()

    def step(self, given: Inputs) -> Callable[[], Tensor]:
        """A network call on a picture whose features are known."""
        adapted = self.adapter.adapted(self.network, self.adapter.features(given["estimate"]))
        return lambda: adapted(given["x"], given["noise"], given["condition"], given["code"])

    def own(self) -> dict[str, nn.Parameter]:
        """The adapter's trainable parameters."""
        return {name: p for name, p in self.adapter.named_parameters() if p.requires_grad}

    def to(self, device: torch.device) -> Rig:
        """The same on a device."""
        return Rig(self.network.to(device), self.adapter.to(device))


def inputs(height: int = 16, width: int = 24) -> Inputs:
    """What a denoiser is given, and another estimate than its condition."""
    return {**arguments(height, width), "estimate": photographs(2, height, width).flip(0)}
