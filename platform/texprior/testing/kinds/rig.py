"""Builds an adapter on a frozen denoiser of the registry, for the rules of adapters."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from texprior.errors import ConfigError
from texprior.flow.adapt import DenoiserAdapter, Given, features_of, steered
from texprior.flow.prior import DenoiserNet
from texprior.plugin import Ref
from texprior.testing.kinds.attention import Plain
from texprior.testing.kinds.denoiser import CODE_WIDTH, arguments
from texprior.testing.material import perturbed, photographs
from texprior.testing.outcomes import NotRun
from texprior.testing.probe import Inputs
from texprior.testing.subject import Subject


def hosts(subject: Subject) -> list[Ref]:
    """Returns the denoisers to try: the requested one, or all that are installed."""
    if subject.denoiser:
        return [subject.denoiser]
    return [Ref(name=entry.qualified) for entry in subject.registry.entries("denoiser")]


def prior(subject: Subject) -> DenoiserNet:
    """Returns a new copy of the first denoiser that fits.

    It is perturbed, as if it were trained, and frozen.
    """
    return copy.deepcopy(untouched(subject))


def untouched(subject: Subject) -> DenoiserNet:
    """Returns the same denoiser, but shared between checks: do not change it."""
    # to build and perturb a denoiser is slow: build it once, and copy it for the checks that may change it
    if "prior" not in subject.memory:
        subject.memory["prior"] = _first_that_fits(subject)
    frozen: DenoiserNet = subject.memory["prior"]
    return frozen


def _first_that_fits(subject: Subject) -> DenoiserNet:
    refused, absent = list[str](), list[str]()
    for ref in hosts(subject):
        try:
            network = subject.registry.build("denoiser", ref, code_width=CODE_WIDTH, attention=Plain())
        except Exception as error:
            # the adapter is not at fault if a denoiser cannot be built: try the next one
            absent.append(f"{ref.name}: {error}")
            continue

        # a ConfigError is how an adapter refuses a denoiser; a copy, in case that it writes to it before
        frozen: DenoiserNet = perturbed(network).requires_grad_(False).eval()
        try:
            subject.registry.build("adapter", subject.ref(), denoiser=copy.deepcopy(frozen))
        except ConfigError as error:
            refused.append(f"{ref.name}: {error}")
            continue
        except Exception:
            # a bug in the adapter: the checks build it again and report the error
            pass
        subject.note(f"on denoiser {ref.name}")
        return frozen
    reasons = "; ".join([*refused, *absent]) or "none is installed"
    raise NotRun(f"no denoiser to steer: {reasons}", lacking=not refused)


@dataclass
class Rig:
    """An adapter together with its frozen denoiser."""

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
        """Builds an adapter as in a run, on ``network``.

        If ``network`` is None, it uses a new copy of the prior. If ``trained``, the parameters of the adapter are
        perturbed, as if it were trained. It is in evaluation mode, as in a restoration.
        """
        network = prior(subject) if network is None else network
        adapter: DenoiserAdapter = subject.build(changes, seed, {"denoiser": network})
        return cls(network, (perturbed(adapter) if trained else adapter).eval())

    def __call__(self, given: Inputs) -> Tensor:
        """Returns the adapted output of the denoiser."""
        return self.step(given)()

    def step(self, given: Inputs) -> Callable[[], Tensor]:
        """Returns a network call on a picture, for which the features are computed now."""
        adapted = steered(self.adapter, self.network, features_of(self.adapter, seen_of(given)))
        return lambda: adapted(given["x"], given["noise"], given["condition"], given["code"])

    def own(self) -> dict[str, nn.Parameter]:
        """Returns the trainable parameters of the adapter, by name."""
        return {name: p for name, p in self.adapter.named_parameters() if p.requires_grad}

    def to(self, device: torch.device) -> Rig:
        """Returns the rig on a device."""
        return Rig(self.network.to(device), self.adapter.to(device))


def inputs(height: int = 16, width: int = 24) -> Inputs:
    """Returns the inputs of a denoiser, and an estimate that differs from its condition."""
    # different pictures, so that an adapter that reads the condition instead of the estimate is found
    picture = photographs(2, height, width)
    seen = {"estimate": picture.flip(0), "degraded": picture.flip(-1), "structure": picture.flip(-2)}
    return {**arguments(height, width), **seen}


def seen_of(given: Inputs, with_structure: bool = True) -> Given:
    """Returns what the adapter may see of the inputs."""
    structure = given["structure"] if with_structure else None
    return Given(given["degraded"], given["estimate"], given["condition"], given["code"], structure)


def all_one(image_BCHW: Tensor, code_BNC: Tensor) -> Given:
    """Returns a picture as all that the adapter may see, with a code."""
    return Given(image_BCHW, image_BCHW, image_BCHW, code_BNC, image_BCHW)
