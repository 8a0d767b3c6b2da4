"""decompose: a picture is its structure plus its texture."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import NamedTuple, Protocol

import torch
from torch import Tensor


class Layers(NamedTuple):
    """structure + texture = picture; each (B, C, H, W). The texture is signed and never clipped."""

    structure: Tensor
    texture: Tensor


class Decomposer(Protocol):
    """The contract of a decomposition. It acts on whole photographs, of any size and number of channels."""

    def __call__(self, image_BCHW: Tensor) -> Layers:
        """Both layers of a float batch in [0, 1], on its device and of its dtype."""
        ...


class StructureFilter(ABC):
    """A decomposition given by its smoothing filter: the texture is what the filter takes away."""

    @abstractmethod
    def structure(self, image_BCHW: Tensor) -> Tensor:
        """The picture without its texture, (B, C, H, W)."""

    def __call__(self, image_BCHW: Tensor) -> Layers:
        structure = self.structure(image_BCHW)
        return Layers(structure, image_BCHW - structure)


@torch.no_grad()
def decompose(image_BCHW: Tensor, decomposition: Decomposer) -> Layers:
    """Structure and texture of a batch of whole photographs."""
    return decomposition(image_BCHW)


def with_texture(layers: Layers, alpha: float) -> Tensor:
    """The picture with a share alpha of its texture, lerp(S, S + T, alpha): exact at both ends."""
    return torch.lerp(layers.structure, layers.structure + layers.texture, alpha)
