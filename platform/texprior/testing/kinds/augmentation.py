"""Checks the rules of augmentations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor

from texprior.diffusion.keys import generator
from texprior.flow.augment import PatchAugmentation, augmented
from texprior.plugin import Augmentation
from texprior.testing.catalogue import USABLE, When, check
from texprior.testing.material import gap, photographs
from texprior.testing.outcomes import require
from texprior.testing.probe import PROBES, Inputs, Probe
from texprior.testing.subject import Subject

PREDICTOR = ("clean", "degraded")
"""The pictures that the training of the predictor sees; nothing is derived from them."""
DERIVED = (
    ("picture", "structure"),
    ("picture", "structure", "blurred picture", "blurred structure"),
    ("clean", "estimate", "base", "condition"),
    ("clean", "degraded", "estimate", "base", "condition"),
)
"""The pictures that the trainings of prior and adapter see, in the two forms of each."""
STAGES = (*DERIVED, PREDICTOR)
DRAWS = 32
"""Patches of each check: a change with probability 1/2 is missed once in four billion times."""
SIDE = 32
"""Side of a patch, px."""
ALIKE = 0.8
"""Correlation of two pictures that were changed together, where they were equal before."""
SAME = 1e-4
"""How far equal pictures may be apart after the same change: a fortieth of a step of 8 bits."""
MOVED = 0.5
"""Correlation, in size, of a map with a picture that it was moved with; without it, at most 0.43 if they are turned."""
TOGETHER = (*USABLE, "augmentation.pictures", "augmentation.together")
"""Checks after which the pictures of a patch are known to be changed together."""
TOKENS = 4
"""Side of the grid of tokens."""
_LEVELS = torch.linspace(-2, 3, 5)[:, None, None]
"""A value for each channel of a code, some of them outside the range of pictures."""


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
            worst = min(_correlation(first, p) for p in others)
            require(worst >= ALIKE, f"two pictures of {', '.join(names)} were equal, and then correlate by {worst:.2f}")


@check("augmentation.derived", "augmentation", after=TOGETHER)
def derived(subject: Subject) -> None:
    """A picture is changed alone only if nothing was derived from it. In the trainings of prior and adapter, pictures
    that are equal stay equal, whatever one other picture shows. In that of the predictor, ``clean`` is not changed
    without ``degraded``.

    Fix: change all pictures in the same way; change ``degraded`` alone only in a patch without ``estimate``.
    """
    first, second = photographs(2, SIDE, SIDE)
    for names in DERIVED:
        for other in ("", *names):
            shown = {name: second if name == other else first for name in names}
            for found in _drawn(subject, shown):
                off, one, two = _farthest({name: found[name] for name in names if name != other})
                require(off <= SAME, f"of {', '.join(names)}, '{one}' and '{two}' were equal, and differ by {off:.2g}")
    for found in _drawn(subject, {"clean": first, "degraded": second}):
        alone = gap(found["clean"], first) > SAME and gap(found["degraded"], second) <= SAME
        require(not alone, "'clean' is changed, but 'degraded' stays as it is")


@check("augmentation.maps", "augmentation", after=TOGETHER)
def maps(subject: Subject) -> None:
    """A map of one channel that a degradation tells, ``drawn/NAME``, and the grid of tokens ``code`` are moved with the
    pictures, and keep their values.

    Fix: turn and mirror every tensor of the patch; change light and colours only where ``is_picture(name)`` of
    ``texprior.flow.augment`` is true.
    """
    for names in STAGES:
        _keeps_values(subject, names)
        _moves_maps(subject, names)


def _keeps_values(subject: Subject, names: Sequence[str]) -> None:
    pictures = dict.fromkeys(names, photographs(1, SIDE, SIDE)[0])
    flat = {"drawn/level": torch.full((1, SIDE, SIDE), 3.0), "code": _LEVELS.expand(-1, TOKENS, TOKENS)}
    for found in _drawn(subject, {**pictures, **flat}):
        for name, value in flat.items():
            off = gap(found[name], value)
            require(off <= SAME, f"'{name}' is the same everywhere, and is changed by up to {off:.3g}")


def _moves_maps(subject: Subject, names: Sequence[str]) -> None:
    mark = torch.zeros(SIDE, SIDE)
    mark[: SIDE // 2, SIDE // 2 : 3 * SIDE // 4] = 1
    pictures = dict.fromkeys(names, (0.25 + mark / 2).expand(3, SIDE, SIDE))
    for found in _drawn(subject, {**pictures, "drawn/level": mark[None], "code": _tokens(mark) + _LEVELS}):
        picture = found[names[0]].mean(0)
        for name, own in (("drawn/level", picture), ("code", _tokens(picture))):
            # in size, as a change of light may exchange bright and dark
            alike = abs(_correlation(found[name][0], own))
            require(alike >= MOVED, f"'{name}' is not moved with '{names[0]}': they correlate by {alike:.2f}")


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


def _farthest(pictures: Mapping[str, Tensor]) -> tuple[float, str, str]:
    """Returns the largest difference of the first picture from another one, and the names of the two."""
    first = next(iter(pictures))
    return max((gap(pictures[first], picture), first, name) for name, picture in pictures.items())


def _correlation(one: Tensor, two: Tensor) -> float:
    return float(torch.corrcoef(torch.stack([one.flatten(), two.flatten()]))[0, 1])


def _tokens(picture_HW: Tensor) -> Tensor:
    """Returns the mean of a picture over the place of each token, (t, t)."""
    side = SIDE // TOKENS
    return picture_HW.reshape(TOKENS, side, TOKENS, side).mean((1, 3))
