"""An adapter attached to a frozen denoiser of the registry, as its rules need it."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from texprior.errors import ConfigError
from texprior.flow.adapt import BlockAdapter
from texprior.flow.prior import DenoiserNet
from texprior.plugin import Ref
from texprior.testing.catalogue import NotRun
from texprior.testing.kinds.attention import Plain
from texprior.testing.kinds.denoiser import CODE_WIDTH, arguments, call
from texprior.testing.material import perturbed, photographs
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
        try:
            other = copy.deepcopy(network)
            subject.registry.build("adapter", subject.ref(), blocks=other.blocks()).attach(other)
        except ConfigError as error:
            refused.append(f"{ref.name}: {error}")
            continue
        except Exception:  # the checks meet it again, and say it
            pass
        subject.note(f"attached to denoiser {ref.name}")
        frozen: DenoiserNet = perturbed(network).requires_grad_(False).eval()
        return frozen
    reasons = "; ".join([*refused, *absent]) or "none is installed"
    raise NotRun(f"no denoiser to attach to: {reasons}", lacking=not refused)


@dataclass
class Rig:
    """An adapter, attached to its frozen denoiser."""

    network: DenoiserNet
    adapter: BlockAdapter

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
        """Attached as in a run, to a new copy of the prior where none is given; perturbed as if trained, or new."""
        network = prior(subject) if network is None else network
        adapter: BlockAdapter = subject.build(changes, seed)
        adapter.attach(network)
        return cls(network, perturbed(adapter) if trained else adapter)

    def __call__(self, inputs: Inputs) -> Tensor:
        """The adapted output of the denoiser."""
        return self.step(inputs)()

    def step(self, inputs: Inputs) -> Callable[[], Tensor]:
        """A network call on a picture whose features are known."""
        guide = self.adapter.guide(self.adapter.features(inputs["estimate"]))
        return lambda: call(self.network, inputs, guide)

    def own(self) -> dict[str, nn.Parameter]:
        """The adapter's trainable parameters."""
        return {name: p for name, p in self.adapter.named_parameters() if p.requires_grad}

    def to(self, device: torch.device) -> Rig:
        """The same on a device."""
        return Rig(self.network.to(device), self.adapter.to(device))


def inputs(height: int = 16, width: int = 24) -> Inputs:
    """What a denoiser is given, and another estimate than its condition."""
    return {**arguments(height, width), "estimate": photographs(2, height, width).flip(0)}
