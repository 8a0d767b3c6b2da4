"""Applies the second-order degradation of Wang et al. (2021, Real-ESRGAN), fig. 2.

It is blur, resize, noise and JPEG, twice. Probabilities and ranges are the published ones. The last JPEG and the last
resize with its sinc filter come in either order. Two things differ: pictures are resized with antialiasing, and the
result is resized to the picture's original size (bicubic), because restoration at one size needs it. The sharpening of
the reference is left out.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from texprior.flow.degrade import Recipe, Replayable, draw_seed, seeded
from texprior_plugins.degradation import RealEsrganOptions
from texprior_plugins.degradation._filter import filtered
from texprior_plugins.degradation._kernels import draw_kernel, draw_sinc, draw_size, kernel_of
from texprior_plugins.degradation._noise import pick, uniform
from texprior_plugins.degradation._resize import resized
from texprior_plugins.degradation.jpeg import compressed

# The published settings. The pairs of the next lines are for the first and the second round: the probabilities of
# upscaling, downscaling and keeping the size, and the range of the factor.
_MODES = ("box", "bilinear", "bicubic")
_UP_DOWN_KEEP = ((0.2, 0.7, 0.1), (0.3, 0.4, 0.3))
_FACTORS = ((0.15, 1.5), (0.3, 1.2))
# Published probabilities of Gaussian instead of Poisson noise, of grey noise, of the second blur, of the last sinc.
_GAUSSIAN, _GREY, _SECOND_BLUR, _FINAL_SINC = 0.5, 0.4, 0.8, 0.8
_SECOND_SIGMA, _SECOND_NOISE = 1 / 2, 5 / 6
"""The second round's bounds, as a factor on those of the first round."""
_PHOTONS = 256
"""Photons at full white, at which Poisson noise with the factor 1 has its natural strength."""


class RealEsrgan(Replayable):
    """Applies two rounds of blur, resize, noise and JPEG, then the final steps."""

    def __init__(self, options: RealEsrganOptions) -> None:
        self.options = options

    def draw(self, rng: torch.Generator, size: tuple[int, int]) -> Recipe:
        """Draws both rounds and the final steps."""
        return {"rounds": [self._draw_round(0, rng), self._draw_round(1, rng)], "end": self._draw_end(rng)}

    def _draw_round(self, second: int, rng: torch.Generator) -> Recipe:
        options = self.options
        sigma = options.sigma_max * (_SECOND_SIGMA if second else 1)
        bound = _SECOND_NOISE if second else 1
        low, high = _FACTORS[second]
        direction = pick(_UP_DOWN_KEEP[second], rng)
        blurred = not second or uniform(0, 1, rng) < _SECOND_BLUR
        gaussian = uniform(0, 1, rng) < _GAUSSIAN
        strength = uniform(min(1.0, options.noise_max), options.noise_max * bound, rng)
        photons = uniform(min(0.05, options.poisson_max), options.poisson_max * bound, rng)
        return {
            "kernel": draw_kernel(sigma, rng) if blurred else None,
            "factor": (uniform(1, high, rng), uniform(low, 1, rng), 1.0)[direction],
            "mode": _MODES[pick((1, 1, 1), rng)],
            "noise": {"gaussian": strength} if gaussian else {"poisson": photons},
            "grey": uniform(0, 1, rng) < _GREY,
            "seed": draw_seed(rng),
            "quality": self._quality(rng),
        }

    def _draw_end(self, rng: torch.Generator) -> Recipe:
        sinc = draw_sinc(draw_size(rng), math.pi / 3, rng) if uniform(0, 1, rng) < _FINAL_SINC else None
        return {"mode": _MODES[pick((1, 1, 1), rng)], "sinc": sinc, "jpeg_last": uniform(0, 1, rng) < 0.5}

    def _quality(self, rng: torch.Generator) -> int:
        return int(torch.randint(self.options.quality_min, self.options.quality_max + 1, (), generator=rng))

    def apply(self, image_CHW: Tensor, recipe: Recipe) -> Tensor:
        """Returns the degraded picture, (3, H, W) float32 in [0, 1]."""
        (height, width), scale = image_CHW.shape[-2:], self.options.scale
        first, second = recipe["rounds"]
        image = _round(image_CHW, first, height, width)
        image = compressed(image, first["quality"], "4:2:0")
        image = _round(image, second, height / scale, width / scale)
        image = self._end(image, recipe["end"], second["quality"], height, width)
        return resized(image, height, width, "bicubic").clamp(0, 1)

    def _end(self, image: Tensor, end: Recipe, quality: int, height: int, width: int) -> Tensor:
        """Applies the last JPEG and the last resize with its sinc filter, in the drawn order."""
        if not end["jpeg_last"]:
            image = compressed(image, quality, "4:2:0")
        image = _resized(image, height / self.options.scale, width / self.options.scale, end["mode"])
        if end["sinc"]:
            image = filtered(image, kernel_of(end["sinc"]))
        image = image.clamp(0, 1)
        return compressed(image, quality, "4:2:0") if end["jpeg_last"] else image


def _round(image: Tensor, recipe: Recipe, height: float, width: float) -> Tensor:
    """Applies blur, resize to ``factor`` times the given size, and noise; clips to [0, 1]."""
    if recipe["kernel"]:
        image = filtered(image, kernel_of(recipe["kernel"]))
    image = _resized(image, height * recipe["factor"], width * recipe["factor"], recipe["mode"]).clamp(0, 1)
    rng = seeded(recipe["seed"])
    if "gaussian" in recipe["noise"]:
        shape = (1 if recipe["grey"] else 3, *image.shape[-2:])
        noise = torch.randn(shape, generator=rng) * (recipe["noise"]["gaussian"] / 255)
    else:
        clean = image.mean(0, keepdim=True) if recipe["grey"] else image
        noise = (torch.poisson(clean * _PHOTONS, generator=rng) / _PHOTONS - clean) * recipe["noise"]["poisson"]
    return (image + noise).clamp(0, 1)


def _resized(image: Tensor, height: float, width: float, mode: str) -> Tensor:
    return resized(image, max(1, round(height)), max(1, round(width)), mode)
