"""Checks the rules of distributions of noise levels."""

from __future__ import annotations

import torch
from torch import Tensor

from texprior.flow.contract import require_tensor
from texprior.flow.schedule import NoiseLevels
from texprior.testing.catalogue import check, declares
from texprior.testing.kinds.reverse_chain import told
from texprior.testing.material import gaussian
from texprior.testing.outcomes import require
from texprior.testing.probe import PROBES, Inputs, Probe, unmoved
from texprior.testing.subject import Subject

MEAN, STD = -0.5, 1.2
"""The defaults of ``diffusion.noise_mean`` and ``diffusion.noise_std``."""
WIDTHS = (1.0, 4.0)
"""Factors of process and layer, which change the units of the picture alone."""
SLACK = 1e-5
"""The largest relative difference of two levels that should be equal: rounding of float32."""
FAR = 6.0
"""Standard normal numbers beyond this are drawn once in 500 million samples."""


def _inputs() -> Inputs:
    return {"normal": gaussian(2, 64)}


def _work(levels: NoiseLevels, inputs: Inputs) -> tuple[Tensor, ...]:
    normal = inputs["normal"]
    return (require_tensor(levels, levels(normal), normal.shape, normal, "the noise levels"),)


PROBES["noise_levels"] = Probe(
    _inputs,
    _work,
    context=lambda _subject: {"mean": MEAN, "std": STD, **told()},
    dtypes=(torch.float32, torch.float64),
    move=unmoved,
)


def _levels(subject: Subject, mean: float = MEAN, width: float = 1.0) -> Tensor:
    """Returns the levels of increasing standard normal numbers."""
    context = {"mean": mean, "std": STD, **told(width)}
    levels: Tensor = subject.build(context=context)(torch.linspace(-FAR, FAR, 401))
    return levels


@check("noise_levels.positive", "noise_levels")
def positive(subject: Subject) -> None:
    """Noise levels are positive and finite, also for standard normal numbers of -6 and 6.

    Fix: compute ln sigma, and take its exponential at the end; bound what grows without limit in the tails.
    """
    levels = _levels(subject)
    bad = levels[~(torch.isfinite(levels) & (levels > 0))]
    require(not len(bad), f"{len(bad)} of {len(levels)} levels are not, such as {float(bad[0]) if len(bad) else 0:g}")


@check("noise_levels.increases", "noise_levels")
def increases(subject: Subject) -> None:
    """A larger standard normal number never has a smaller noise level. So levels have quantiles, which the schedule
    ``training-quantiles`` finds.

    Fix: return the quantile function of the distribution at Phi(z), and do not draw numbers of your own.
    """
    levels = _levels(subject)
    falls = torch.nonzero(levels.diff() < 0).flatten()
    require(not len(falls), f"the level falls {len(falls)} times as the number grows from {-FAR:g} to {FAR:g}")


@check("noise_levels.mean", "noise_levels")
def follows_mean(subject: Subject) -> None:
    """A larger ``mean`` makes no noise level smaller.

    Fix: add ``mean`` to ln sigma; a distribution whose levels are chosen otherwise ignores it.
    """
    lower, higher = _levels(subject, MEAN), _levels(subject, MEAN + 1)
    smaller = int((higher < lower * (1 - 1e-6)).sum())
    require(not smaller, f"with a mean that is larger by 1, {smaller} of {len(lower)} levels are smaller")


@check("noise_levels.scale", "noise_levels", when=declares("of_process"))
def scale_used(subject: Subject) -> None:
    """With ``of_process=True``, levels are in units of the layer: they stay if the levels of the process and the layer
    are 4 times as large.

    Fix: divide what the process says of its levels by ``scale``; ask the process, and not an option, for its numbers.
    """
    one, two = (_levels(subject, width=width) for width in WIDTHS)
    off = float((two / one - 1).abs().max())
    require(off <= SLACK, f"in wider units, levels of the layer differ by a factor of up to {1 + off:.3g}")


@check("noise_levels.largest", "noise_levels", when=declares("of_process"))
def inside_the_process(subject: Subject) -> None:
    """With ``of_process=True``, no level is beyond the end of the process, ``process.largest / scale``.

    Fix: take the smaller of the level and ``process.largest / scale``.
    """
    given, found = told(), float(_levels(subject, mean=MEAN + 5).max())
    end = given["process"].largest / given["scale"]
    require(found <= end * (1 + SLACK), f"a level is {found:g}, but the process ends at {end:g}")
