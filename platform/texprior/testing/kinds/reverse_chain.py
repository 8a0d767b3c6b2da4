"""Checks that a sampler follows the reverse chain of a process, which it is built with."""

from __future__ import annotations

from math import sqrt
from typing import Any

import torch
from torch import Tensor

from texprior.flow.process import DiffusionProcess, Law
from texprior.plugin import Sampler
from texprior.testing.catalogue import check, declares
from texprior.testing.material import gap, gaussian
from texprior.testing.outcomes import require
from texprior.testing.subject import Subject

SCALE = 0.25
"""The standard deviation of the layer in the check, in units of the picture: not 1, so that units matter."""
_TOLERANCE = 1e-9
"""The largest error of one step in float64."""


class Noise(DiffusionProcess):
    """Noise alone, with a reverse chain."""

    def base_one(self, picture_BCHW: Tensor, structure_BCHW: Tensor) -> Tensor:
        """Returns the structure."""
        return structure_BCHW

    def law(self, sigma: Tensor) -> Law:
        """Returns a = 1, b = 0 and c = sigma."""
        return Law(torch.ones_like(sigma), torch.zeros_like(sigma), sigma)

    def kept(self, sigma: float, following: float) -> float:
        """Returns the share of a Markov chain."""
        return (following / sigma) ** 2


class Ending(Noise):
    """Shifts to its base and ends, both by noise levels that are ``width`` times as high as with a width of 1."""

    def __init__(self, width: float = 1.0) -> None:
        self.width, self.largest = width, 20.0 * width

    def law(self, sigma: Tensor) -> Law:
        """Returns a = 1 / (1 + sigma / width)."""
        a = 1 / (1 + sigma / self.width)
        return Law(a, 1 - a, sigma * a)


def told(width: float = 1.0) -> dict[str, Any]:
    """Returns what a record with ``of_process=True`` asks for: process and layer are ``width`` times as wide."""
    return {"process": Ending(width), "scale": SCALE * width}


class Uneven(Noise):
    """Keeps more noise at low levels, so that the units of a level matter."""

    def kept(self, sigma: float, following: float) -> float:
        """Returns a share that is no function of the ratio of the levels."""
        return following / sigma / (1 + sigma)


def chain_context(subject: Subject) -> dict[str, Any]:
    """Returns the process and the scale that a sampler with ``posterior=True`` is built with; nothing for others."""
    record = subject.record
    follows = isinstance(record, Sampler) and record.posterior
    return {"process": Noise(), "scale": 1.0} if follows else {}


@check("sampler.posterior", "sampler", when=declares("posterior"))
def posterior(subject: Subject) -> None:
    """With ``posterior=True``, one step from x at sigma to the level s is x' = D + sqrt(rho) (s / sigma) (x - D) +
    s sqrt(1 - rho) n, where rho is ``process.kept(scale sigma, scale s)``.

    Fix: ask the process at each step, with both levels times ``scale``; draw n by ``noise(i)``.
    """
    process = Uneven()
    sampler = subject.build(context={"process": process, "scale": SCALE})
    x, clean, n = (gaussian(1, 3, 4, 4, key=key).double() for key in ("x", "clean", "noise"))
    sigma, following = 3.0, 2.0
    states = list[Tensor]()

    def denoise(state: Tensor, _sigma: Tensor) -> Tensor:
        states.append(state)
        return clean

    sampler(denoise, x, torch.tensor([sigma, following, 0.0], dtype=torch.float64), lambda _i: n)
    rho = process.kept(SCALE * sigma, SCALE * following)
    expected = clean + sqrt(rho) * following / sigma * (x - clean) + following * sqrt(1 - rho) * n
    found = states[1] if len(states) > 1 else states[0]
    require(gap(found, expected) <= _TOLERANCE, f"a step with rho {rho:.3g} is off by {gap(found, expected):.2g}")
