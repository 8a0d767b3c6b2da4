"""Checks the rules of samplers, with denoisers whose solution is known."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

from texprior.diffusion.sigmas import karras, steps_of
from texprior.flow.contract import require_tensor
from texprior.flow.sample import LayerSampler
from texprior.plugin import Sampler
from texprior.testing.catalogue import check, declares
from texprior.testing.kinds.linear import DATA_MEAN, DATA_STD, curved, exact_gain, respond, slope
from texprior.testing.kinds.reverse_chain import chain_context
from texprior.testing.material import gaussian
from texprior.testing.outcomes import Broken, NotRun, require
from texprior.testing.probe import PROBES, Inputs, Probe, having, unmoved
from texprior.testing.subject import Subject
from texprior.testing.values import choices, ends, is_tuned, samples

SIGMA_MIN, SIGMA_MAX = 0.002, 80.0
"""The range of noise levels of Karras et al. 2022, table 1."""
STEPS = (50, 100, 200)
"""The numbers of steps over which the slope of the error is fitted."""
SLACK_BELOW, SLACK_ABOVE = 0.25, 0.75
"""How far the fitted order may be below and above the declared one.

Less slack below, because a missing order is a bug. More above, because the error of a simple problem may fall faster.
"""
_WORK_STEPS = 4
"""Steps of a run in the rules of every kind: few, because only its inputs and outputs are compared."""


def _inputs() -> Inputs:
    return {"x": 20 * gaussian(2, 3, 8, 8, key="x"), "noise": gaussian(2, _WORK_STEPS, 3, 8, 8, key="noise")}


def _work(sampler: LayerSampler, inputs: Inputs) -> tuple[Tensor, ...]:
    sigmas = steps_of(karras, _WORK_STEPS, 0.02, 20).to(inputs["x"].device)
    layer = sampler(curved, inputs["x"], sigmas, lambda i: inputs["noise"][:, i])
    return (require_tensor(sampler, layer, inputs["x"].shape, inputs["x"], "the sampled layer"),)


PROBES["sampler"] = Probe(
    _inputs,
    _work,
    context=chain_context,
    methods=having("calls", "__call__"),
    dtypes=(torch.float32, torch.float64),
    move=unmoved,
)


def settings(subject: Subject) -> Iterator[dict[str, Any]]:
    """Yields the default options, then changes of one option.

    The changes of an option are its ends, and each value that its type lists.
    """
    for changes in ({}, *ends(subject.model), *choices(subject.model)):
        if subject.accepts(changes):
            yield changes


def _asks_noise(subject: Subject, changes: Mapping[str, Any]) -> bool:
    asked = []

    def noise(i: int) -> Tensor:
        asked.append(i)
        return torch.zeros(1, 1, 1, 1)

    subject.build(changes)(curved, torch.ones(1, 1, 1, 1), steps_of(karras, 10, 0.02, 20), noise)
    return bool(asked)


def _form(subject: Subject, *, stochastic: bool) -> dict[str, Any] | None:
    """Returns the first options with which the sampler is stochastic, or is not.

    Stochastic means that it uses noise. Returns None if there are no such options.
    """
    return next((s for s in settings(subject) if _asks_noise(subject, s) == stochastic), None)


@check("sampler.gaussian", "sampler")
def recovers(subject: Subject) -> None:
    """With the exact denoiser of Gaussian data, samples have the mean of the data (within 1e-5) and its standard
    deviation (within 3 % at 200 steps). This holds at the default options and across the search space.

    Fix: compare each step with the equations of the method; the noise that is added must replace the noise that is
    removed.
    """
    sigmas = steps_of(karras, STEPS[-1], SIGMA_MIN, SIGMA_MAX)
    # the response to unit impulses gives the exact mean and variance, so no samples have to be drawn
    for changes in [{}, *(samples(subject.model, 4) if is_tuned(subject.model) else [])]:
        response = respond(subject.build(changes), sigmas)
        off = abs(response.mean - DATA_MEAN)
        where = f"with {changes}" if changes else "with its defaults"
        require(off <= 1e-5, f"{where} the mean is {response.mean:.6g} instead of {DATA_MEAN}")
        error = response.std(SIGMA_MAX) / DATA_STD - 1
        require(abs(error) <= 0.03, f"{where} the standard deviation is off by {100 * error:.2g} %")


@check("sampler.order", "sampler")
def order(subject: Subject) -> None:
    """The error falls at the declared order: its slope over 50, 100 and 200 steps is between ``order`` - 0.25 and
    ``order`` + 0.75. The error is that of the solution if the sampler has a deterministic form, and otherwise that of
    the variance.

    Fix: declare the global order (a local error of order p + 1 is global order p); look for a wrong coefficient, or for
    a first-order step among the others.
    """
    assert isinstance(subject.record, Sampler)
    declared, changes = subject.record.order, _form(subject, stochastic=False)
    deterministic = changes is not None

    errors = []
    for steps in STEPS:
        sigmas = steps_of(karras, steps, SIGMA_MIN, SIGMA_MAX)
        response = respond(subject.build(changes or {}), sigmas)
        exact, found = exact_gain(float(sigmas[0])), response.start
        if not deterministic:
            exact, found = DATA_STD**2, response.std(float(sigmas[0])) ** 2
        # the logarithm needs a positive error, and below 1e-12 there is only rounding of float64
        errors.append(max(abs(found / exact - 1), 1e-12))

    fitted = slope(STEPS, errors)
    shown = ", ".join(f"{e:.2g} at {n}" for n, e in zip(STEPS, errors, strict=True))
    subject.note(f"order {fitted:.2f} fitted, {declared} declared")
    require(
        declared - SLACK_BELOW <= fitted <= declared + SLACK_ABOVE,
        f"the declared order is {declared}, but the error ({shown}) falls with order {fitted:.2f}",
    )


@check("sampler.calls", "sampler")
def calls(subject: Subject) -> None:
    """``calls(steps)`` is the number of network calls that the sampler makes.

    Fix: count the calls of ``denoise`` in one run by hand, including the last step to sigma 0.
    """
    for changes in settings(subject):
        sampler = subject.build(changes)
        # small numbers too, because the first and the last steps often make other calls than the rest
        for steps in (1, 2, 3, 4, 7, 10):
            made = len(_seen(sampler, steps))
            declared = sampler.calls(steps)
            where = f" with {changes}" if changes else ""
            require(made == declared, f"{steps} steps{where}: {declared} calls declared, {made} made")


@check("sampler.sigma", "sampler")
def sigma(subject: Subject) -> None:
    """The sampler passes the denoiser one sigma for the batch: a tensor without dimensions, positive and finite.

    Fix: pass ``sigmas[i]``; never call the denoiser at the final sigma 0.
    """
    for level in _seen(subject.build(), 7):
        require(
            isinstance(level, Tensor) and level.ndim == 0, f"sigma is {level!r} instead of a tensor without dimensions"
        )
        require(torch.isfinite(level) and level > 0, f"the denoiser is called at sigma {float(level)}")


@check("sampler.few-steps", "sampler")
def few_steps(subject: Subject) -> None:
    """One, two and three steps give finite results of the shape of x, because samplers are compared at few calls.

    Fix: handle divisions by the next sigma if it is 0, and steps before which there is no history yet.
    """
    for steps in (1, 2, 3):
        x = gaussian(2, 3, 4, 4) * SIGMA_MAX
        out = subject.build()(
            curved, x, steps_of(karras, steps, 0.02, SIGMA_MAX), lambda i: gaussian(2, 3, 4, 4, key=str(i))
        )
        require(out.shape == x.shape, f"{steps} steps give shape {tuple(out.shape)} for {tuple(x.shape)}")
        require(torch.isfinite(out).all(), f"{steps} steps: not all values are finite")


@check("sampler.noise", "sampler")
def noise_source(subject: Subject) -> None:
    """The sampler requests noise by the index of a step, at most once for each index. The source returns the same
    numbers again for the same index.

    Fix: call ``noise(i)`` with i from 0 to steps - 1; if a step needs two draws that depend on each other, split one
    draw.
    """
    changes = _form(subject, stochastic=True)
    if changes is None:
        raise NotRun("it requests no noise with any of its options")
    for steps in (2, 5):
        asked = list[int]()
        _seen(subject.build(changes), steps, asked)
        outside = [i for i in asked if not 0 <= i < steps]
        require(not outside, f"{steps} steps: it requests noise for the indices {outside}")
        twice = sorted({i for i in asked if asked.count(i) > 1})
        require(not twice, f"{steps} steps: it requests noise more than once for the indices {twice}")


@check("sampler.deterministic", "sampler", when=declares("deterministic"))
def deterministic(subject: Subject) -> None:
    """With ``deterministic=True``, the sampler has a form that requests no noise. This form has the defaults, or one
    option at an end of its range.

    Fix: do not call ``noise`` if its factor is 0; remove ``deterministic=True`` if the sampler always uses noise.
    """
    require(_form(subject, stochastic=False) is not None, "it requests noise with all of its options")


@check("sampler.stochastic", "sampler", when=declares("stochastic"))
def stochastic(subject: Subject) -> None:
    """With ``stochastic=True``, the sampler has a form that uses the injected noise. This form has the defaults, or
    one option at an end of its range.

    Fix: draw through ``noise(i)``; remove ``stochastic=True`` if the sampler uses no noise.
    """
    changes = _form(subject, stochastic=True)
    require(changes is not None, "it requests no noise with any of its options")
    response = respond(subject.build(changes), steps_of(karras, 10, 0.02, 20))
    if not any(response.noises):
        raise Broken("it requests noise, but the noise does not change the output")


def _seen(sampler: LayerSampler, steps: int, asked: list[int] | None = None) -> list[Tensor]:
    """Returns the sigmas of all calls of the denoiser.

    Appends the indices of requested noise to ``asked``.
    """
    sigmas, x = list[Tensor](), torch.ones(1, 1, 2, 2)

    def denoise(state: Tensor, level: Tensor) -> Tensor:
        sigmas.append(level)
        return curved(state, torch.as_tensor(level))

    def noise(i: int) -> Tensor:
        if asked is not None:
            asked.append(i)
        return gaussian(1, 1, 2, 2, key=str(i))

    sampler(denoise, x, steps_of(karras, steps, 0.02, 20), noise)
    return sigmas
