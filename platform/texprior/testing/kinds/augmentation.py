"""Checks the rules of augmentations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor

from texprior.diffusion.keys import generator
from texprior.flow.augment import PatchAugmentation, augmented
from texprior.plugin import Augmentation
from texprior.testing.catalogue import When, check
from texprior.testing.material import photographs
from texprior.testing.outcomes import require
from texprior.testing.probe import PROBES, Inputs, Probe
from texprior.testing.subject import Subject

STAGES = (("picture", "structure"), ("clean", "degraded"), ("clean", "estimate", "base", "condition"))
"""The pictures that the trainings of prior, predictor and adapter see."""
DRAWS = 32
"""Patches of each check: a change with probability 1/2 is missed once in four billion times."""
SIDE = 32
"""Side of a patch, px."""
ALIKE = 0.8
"""Correlation of two pictures that were changed together, where they were equal before."""


def _inputs() -> Inputs:
    first, second, _ = photographs(3, SIDE, SIDE)
    return {"clean": first, "degraded": (first + second) / 2}


def _work(augmentation: PatchAugmentation, inputs: Inputs) -> tuple[Tensor, ...]:
    return tuple(augmented(inputs, [augmentation], generator("augment", 0)).values())


PROBES["augmentation"] = Probe(_inputs, _work)
DIRECTED = When('`directions` is `"keeps"` or `"mirrors"`', lambda r: getattr(r, "directions", "turns") != "turns")


def _drawn(subject: Subject, patch: Mapping[str, Tensor]) -> Iterator[Mapping[str, Tensor]]:
    """Yields augmented copies of a patch, each of other random numbers."""
    augmentation = subject.build()
    for number in range(DRAWS):
        copies = {name: picture.clone() for name, picture in patch.items()}
        yield augmented(copies, [augmentation], generator("augment", number))


@check("augmentation.pictures", "augmentation")
def pictures(subject: Subject) -> None:
    """In each of the three trainings, the pictures keep their names, their shapes and the range [0, 1].

    Fix: return a mapping of all pictures, also of those that stay as they are; clamp what changes brightness.
    """
    for names in STAGES:
        shown = photographs(3, SIDE, SIDE)
        patch = {name: shown[i % len(shown)] for i, name in enumerate(names)}
        for found in _drawn(subject, patch):
            for name, picture in found.items():
                inside = bool(((picture >= 0) & (picture <= 1)).all())
                require(inside, f"'{name}' has values from {float(picture.min()):.3g} to {float(picture.max()):.3g}")


@check("augmentation.together", "augmentation")
def together(subject: Subject) -> None:
    """The pictures of a patch are changed together: two pictures that are equal stay alike, with a correlation of 0.8
    or more.

    Fix: draw what moves pixels once for a patch, and do it to all of its pictures.
    """
    picture = photographs(1, SIDE, SIDE)[0]
    for names in STAGES:
        for found in _drawn(subject, dict.fromkeys(names, picture)):
            first, *others = found.values()
            worst = min(float(torch.corrcoef(torch.stack([first.flatten(), p.flatten()]))[0, 1]) for p in others)
            require(worst >= ALIKE, f"two pictures of {', '.join(names)} were equal, and then correlate by {worst:.2f}")


@check("augmentation.directions", "augmentation", when=DIRECTED)
def directions(subject: Subject) -> None:
    """Directions are kept as ``directions`` says: what is above stays above. With ``keeps``, what is left stays left,
    too.

    Fix: declare ``directions="mirrors"`` if left and right may be exchanged, and ``"turns"`` if up may become another
    side.
    """
    assert isinstance(subject.record, Augmentation)
    declared = subject.record.directions
    ramp = torch.linspace(0.1, 0.9, SIDE).expand(3, SIDE, SIDE)
    kept = {"above": ramp.transpose(-2, -1)} | ({"left": ramp} if declared == "keeps" else {})
    for names in STAGES:
        for side, picture in kept.items():
            for found in _drawn(subject, dict.fromkeys(names, picture)):
                slopes = [_slope(p, -2 if side == "above" else -1) for p in found.values()]
                require(min(slopes) > 0, f"directions is '{declared}', but what was {side} is not {side} any more")


def _slope(picture_CHW: Tensor, axis: int) -> float:
    """Returns how much brighter the second half of a picture is than the first one."""
    first, second = picture_CHW.chunk(2, dim=axis)
    return float(second.mean() - first.mean())
