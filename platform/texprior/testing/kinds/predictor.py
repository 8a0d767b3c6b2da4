"""Checks the rules of initial predictors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from texprior.flow.predict import InitialPredictor, estimated, learned_by
from texprior.testing.catalogue import check, declares
from texprior.testing.kinds.reach import FAR, leak, strip
from texprior.testing.material import gap, gaussian, perturbed, photographs
from texprior.testing.outcomes import NotRun, require
from texprior.testing.probe import PROBES, Inputs, Probe, having, moved
from texprior.testing.subject import Subject

SIZES = ((32, 48), (33, 47), (21, 16))
"""Height and width, px: a multiple of common strides, odd sides, and a small picture."""


def _inputs() -> Inputs:
    return {"image": photographs(2, 32, 48)}


def _work(predictor: InitialPredictor, inputs: Inputs) -> tuple[Tensor, ...]:
    return (estimated(inputs["image"], predictor),)


def _make(subject: Subject, changes: Mapping[str, Any] | None = None) -> InitialPredictor:
    predictor: InitialPredictor = subject.build(changes)
    return perturbed(predictor, 0.02).eval()


PROBES["predictor"] = Probe(
    _inputs, _work, make=_make, base=(InitialPredictor,), methods=having("forward", "loss"), move=moved
)


@check("predictor.sizes", "predictor")
def sizes(subject: Subject) -> None:
    """The estimate has the shape of the picture and finite values, also for odd sizes.

    Fix: pad inside the network to the size that it needs (``mode="replicate"``), and crop the estimate.
    """
    # a new network may return its input unchanged, so test a perturbed one too
    for predictor in (subject.build(), _make(subject)):
        for height, width in SIZES:
            estimate = predictor(photographs(2, height, width))
            require(
                estimate.shape == (2, 3, height, width),
                f"{width}x{height} px: the estimate has shape {tuple(estimate.shape)}",
            )
            require(torch.isfinite(estimate).all(), f"{width}x{height} px: not all values are finite")


@check("predictor.loss", "predictor")
def loss(subject: Subject) -> None:
    """The loss is one finite number per image, (B,). Each depends only on its own image, and is smaller for a better
    estimate.

    Fix: reduce only over the dimensions of one picture, ``error.mean(dim=(1, 2, 3))``.
    """
    predictor, clean = subject.build(), photographs(2, 32, 48)
    far = clean + 0.1 * gaussian(2, 3, 32, 48)
    losses = [predictor.loss(estimate, clean).detach() for estimate in (clean.clone(), far)]
    for found in losses:
        require(tuple(found.shape) == (2,), f"the loss of two images has shape {tuple(found.shape)}")
        require(torch.isfinite(found).all(), "a loss is not finite")
    require((losses[0] < losses[1]).all(), "the loss of a perfect estimate is not smaller than that of a noisy one")
    mixed = predictor.loss(torch.stack([clean[0], far[1]]), clean).detach()
    require(
        torch.allclose(mixed, torch.stack([losses[0][0], losses[1][1]])),
        "the loss of an image depends on the other image",
    )


@check("predictor.learned", "predictor")
@torch.no_grad()
def learned(subject: Subject) -> None:
    """In training the estimate is that of ``forward``: that of ``learned`` differs by at most 1e-6 in evaluation mode,
    and ``loss_from`` gives one finite number per image, which depends only on its own image.

    Fix: let ``forward`` and ``learned`` share the code that makes the estimate; reduce the loss over the dimensions of
    one picture only.
    """
    predictor, image = _make(subject), photographs(2, 32, 48)
    if not any(_redefined(predictor, name) for name in ("learned", "loss_from")):
        raise NotRun("it defines neither learned nor loss_from")
    batch = {"degraded": image, "clean": image + 0.1 * gaussian(2, 3, 32, 48)}
    found = learned_by(predictor, batch)
    off = gap(found.estimate, estimated(image, predictor))
    require(off <= 1e-6, f"the estimate of learned differs from that of forward by {off:.2g}")
    together = predictor.loss_from(found)
    require(tuple(together.shape) == (2,), f"the loss of two images has shape {tuple(together.shape)}")
    require(torch.isfinite(together).all(), "a loss is not finite")
    alone = [predictor.loss_from(learned_by(predictor, {n: t[i : i + 1] for n, t in batch.items()})) for i in range(2)]
    require(torch.allclose(together, torch.cat(alone), rtol=1e-3), "the loss of an image depends on the other image")


def _redefined(predictor: InitialPredictor, name: str) -> bool:
    return getattr(type(predictor), name) is not getattr(InitialPredictor, name)


@check("predictor.gradients", "predictor")
def gradients(subject: Subject) -> None:
    """Every trainable parameter gets a gradient of the loss.

    Fix: remove unused layers; do not use ``detach`` or ``no_grad`` between the parameter and the loss; freeze what must
    not be trained with ``requires_grad_(False)``.
    """
    predictor, image = _make(subject), photographs(2, 32, 48)
    trained = {name: p for name, p in predictor.named_parameters() if p.requires_grad}
    if not trained:
        raise NotRun("it has no parameter to train")
    batch = {"degraded": image, "clean": image + 0.1 * gaussian(2, 3, 32, 48)}
    predictor.loss_from(learned_by(predictor, batch)).mean().backward()  # type: ignore[no-untyped-call]
    idle = [name for name, p in trained.items() if p.grad is None or not p.grad.any()]
    require(not idle, f"no gradient reaches {len(idle)} parameters, such as {', '.join(idle[:3])}")


@check("predictor.local", "predictor", when=declares("local"))
def local(subject: Subject) -> None:
    """With ``local=True``, the network depends only on nearby pixels. After a change at one end of a strip of 512
    px, estimates that are 368 px or more away change by at most 1e-6. So tiles with a halo give the same result as the
    whole picture.

    Fix: remove pooling over the whole picture and normalisation over positions, or remove ``local=True``.
    """
    far = leak(_make(subject))
    require(far <= 1e-6, f"{FAR} px away the estimate changes by {far:.2g}")


@check("predictor.stride", "predictor", when=declares("local"))
@torch.no_grad()
def stride(subject: Subject) -> None:
    """If ``stride`` px are cut off at the left, estimates that are 368 px or more away from the cut change by at most
    1e-5. So tiles can begin at multiples of ``stride``.

    Fix: set ``stride`` to the number of pixels per position of the coarsest grid of the network.
    """
    predictor = _make(subject)
    step = predictor.stride
    require(isinstance(step, int) and step >= 1, f"stride is {step!r}: it must be a whole number of at least 1")
    whole, cut = predictor(strip())[..., step + FAR :], predictor(strip()[..., step:])[..., FAR:]
    require(
        gap(whole, cut) <= 1e-5,
        f"if its stride of {step} px is cut off, the estimate differs by {gap(whole, cut):.2g}",
    )
