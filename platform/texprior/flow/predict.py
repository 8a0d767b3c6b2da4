"""Makes a first, over-smooth estimate of the clean picture with the initial predictor."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from texprior.flow.contract import inputs_kept, refuse, require_tensor, require_type
from texprior.flow.objective import Learned, StepTensors
from texprior.flow.precision import full_float32


class InitialPredictor(nn.Module, ABC):
    """The contract of a predictor: a network with its own loss.

    It is built as ``Impl(options)``, and is for pictures of any size. A predictor without trainable parameters is used
    as it is, without training.
    """

    stride: int = 1
    """Pixels of the picture per position of the coarsest grid. Tiles of a large picture start at multiples of it."""

    @abstractmethod
    def forward(self, degraded_BCHW: Tensor) -> Tensor:
        """Returns the estimate y_eps, (B, 3, H, W), unclipped, for pictures in [0, 1]."""

    @property
    def needs_training(self) -> bool:
        """Whether the predictor has a trainable parameter."""
        return any(p.requires_grad for p in self.parameters())

    @abstractmethod
    def loss(self, estimate_BCHW: Tensor, clean_BCHW: Tensor) -> Tensor:
        """Returns the loss per image, (B,), of an estimate alone."""

    def learned(self, degraded_BCHW: Tensor) -> tuple[Tensor, Mapping[str, Tensor]]:
        """Returns the estimate, and further tensors by name that only its training uses; by default none.

        The first dimension of each is the batch. The estimate is that of ``forward``.
        """
        return self(degraded_BCHW), {}

    def loss_from(self, learned: Learned) -> Tensor:
        """Returns the loss per image, (B,), that training minimises; by default ``loss`` of the estimate.

        ``learned.inputs["degraded"]`` is the degraded picture, and ``learned.auxiliary`` what ``learned`` returned.
        What the degradation tells is in ``learned.inputs``, too, see ``Replayable.drawn``.
        """
        return self.loss(learned.estimate, learned.target)


def estimated(
    degraded_BCHW: Tensor, predictor: InitialPredictor, call: Callable[[Tensor], Tensor] | None = None
) -> Tensor:
    """Returns what the predictor returns, unclipped, with its gradient.

    ``call`` is the compiled predictor, if it is compiled. Raises ContractError if that is not one estimate for each
    picture, of the picture's size.
    """
    with inputs_kept(predictor, picture=degraded_BCHW.detach()):
        found = (call or predictor)(degraded_BCHW)
    return require_tensor(predictor, found, degraded_BCHW.shape, degraded_BCHW, "the estimate", any_float=True)


Learn = Callable[[Tensor], tuple[Tensor, Mapping[str, Tensor]]]
"""The method ``learned`` of a predictor, or the same compiled."""


def learned_by(predictor: InitialPredictor, batch: Mapping[str, Tensor], learn: Learn | None = None) -> Learned:
    """Returns what a predictor makes of ``degraded`` in a training step, in float32, with its gradient.

    The target is ``clean``. ``learn`` is the compiled method, if it is compiled. Raises ContractError as ``estimated``,
    and if the further tensors are not floating-point tensors with one entry for each picture.
    """
    degraded, further = batch["degraded"], dict[str, Tensor]()

    def estimate_of(picture_BCHW: Tensor) -> Tensor:
        found = (learn or predictor.learned)(picture_BCHW)
        if not (isinstance(found, tuple) and len(found) == 2):
            refuse(predictor, f"what learned returns is a {type(found).__name__}", "an estimate and a mapping")
        require_type(predictor, found[1], Mapping, "the second part of what learned returns")
        further.update(found[1])
        return found[0]

    # bfloat16 has 8 significant bits, too few for the difference of two similar pictures
    estimate = estimated(degraded, predictor, estimate_of).float()
    auxiliary = {name: _auxiliary(predictor, name, tensor, degraded) for name, tensor in further.items()}
    clean = batch["clean"]
    return Learned(estimate, clean, torch.zeros_like(clean), inputs=StepTensors(batch), auxiliary=auxiliary)


def _auxiliary(predictor: InitialPredictor, name: str, found: object, degraded_BCHW: Tensor) -> Tensor:
    shape = (len(degraded_BCHW), *found.shape[1:]) if isinstance(found, Tensor) else (len(degraded_BCHW),)
    what = f"'{name}' of what learned returns"
    return require_tensor(predictor, found, shape, degraded_BCHW, what, any_float=True).float()


def own_loss(predictor: InitialPredictor, learned: Learned) -> Tensor:
    """Returns the predictor's own loss per image, (B,). Raises ContractError if it has another shape."""
    clean = learned.target
    found = predictor.loss_from(learned)
    return require_tensor(predictor, found, (len(clean),), clean, "the loss", any_float=True)


@torch.no_grad()
def predict(degraded_BCHW: Tensor, predictor: InitialPredictor) -> Tensor:
    """Returns the estimate y_eps, detached and clipped to [0, 1]. Raises ContractError; see ``estimated``."""
    # the adapter learns from estimates, which may not depend on the GPU
    with full_float32():
        estimate = estimated(degraded_BCHW, predictor)
    # infinity must not become white: what is not finite stays so, and is found
    return torch.where(estimate.isfinite(), estimate, torch.nan).clamp(0, 1)
