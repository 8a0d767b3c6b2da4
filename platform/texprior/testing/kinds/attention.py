"""Checks the rules of attention backends, against a plain reference."""

from __future__ import annotations

import torch
from torch import Tensor

from texprior.flow.contract import require_tensor
from texprior.flow.prior import AttentionBackend
from texprior.testing.catalogue import check
from texprior.testing.material import accelerator, gap, gaussian
from texprior.testing.outcomes import NotRun, require
from texprior.testing.probe import PROBES, Inputs, Probe, having, unmoved
from texprior.testing.subject import Subject

SHAPES = ((8, 8, 16), (7, 13, 8), (1, 9, 8), (33, 1, 8), (65, 17, 32))
"""Queries, keys, channels of a head. Odd lengths and single tokens find kernels that need multiples of a block."""
NAMES = ("the output", "the gradient for query", "the gradient for key", "the gradient for value")
TOLERANCE = {torch.float32: 1e-5, torch.float64: 1e-10}
"""The largest error of the output. A kernel may sum in another order, so results differ by rounding."""


class Plain:
    """Computes softmax(q k^T / sqrt(D)) v exactly as written (Vaswani et al. 2017, eq. 1)."""

    def available(self, _device: torch.device, _dtype: torch.dtype) -> str:
        """Returns an empty text: the reference works on every device."""
        return ""

    def __call__(self, query_BHND: Tensor, key_BHMD: Tensor, value_BHMD: Tensor) -> Tensor:
        """Returns the attention of N queries over M keys, (B, heads, N, D)."""
        logits = query_BHND @ key_BHMD.transpose(-1, -2) / query_BHND.shape[-1] ** 0.5
        attended: Tensor = logits.softmax(-1) @ value_BHMD
        return attended


def _inputs() -> Inputs:
    return _tokens(7, 13, 8)


def _work(backend: AttentionBackend, inputs: Inputs) -> tuple[Tensor, ...]:
    query = inputs["query"]
    reason = backend.available(query.device, query.dtype)
    if reason:
        raise NotRun(f"it does not work on this machine: {reason}", lacking=True)
    found = backend(query, inputs["key"], inputs["value"])
    return (require_tensor(backend, found, query.shape, query, "the result of attention"),)


PROBES["attention"] = Probe(_inputs, _work, methods=having("available", "__call__"), move=unmoved)


@check("attention.available", "attention")
def available(subject: Subject) -> None:
    """``available(device, dtype)`` never raises. It returns an empty text if the backend works there, and otherwise the
    reason in one line.

    Fix: run a small attention with its gradient inside ``try``, and return the text of the error; return a reason for
    every integer dtype.
    """
    backend = subject.build()
    for dtype in (torch.float32, torch.float64, torch.bfloat16, torch.int32):
        reason = backend.available(torch.device("cpu"), dtype)
        require(isinstance(reason, str), f"for {dtype} it returns {reason!r} instead of a text")
        require("\n" not in reason, f"the reason for {dtype} has several lines")
    require(backend.available(torch.device("cpu"), torch.int32), "it reports that it works with integers")


@check("attention.output", "attention")
def output(subject: Subject) -> None:
    """The output is softmax(q k^T / sqrt(D)) v: within 1e-5 in float32 and 1e-10 in float64, also at odd lengths.

    Fix: scale by 1/sqrt(D); take the softmax over keys; pad and mask if a kernel needs multiples.
    """
    _compare(subject, gradients=False)


@check("attention.gradients", "attention")
def gradients(subject: Subject) -> None:
    """The gradients for query, key and value are those of softmax(q k^T / sqrt(D)) v.

    Fix: use autograd, or correct the backward pass of the custom function; do not use ``detach``.
    """
    _compare(subject, gradients=True)


def _compare(subject: Subject, *, gradients: bool) -> None:
    backend, reasons = subject.build(), list[str]()
    places = [(torch.device(name), dtype) for name in ("cpu", accelerator()) if name for dtype in TOLERANCE]
    for device, dtype in places:
        reasons.append(backend.available(device, dtype))
        if not reasons[-1]:
            _compare_on(backend, device, dtype, gradients)
    if all(reasons):
        raise NotRun(f"it does not work on this machine: {reasons[0]}", lacking=True)


def _compare_on(backend: AttentionBackend, device: torch.device, dtype: torch.dtype, gradients: bool) -> None:
    for n, m, d in SHAPES:
        pairs = zip(
            NAMES, _results(Plain(), n, m, d, device, dtype), _results(backend, n, m, d, device, dtype), strict=True
        )
        for name, expected, found in list(pairs)[1:] if gradients else list(pairs)[:1]:
            # gradients sum over more terms than outputs and grow with their size: ten times the tolerance, relative
            limit = TOLERANCE[dtype] * (10 * max(1.0, float(expected.abs().max())) if gradients else 1)
            off = gap(found, expected)
            require(off <= limit, f"{name} of {n} queries and {m} keys is off by {off:.2g} ({dtype}, {device})")


def _results(
    backend: AttentionBackend, n: int, m: int, d: int, device: torch.device, dtype: torch.dtype
) -> list[Tensor]:
    tokens = [t.to(device, dtype).requires_grad_() for t in _tokens(n, m, d).values()]
    result: Tensor = backend(*tokens)
    weight = gaussian(2, 2, n, d, key="weight").to(device, dtype)
    found = torch.autograd.grad((result * weight).sum(), tokens, allow_unused=True)
    return [result.detach(), *(torch.zeros_like(t) if g is None else g for t, g in zip(tokens, found, strict=True))]


def _tokens(n: int, m: int, d: int) -> Inputs:
    lengths = {"query": n, "key": m, "value": m}
    return {name: gaussian(2, 2, length, d, key=name) for name, length in lengths.items()}
