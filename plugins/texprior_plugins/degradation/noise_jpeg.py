"""Sensor noise and JPEG compression, through albumentations."""

from __future__ import annotations

import os

import numpy as np
import torch
from torch import Tensor

from texprior_plugins.degradation import NoiseJpegOptions

# albumentations asks the network for a newer version of itself when it is imported, unless told not to.
os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")

import albumentations


class NoiseJpeg:
    """Adds white Gaussian noise of a random strength, clips, and compresses at a random quality."""

    def __init__(self, options: NoiseJpegOptions) -> None:
        self.transform = albumentations.Compose(
            [
                albumentations.GaussNoise(std_range=(options.noise_min / 255, options.noise_max / 255), p=1),
                albumentations.ImageCompression(
                    compression_type="jpeg", quality_range=(options.quality_min, options.quality_max), p=1
                ),
            ]
        )

    def __call__(self, image_CHW: Tensor, rng: torch.Generator) -> Tensor:
        """The noisy, compressed picture, (3, H, W) float32 in [0, 1], on the 256 levels that JPEG decodes to."""
        # A seed of its own for each picture: streams seeded once repeat themselves across data-loader workers.
        self.transform.set_random_seed(int(torch.randint(2**31 - 1, (), generator=rng)))
        picture_HWC = np.ascontiguousarray(image_CHW.numpy().transpose(1, 2, 0))
        degraded = self.transform(image=picture_HWC)["image"]
        return torch.from_numpy(np.ascontiguousarray(degraded.transpose(2, 0, 1))).clamp(0, 1)
