"""Checks the rules of semantic encoders."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from texprior.errors import ContractError
from texprior.flow.code import place_of
from texprior.flow.contract import require_tensor
from texprior.flow.prior import SemanticEncoder, encode
from texprior.testing.catalogue import check
from texprior.testing.material import gap, photographs, same
from texprior.testing.outcomes import NotRun, require
from texprior.testing.probe import PROBES, Inputs, Probe, having, moved
from texprior.testing.subject import Subject

SIZES = ((64, 96), (33, 47), (24, 24))
"""Height and width, px: even, odd and small sides, which must all give a code of the same shape."""


def _inputs() -> Inputs:
    return {"image": photographs(2, 64, 96)}


def _work(encoder: SemanticEncoder, inputs: Inputs) -> tuple[Tensor, ...]:
    image = inputs["image"]
    declared = (len(image), encoder.tokens, encoder.width)
    return (require_tensor(encoder, encoder(image), declared, image, "the code"),)


def _make(subject: Subject, changes: Mapping[str, Any] | None = None) -> SemanticEncoder:
    encoder: SemanticEncoder = subject.build(changes)
    return encoder.eval()


PROBES["encoder"] = Probe(
    _inputs,
    _work,
    make=_make,
    base=(SemanticEncoder,),
    methods=having("forward"),
    attributes=("width", "tokens"),
    move=moved,
)


@check("encoder.frozen", "encoder")
def frozen(subject: Subject) -> None:
    """The encoder (Net S) is frozen: it has no trainable parameter, and its code requires no gradient.

    Fix: end ``__init__`` with ``self.requires_grad_(False)``, or keep the parameters as buffers.
    """
    encoder = subject.build()
    trained = [name for name, p in encoder.named_parameters() if p.requires_grad]
    require(not trained, f"{len(trained)} parameters are trainable, such as {trained[:1]}")
    require(not encoder(photographs(1, 64, 96)).requires_grad, "its code requires a gradient")


@check("encoder.mode", "encoder")
def mode(subject: Subject) -> None:
    """Training mode has no effect: the code is the same after ``.train()``, and no statistics are updated.

    Fix: override ``train`` so that the module stays in evaluation mode, or fold batch normalisation into the
    convolutions.
    """
    encoder, image = _make(subject), photographs(2, 64, 96)
    before = encoder(image.clone())
    buffers = {name: buffer.clone() for name, buffer in encoder.named_buffers()}
    encoder.train()
    worst = gap(encoder(image.clone()), before)
    require(worst == 0, f"in training mode the code differs by {worst:.2g}")
    moving = [name for name, buffer in encoder.named_buffers() if not same(buffer, buffers[name])]
    require(not moving, f"buffers change in training mode, such as {moving[:1]}")


@check("encoder.tokens", "encoder")
def tokens(subject: Subject) -> None:
    """The code has the declared shape, (B, tokens, width), and finite values, for every size of the picture.

    Fix: pool to a fixed grid; set ``self.tokens`` and ``self.width`` from the options; set both to 0 if there is no
    code.
    """
    encoder = _make(subject)
    for height, width in SIZES:
        code = encoder(photographs(2, height, width))
        declared = (2, encoder.tokens, encoder.width)
        require(
            code.shape == declared,
            f"{width}x{height} px: the code has shape {tuple(code.shape)}, declared is {declared}",
        )
        require(torch.isfinite(code).all(), f"{width}x{height} px: not all values are finite")
    require((encoder.tokens == 0) == (encoder.width == 0), "one of tokens and width is 0 and the other is not")


CORNER = 24
"""Side of the corner that is changed, px: less than half of the smaller side of the picture."""


@check("encoder.map", "encoder")
def feature_map(subject: Subject) -> None:
    """If ``map_stride`` is not 0, ``tokens`` is a square number, and ``map`` returns finite values of the shape (B,
    width, ceil(H / map_stride), ceil(W / map_stride)) for every size. A change in a corner of the picture changes the
    map most in that corner.

    Fix: pad the picture so that the last position is there for every size; do not turn or transpose the map.
    """
    encoder = _make(subject)
    if not encoder.map_stride:
        raise NotRun("it has no map")
    try:
        place_of(encoder)
        maps = [encode(photographs(2, height, width), encoder) for height, width in SIZES]
    except ContractError as error:
        require(False, error.breach)
    require(all(torch.isfinite(found).all() for found in maps), "not all values of the map are finite")
    before, after = photographs(1, 64, 96), photographs(1, 64, 96)
    after[..., -CORNER:, :CORNER] = 1 - after[..., -CORNER:, :CORNER]
    moved = (encode(after, encoder) - encode(before, encoder))[0].abs().sum(0)
    row, column = divmod(int(moved.argmax()), moved.shape[1])
    there = row >= moved.shape[0] // 2 and column <= (moved.shape[1] - 1) // 2
    require(
        there, f"a change at the left below moves the map most at row {row}, column {column} of {tuple(moved.shape)}"
    )
