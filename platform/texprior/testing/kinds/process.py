"""Checks the rules of processes: bases, forward law, what the network is given, and the posterior."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor

from texprior.flow.process import DiffusionProcess, base_of_prior, base_of_task, entrance
from texprior.plugin import Process
from texprior.testing.catalogue import USABLE, check
from texprior.testing.material import gap, gaussian, photographs
from texprior.testing.outcomes import require
from texprior.testing.probe import PROBES, Inputs, Probe, cast, having, unmoved
from texprior.testing.subject import Subject

SCALE = 0.05
"""The standard deviation of a common texture, in units of the picture."""
LEVELS = (1e-3, 0.01, 0.1, 1.0, 10.0)
"""Noise levels in units of the picture, from a quarter of a step of 8 bits to far above every picture."""
TOLERANCE = 1e-6
"""The largest relative error of a law in float64."""
UNIT = (0.1, 10.0)
"""The deviation of what a network is given: about 1, within a factor of 10."""
SCALES = (0.05, 0.2)
"""Two common deviations of a layer, in units of the picture: a texture, and a whole picture."""
NOISIER = (100.0, 200.0)
"""Noise levels of two layers in units of each, so far above the layer that its share of the variance is below 1e-4."""
SCALED = 1e-3
"""The largest difference of the factors with which a network is given the same noise on these two layers."""
_PLACE = (slice(3, 20), slice(5, 26))
"""A part of a picture, rows and columns."""


def _inputs() -> Inputs:
    pictures = photographs(2, 32, 32)
    return {
        "picture": pictures,
        "structure": (pictures + 0.5) / 2,
        "degraded": (pictures * 0.8).contiguous(),
        "estimate": pictures.square(),
        "x": gaussian(2, 3, 32, 32, key="x"),
        "sigma": torch.tensor([0.5, 4.0]),
    }


def _work(process: DiffusionProcess, inputs: Inputs) -> tuple[Tensor, ...]:
    one, two = _bases(process, inputs)
    enter = entrance(process, one, SCALE)
    return (one, *([] if two is None else [two]), enter(inputs["x"], inputs["sigma"]))


def _bases(process: DiffusionProcess, inputs: Inputs) -> tuple[Tensor, Tensor | None]:
    one = base_of_prior(process, inputs["picture"], inputs["structure"])
    return one, base_of_task(process, inputs["degraded"], inputs["estimate"])


PROBES["process"] = Probe(
    _inputs,
    _work,
    base=(DiffusionProcess,),
    methods=having("base_one", "base_two", "law", "enter", "kept"),
    attributes=("largest",),
    dtypes=(torch.float32, torch.float64),
    move=unmoved,
)


@check("process.pointwise", "process")
def local(subject: Subject) -> None:
    """Each value of a base, and of what the network is given, depends only on the values at the same place: a part of a
    picture gives the part of the result.

    Fix: compute pixel by pixel, without a mean or a filter over the picture; large pictures are restored in parts.
    """
    process, inputs = subject.build(), _inputs()
    rows, columns = _PLACE
    parts = {name: t[..., rows, columns] if t.ndim == 4 else t for name, t in inputs.items()}
    for whole, part in zip(_work(process, inputs), _work(process, parts), strict=True):
        off = gap(whole[..., rows, columns], part)
        require(off == 0, f"a part of a picture gives another result than the picture has there, by {off:.2g}")


@check("process.base", "process")
def base(subject: Subject) -> None:
    """``base_two`` returns a picture if the record says ``own_base=True``, and otherwise None, so that `process.base`
    decides.

    Fix: write ``own_base=True`` in the record, or remove it.
    """
    found, own = _bases(subject.build(), _inputs())[1], _record(subject).own_base
    what = "None" if found is None else "a picture"
    require((found is not None) == own, f"the record says own_base={own}, but base_two returns {what}")


@check("process.law", "process")
def law(subject: Subject) -> None:
    """The forward law has b = 1 - a, c = sigma a and 0 < a <= 1 at every level, and a does not grow with sigma, within
    1e-6 in float64.

    Fix: take levels in units of the picture, c / a = sigma; write a, c and sigma for pictures in [0, 1].
    """
    sigma = _levels(subject.build())
    a, b, c = subject.build().law(sigma)
    for name, factor in (("a", a), ("b", b), ("c", c)):
        require(factor.shape == sigma.shape, f"{name} has shape {tuple(factor.shape)} for {tuple(sigma.shape)}")
        require(torch.isfinite(factor).all(), f"{name} is not finite at all levels")
    require(bool(((a > 0) & (a <= 1)).all()), f"a is {_shown(a)}, which is not above 0 and at most 1")
    require(bool((a.diff() <= 0).all()), f"a is {_shown(a)} at {_shown(sigma)}: it grows with sigma")
    off = float((c / (sigma * a) - 1).abs().max())
    require(off <= TOLERANCE, f"c / a differs from sigma by a factor of up to {1 + off:.6g}")
    require(gap(a + b, torch.ones_like(a)) <= TOLERANCE, f"a + b is {_shown(a + b)} instead of 1")


@check("process.input", "process")
def input_map(subject: Subject) -> None:
    """What the network is given is finite and affine in x at every level, and determines x.

    Fix: multiply x by a factor that is not 0 and depends only on sigma; add what depends on the base alone.
    """
    enter, _ = _entered(subject)
    first, second = gaussian(1, 3, 32, 32, key="x").double(), gaussian(1, 3, 32, 32, key="other").double()
    for level in _levels(subject.build()):
        at = [enter(x, level) for x in (first, second, 0.3 * first + 0.7 * second)]
        require(all(torch.isfinite(t).all() for t in at), f"it is not finite at sigma {float(level):g}")
        size = max(float(t.abs().max()) for t in at)
        off = gap(0.3 * at[0] + 0.7 * at[1], at[2]) / max(size, 1e-300)
        require(off <= TOLERANCE, f"at sigma {float(level):g} it is not affine in x: off by {off:.2g} of its size")
        slopes = (at[0] - at[1]) / (first - second)
        require(bool((slopes != 0).all()), f"at sigma {float(level):g} it does not change with x")


@check("process.variance", "process")
def variance(subject: Subject) -> None:
    """With the default options, what the network is given has a standard deviation from 0.1 to 10 at every level.

    Fix: divide by the deviation of x_t, such as sqrt(a^2 s^2 + c^2); networks and learning rates are made for 1.
    """
    enter, scale = _entered(subject)
    for level in _levels(subject.build()):
        noise = float(level) / scale
        found = float(enter(gaussian(1, 3, 32, 32, key="x").double() * math.sqrt(1 + noise**2), level).std())
        require(UNIT[0] <= found <= UNIT[1], f"at sigma {float(level):g} its standard deviation is {found:.3g}")


@check("process.scale", "process", after=(*USABLE, "process.input", "process.variance"))
def scale_used(subject: Subject) -> None:
    """What the network is given depends on ``scale`` x, ``scale`` sigma and the base alone, up to a factor: layers of
    two scales that are the same x_t give the same, times a number. If the noise is far above the layer, the number is 1
    within 1e-3.

    Fix: multiply x and sigma by ``scale`` before they meet the base, or the factors of ``law``.
    """
    process = subject.build()
    for level in _levels(process).tolist():
        for scales, slack in ((SCALES, math.inf), ([level / sigma for sigma in NOISIER], SCALED)):
            one, two = (_given(process, level, scale) for scale in scales)
            factor = float((one * two).sum() / two.square().sum())
            off = gap(one, factor * two) / float(one.abs().max())
            where = f"at sigma {level:g} of the picture, x_t of scales {scales[0]:.2g} and {scales[1]:.2g}"
            require(off <= TOLERANCE, f"{where} differs by more than a factor, by {off:.2g} of its size")
            require(abs(factor - 1) <= slack, f"{where}, which is nearly noise alone, differs by a factor {factor:.3g}")


@check("process.largest", "process")
def largest(subject: Subject) -> None:
    """``largest`` is a positive number, the noise level at which the process ends; infinity if it has no end.

    Fix: set ``largest`` in units of the picture, as the ratio c / a at the last time.
    """
    found = subject.build().largest
    number = isinstance(found, int | float) and not isinstance(found, bool)
    require(number and found > 0, f"largest is {found!r}")


@check("process.kept", "process")
def kept(subject: Subject) -> None:
    """``kept(sigma, following)`` is a number from 0 to 1 if the record says ``posterior=True``, and otherwise None.

    Fix: return the share of the noise's variance that a reverse step keeps, (following / sigma)^2 for a Markov chain;
    write ``posterior=True`` in the record, or remove it.
    """
    process, stated = subject.build(), _record(subject).posterior
    levels = _levels(process).tolist()
    for following, sigma in pairwise(levels):
        rho = process.kept(sigma, following)
        if not stated:
            require(rho is None, f"the record does not say posterior=True, but kept returns {rho!r}")
            continue
        require(isinstance(rho, float), f"the record says posterior=True, but kept returns {rho!r}")
        require(0 <= rho <= 1, f"kept({sigma:g}, {following:g}) is {rho:g}")


def _record(subject: Subject) -> Process:
    record = subject.record
    assert isinstance(record, Process)
    return record


def _levels(process: DiffusionProcess) -> Tensor:
    """Returns the levels of the checks that the process has, increasing, and its largest; float64."""
    # an end that is no level is what process.largest reports
    end = process.largest if process.largest > 0 else math.inf
    inside = [level for level in LEVELS if level < end]
    return torch.tensor([*inside, *([end] if math.isfinite(end) else [])], dtype=torch.float64)


def _entered(subject: Subject) -> tuple[Callable[[Tensor, Tensor], Tensor], float]:
    """Returns the input map of one picture, and the scale of its layer.

    The map is in float64, and its levels are in units of the picture.
    """
    process, inputs = subject.build(), cast(_inputs(), torch.float64)
    taken_off = _bases(process, inputs)[0][:1]
    # measured as a training does; a picture that is its own base has no layer
    scale = float((inputs["picture"][:1] - taken_off).std()) or SCALE
    enter = entrance(process, taken_off, scale)
    return (lambda x, level: enter(x, level[None] / scale)), scale


def _given(process: DiffusionProcess, level: float, scale: float) -> Tensor:
    """Returns what the network is given of noise of a level, in units of the picture, if the layer has this scale."""
    inputs = cast(_inputs(), torch.float64)
    sigma = level / scale
    enter = entrance(process, _bases(process, inputs)[0], scale)
    return enter(sigma * inputs["x"], torch.full((2,), sigma, dtype=torch.float64))


def _shown(values: Tensor) -> str:
    return ", ".join(f"{value:.4g}" for value in values.tolist())
