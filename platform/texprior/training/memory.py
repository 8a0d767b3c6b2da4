"""Reckons the memory of a training before it is taken, and refuses what the machine does not have."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from texprior.config.schema import Training
from texprior.errors import ConfigError
from texprior.runtime.memory import device_memory
from texprior.training.loop import Loss

LossOf = Callable[[Training], Loss]
"""Builds the loss of a training, on random patches, for settings that may have another patch than the training's."""
_SIDE = 256
"""Side of the largest patch that is tried, px: a multiple of every stride that texprior's networks can have."""
_COPIES = 5
"""Copies of a trainable parameter: itself, its gradient, two moments of AdamW, and its average."""
_PICTURES = 4
"""Pictures of a patch that a step holds at least: what is given, what is wanted, the noise, and their mixture."""


def require_memory(
    stage: str, settings: Training, loss_of: LossOf, trained: nn.Module, *frozen: nn.Module, processes: int = 1
) -> None:
    """Raises ConfigError if a step of a training needs more memory than its device has.

    ``loss_of`` builds the loss on random patches; it is called with a small patch, for one image and for two. What the
    second one adds counts for each image of a step, times the area of a patch; what is kept once for all images, such
    as weights in bfloat16, counts once. This is less than a step needs, so nothing is refused that would fit. The
    ``frozen`` networks take part; ``processes`` share the images of a step.
    """
    parameters = [p for p in trained.parameters() if p.requires_grad]
    if not parameters:
        return
    device = parameters[0].device
    there = device_memory(device)
    if there is None:
        return
    images = max(1, (settings.microbatch or settings.batch) // processes)
    small = settings.model_copy(update={"patch": min(settings.patch, _SIDE)})
    area = (settings.patch / small.patch) ** 2
    inputs = images * _PICTURES * 3 * settings.patch**2 * 4
    weights = _COPIES * sum(p.numel() * p.element_size() for p in parameters)
    # The inputs alone may be too much, or one image of a small patch; the rest is tried only if they are not.
    needed = inputs + weights
    if needed <= there:
        one, two = (kept_bytes(loss_of(small), count, trained, *frozen) for count in (1, 2))
        of_image = max(0, two - one)
        needed += int(images * area * of_image) + max(0, one - of_image)
    if needed > there:
        size = f"{images:,} patches of {settings.patch} px"
        raise ConfigError(
            f"training.{stage}: a step on {size} needs more than {needed / 2**30:,.1f} GB of memory, and {device} has "
            f"{there / 2**30:,.1f} GB; lower training.{stage}.microbatch, training.{stage}.patch, or the width of the "
            "network"
        )


def kept_bytes(loss: Loss, images: int, *networks: nn.Module) -> int:
    """Returns the bytes that the loss of some images keeps for its gradient, without the networks' own tensors."""
    tensors = [tensor for network in networks for tensor in (*network.parameters(), *network.buffers())]
    own = {tensor.untyped_storage().data_ptr() for tensor in tensors}
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Any:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    # a component may draw from the global generator, too
    keeping = torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor)
    with put_back(*networks), torch.random.fork_rng(), keeping:
        result = loss(range(images))
    # until here the loss keeps its tensors, so that no two of them had the same place
    del result
    return sum(kept.values())


@contextmanager
def put_back(*networks: nn.Module) -> Iterator[None]:
    """Restores the buffers of networks when the block ends, such as a normalisation's running mean."""
    buffers = [(buffer, buffer.clone()) for network in networks for buffer in network.buffers()]
    try:
        yield
    finally:
        with torch.no_grad():
            for buffer, before in buffers:
                buffer.copy_(before)
