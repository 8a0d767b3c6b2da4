"""Splits a picture into its structure and its texture."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from texprior.flow.contract import inputs_kept, refuse, require_tensor
from texprior.flow.tile import in_tiles
from texprior.plugin.origin import is_first

TILE = 1024
"""Side of the tiles in which a large picture is decomposed, px; filters compute in float64, so they need much."""
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

    reach: int | None = None
    """A pixel's structure depends only on pixels at most so far away, px; None if it depends on the whole picture.

    A large picture is filtered in tiles if its decomposition has a reach, else as a whole.
    """
    grid: int = 1
    """Tiles begin at multiples of this, px: 2^n if the filter halves pictures n times."""

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


@torch.no_grad()
def structure_of(image_BCHW: Tensor, decomposition: Decomposer) -> Tensor:
    """Returns the structure of pictures, of large ones in tiles if the decomposition has a reach."""
    margin, side = margin_of(decomposition), TILE
    if margin is None or max(image_BCHW.shape[-2:]) <= side:
        return decompose(image_BCHW, decomposition).structure
    return in_tiles(lambda tile: decompose(tile, decomposition).structure, image_BCHW, side, margin)


def margin_of(decomposition: Decomposer) -> int | None:
    """Returns how far a decomposition looks, in px, rounded up to its grid; None if that is far, or not known."""
    reach, grid = getattr(decomposition, "reach", None), grid_of(decomposition)
    margin = None if reach is None else -(-reach // grid) * grid
    return None if margin is None or margin > TILE or TILE % grid else margin


def grid_of(decomposition: Decomposer) -> int:
    """Returns the number of pixels at whose multiples tiles begin."""
    return int(getattr(decomposition, "grid", 1))


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
