"""Splits a picture into its structure and its texture."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from texprior.flow.contract import inputs_kept, refuse, require_tensor
from texprior.plugin.origin import is_first

ADDS_UP = 1e-4
"""How far structure + texture may be from the picture: far above rounding, far below a texture that is missing."""


class Layers(NamedTuple):
    """The two layers of a picture: structure + texture = picture.

    Each is (B, C, H, W). The texture is signed and never clipped.
    """

    structure: Tensor
    texture: Tensor


class Decomposer(Protocol):
    """The contract of a decomposition.

    It acts on whole photographs, of any size and number of channels.
    """

    def __call__(self, image_BCHW: Tensor) -> Layers:
        """Returns both layers of a float batch in [0, 1], with the batch's device and dtype."""
        ...


class StructureFilter(ABC):
    """A decomposition by a smoothing filter: the texture is what the filter removes."""

    @abstractmethod
    def structure(self, image_BCHW: Tensor) -> Tensor:
        """Returns the picture without its texture, (B, C, H, W)."""

    def __call__(self, image_BCHW: Tensor) -> Layers:
        structure = self.structure(image_BCHW)
        return Layers(structure, image_BCHW - structure)


@torch.no_grad()
def decompose(image_BCHW: Tensor, decomposition: Decomposer) -> Layers:
    """Returns the structure and texture of a batch of whole photographs.

    Raises ContractError if the decomposition returns something else. Whether the layers add up to the picture is
    looked at in its first call.
    """
    with inputs_kept(decomposition, picture=image_BCHW):
        found = decomposition(image_BCHW)
    layers = checked_layers(found, image_BCHW, decomposition)
    if is_first(decomposition, "sum"):
        off = float((layers.structure + layers.texture - image_BCHW).abs().max()) if image_BCHW.numel() else 0.0
        if off > ADDS_UP:
            refuse(decomposition, f"structure + texture differs from the picture by up to {off:.3g}", "the picture")
    return layers


def checked_layers(layers: object, image_BCHW: Tensor, decomposition: Decomposer) -> Layers:
    """Returns what a decomposition returned, if it is two layers like the picture. Otherwise raises ContractError."""
    if not isinstance(layers, Layers):
        refuse(decomposition, f"it returns a {type(layers).__name__}", "texprior.flow.decompose.Layers")
    for layer, what in zip(layers, Layers._fields, strict=True):
        require_tensor(decomposition, layer, image_BCHW.shape, image_BCHW, f"the {what}")
    return layers


def with_texture(layers: Layers, alpha: float) -> Tensor:
    """Returns the picture with a share alpha of its texture.

    It is lerp(S, S + T, alpha), which is exact at both ends: S for alpha 0 and S + T for alpha 1.
    """
    return torch.lerp(layers.structure, layers.structure + layers.texture, alpha)
