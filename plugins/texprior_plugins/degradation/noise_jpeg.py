"""Adds sensor noise and JPEG compression, through albumentations."""

from __future__ import annotations

import torch
from torch import Tensor

from texprior.flow.degrade import Recipe, Replayable
from texprior_plugins.degradation import NoiseJpegOptions
from texprior_plugins.degradation.albumentations import Seeded, albumentations, transform_seed


class NoiseJpeg(Replayable):
    """Adds white Gaussian noise of a random strength, clips, and compresses at a random quality."""

    def __init__(self, options: NoiseJpegOptions) -> None:
        self.transform = Seeded(
            albumentations.GaussNoise(std_range=(options.noise_min / 255, options.noise_max / 255), p=1),
            albumentations.ImageCompression(
                compression_type="jpeg", quality_range=(options.quality_min, options.quality_max), p=1
            ),
        )

    def draw(self, rng: torch.Generator, size: tuple[int, int]) -> Recipe:
        """Draws the one seed of the recipe.

        It determines the noise's strength, the noise field and the JPEG quality.
        """
        return {"seed": transform_seed(rng)}

    def apply(self, image_CHW: Tensor, recipe: Recipe) -> Tensor:
        """Returns the noisy, compressed picture, (3, H, W) float32 in [0, 1].

        Its values are on the 256 levels that JPEG decodes to.
        """
        return self.transform(image_CHW, recipe["seed"]).clamp(0, 1)
