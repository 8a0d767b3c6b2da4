"""Checks the rules of decompositions."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor

from texprior.flow.decompose import Decomposer, checked_layers
from texprior.plugin import Component, Decomposition
from texprior.testing.catalogue import When, check, declares
from texprior.testing.kinds.reach import FAR, leak
from texprior.testing.material import drawn, gap, photographs, uniform
from texprior.testing.outcomes import require
from texprior.testing.probe import PROBES, Inputs, Probe, unmoved
from texprior.testing.subject import Subject
from texprior.testing.values import grid

SUM, FLAT = 1.2e-7, 1e-6
"""The largest error of S + T (float32 rounding of numbers below 1), and the largest texture of a constant picture."""
SHAPES = ((1, 3, 21, 31), (2, 1, 8, 9), (1, 4, 24, 3), (1, 3, 1, 1))
"""Batches of odd sides, of one and four channels, narrower than a filter's window, and of one pixel."""


def _strong(record: Component) -> bool:
    return isinstance(record, Decomposition) and bool(record.strength)


def _inputs() -> Inputs:
    return {"image": photographs(2, 28, 36)}


def _work(decomposition: Decomposer, inputs: Inputs) -> tuple[Tensor, ...]:
    return checked_layers(decomposition(inputs["image"]), inputs["image"], decomposition)


PROBES["decomposition"] = Probe(_inputs, _work, dtypes=(torch.float32, torch.float64), move=unmoved)


@check("decomposition.shape", "decomposition")
def shape(subject: Subject) -> None:
    """Structure and texture have the shape of the picture and finite values, at any size and number of channels.

    Fix: cut windows at the border of the picture; do not assume three channels, even sides or a minimum size.
    """
    decomposition = subject.build()
    for wanted in SHAPES:
        for layer in decomposition(uniform(*wanted)):
            require(
                tuple(layer.shape) == wanted, f"a picture of shape {wanted} gives a layer of shape {tuple(layer.shape)}"
            )
            require(torch.isfinite(layer).all(), f"{wanted}: not all values are finite")


@check("decomposition.sum", "decomposition")
def adds_up(subject: Subject) -> None:
    """Structure plus texture is the picture: max |S + T - x| <= 1.2e-7 in float32.

    Fix: derive from ``StructureFilter``, whose texture is ``x - S``; never clip or rescale a layer.
    """
    decomposition = subject.build()
    for image in (photographs(2, 32, 44), drawn(21, 27), uniform(2, 3, 9, 8)):
        structure, texture = decomposition(image.clone())
        worst = gap(structure + texture, image)
        require(worst <= SUM, f"structure plus texture differs from the picture by {worst:.2g}")


@check("decomposition.constant", "decomposition")
def constant(subject: Subject) -> None:
    """A constant picture has no texture: max |T| <= 1e-6.

    Fix: make the weights of the filter sum to 1, also at the borders; pad by repeating or mirroring, never with zeros.
    """
    decomposition = subject.build()
    for value in (0.0, 0.37, 1.0):
        left = float(decomposition(torch.full((1, 3, 24, 31), value))[1].abs().max())
        require(left <= FLAT, f"a constant picture of {value} has a texture of up to {left:.2g}")


@check("decomposition.strength", "decomposition", when=When("`strength`", _strong))
def strength(subject: Subject) -> None:
    """The option that ``strength`` names moves energy from the structure to the texture. As it grows over its range,
    the mean of T² over photographs never falls, and is larger at the end than at the start.

    Fix: name an option that smooths more as it grows, and give it a range (``Tune`` or ``ge``/``le``); invert an option
    that smooths less as it grows.
    """
    assert isinstance(subject.record, Decomposition)
    name = subject.record.strength
    values = grid(subject.model, name, 4)
    pictures = photographs(3, 36, 44)
    energy = [float(subject.build({name: value})(pictures.clone())[1].square().mean()) for value in values]
    shown = ", ".join(f"{e:.3g} at {v:.3g}" for v, e in zip(values, energy, strict=True))
    # relative slack of 1e-4, so that rounding does not count as a fall
    steps = pairwise(energy)
    require(all(b >= a * (1 - 1e-4) for a, b in steps) and energy[-1] > energy[0], f"mean T² is {shown}")


@check("decomposition.local", "decomposition", when=declares("local"))
def local(subject: Subject) -> None:
    """With ``local=True``, the filter depends only on nearby pixels. After a change at one end of a strip of 512 px,
    results that are 368 px or more away change by at most 1e-6.

    Fix: remove ``local=True`` if the filter solves for the whole picture at once.
    """
    decomposition = subject.build()
    far = leak(lambda image: torch.cat(tuple(decomposition(image)), 1))
    require(far <= 1e-6, f"{FAR} px away the layers change by {far:.2g}")
