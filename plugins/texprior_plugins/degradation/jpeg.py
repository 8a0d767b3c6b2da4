"""Compresses pictures with JPEG, through Pillow (libjpeg)."""

from __future__ import annotations

import io

import torch
from PIL import Image
from torch import Tensor

from texprior.flow.degrade import Recipe, Replayable
from texprior.flow.image import from_pil, to_uint8
from texprior_plugins.degradation import JpegOptions


class Jpeg(Replayable):
    """Encodes and decodes at a random quality."""

    def __init__(self, options: JpegOptions) -> None:
        self.options = options

    def draw(self, rng: torch.Generator, size: tuple[int, int]) -> Recipe:
        """Draws the JPEG quality, an integer."""
        low, high = self.options.quality_min, self.options.quality_max
        return {"quality": int(torch.randint(low, high + 1, (), generator=rng))}

    def apply(self, image_CHW: Tensor, recipe: Recipe) -> Tensor:
        """Returns the decoded picture, (3, H, W) float32 in [0, 1].

        Its values are on the 256 levels that JPEG decodes to.
        """
        return compressed(image_CHW, recipe["quality"], self.options.subsampling)


def compressed(image_CHW: Tensor, quality: int, subsampling: str) -> Tensor:
    """Returns the picture after JPEG with a quality and a chroma subsampling such as 4:2:0."""
    file = io.BytesIO()
    Image.fromarray(to_uint8(image_CHW)).save(file, "jpeg", quality=quality, subsampling=subsampling)
    file.seek(0)
    with Image.open(file) as image:
        return from_pil(image)
