"""Rules of initial predictors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from texprior.flow.predict import InitialPredictor
from texprior.testing.catalogue import check, tagged
from texprior.testing.kinds.reach import FAR, leak, strip
from texprior.testing.material import gap, gaussian, perturbed, photographs
from texprior.testing.outcomes import NotRun, require
from texprior.testing.probe import PROBES, Inputs, Probe, having, moved
from texprior.testing.subject import Subject

SIZES = ((32, 48), (33, 47), (21, 16))


def _inputs() -> Inputs:
    return {"image": photographs(2, 32, 48)}


def _work(predictor: Any, inputs: Inputs) -> tuple[Tensor, ...]:
    return (predictor(inputs["image"]),)


def _make(subject: Subject, changes: Mapping[str, Any] | None = None) -> Any:
    predictor: nn.Module = subject.build(changes)
    return perturbed(predictor, 0.02).eval()


PROBES["predictor"] = Probe(
    _inputs, _work, make=_make, base=(InitialPredictor,), methods=having("forward", "loss"), move=moved
)


@check("predictor.sizes", "predictor")
def sizes(subject: Subject) -> None:
    """The estimate has the picture's shape and finite values, for odd sizes too.

    Fix: pad inside to what the network needs (``mode="replicate"``), and crop the estimate.
    """
    for predictor in (subject.build(), _make(subject)):
        for height, width in SIZES:
            estimate = predictor(photographs(2, height, width))
            require(estimate.shape == (2, 3, height, width), f"{width}x{height} px give {tuple(estimate.shape)}")
            require(torch.isfinite(estimate).all(), f"{width}x{height} px: values that are no finite numbers")


@check("predictor.loss", "predictor")
def loss(subject: Subject) -> None:
    """The loss is one finite number per image, (B,), each of its own image alone, and smaller for a better estimate.

    Fix: reduce over a picture's dimensions only, ``error.mean(dim=(1, 2, 3))``.
    """
    predictor, clean = subject.build(), photographs(2, 32, 48)
    far = clean + 0.1 * gaussian(2, 3, 32, 48)
    losses = [predictor.loss(estimate, clean).detach() for estimate in (clean.clone(), far)]
    for found in losses:
        require(tuple(found.shape) == (2,), f"the loss of two images has shape {tuple(found.shape)}")
        require(torch.isfinite(found).all(), "a loss is no finite number")
    require((losses[0] < losses[1]).all(), "a perfect estimate does not have the smaller loss")
    mixed = predictor.loss(torch.stack([clean[0], far[1]]), clean).detach()
    require(torch.allclose(mixed, torch.stack([losses[0][0], losses[1][1]])), "an image's loss depends on the other")


@check("predictor.gradients", "predictor")
def gradients(subject: Subject) -> None:
    """The gradient of the loss reaches every parameter that is trained.

    Fix: remove layers that nothing uses; no ``detach`` or ``no_grad`` on the way; freeze what is not to be trained
    with ``requires_grad_(False)``.
    """
    predictor, image = _make(subject), photographs(2, 32, 48)
    trained = {name: p for name, p in predictor.named_parameters() if p.requires_grad}
    if not trained:
        raise NotRun("it has no parameter to train")
    loss: Any = predictor.loss
    loss(predictor(image), image + 0.1 * gaussian(2, 3, 32, 48)).mean().backward()
    idle = [name for name, p in trained.items() if p.grad is None or not p.grad.any()]
    require(not idle, f"no gradient reaches {len(idle)} parameters, such as {', '.join(idle[:3])}")


@check("predictor.local", "predictor", when=tagged("local"))
def local(subject: Subject) -> None:
    """What is declared ``local`` sees only its surroundings: a change at one end of a strip of 512 px leaves what is
    368 px and more away as it was, within 1e-6; so a tile with a halo is predicted as within the whole.

    Fix: leave out whole-picture pooling and normalisation over positions, or leave out the tag.
    """
    far = leak(_make(subject))
    require(far <= 1e-6, f"{FAR} px away the estimate changes by {far:.2g}")


@check("predictor.stride", "predictor", when=tagged("local"))
@torch.no_grad()
def stride(subject: Subject) -> None:
    """Cut off a multiple of ``stride`` px at the left, what lies 368 px and more from there is predicted as before,
    within 1e-5: tiles may begin on multiples of it.

    Fix: set ``stride`` to the pixels for one position of the network's coarsest grid.
    """
    predictor = _make(subject)
    step = predictor.stride
    require(isinstance(step, int) and step >= 1, f"stride is {step!r}")
    whole, cut = predictor(strip())[..., step + FAR :], predictor(strip()[..., step:])[..., FAR:]
    require(
        gap(whole, cut) <= 1e-5, f"cut off by its stride of {step} px the estimate differs by {gap(whole, cut):.2g}"
    )
