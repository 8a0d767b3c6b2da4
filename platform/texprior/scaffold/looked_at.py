"""Looks at the pictures of a data set: how many, how large, how degraded."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median

from torch import Tensor

from texprior.errors import ImageError
from texprior.flow.image import PictureSet

_MOST = 200
"""Pictures that are decoded, evenly spread over the data set."""


@dataclass(frozen=True)
class LookedAt:
    """What was seen of a data set; sizes are (width, height) in px, noise is in units of 8 bits."""

    pictures: int
    decoded: int
    sizes: Sequence[tuple[int, int]]
    """The smallest and the largest, by area."""
    noise: float
    """The median of the noise levels of the degraded pictures, or of the clean ones if there are no others."""
    psnr: Sequence[float] = ()
    """The lowest, the median and the highest PSNR between the pictures of a pair, dB; empty without pairs."""
    broken: dict[str, str] = field(default_factory=dict)
    """Key -> why a picture or a pair cannot be used."""

    def __str__(self) -> str:
        some = "" if self.decoded == self.pictures else f", {self.decoded:,} of them looked at"
        sizes = " to ".join(dict.fromkeys(f"{width} x {height}" for width, height in self.sizes))
        return f"{self.pictures:,} pictures{some}; {sizes} px; noise level at most about {self.noise:.1f} of 255"


def look_at(pictures: PictureSet, keys: Sequence[str]) -> LookedAt:
    """Decodes some pictures of a data set and says what was seen. Raises ImageError if none can be read."""
    broken = dict[str, str]()
    sizes, noise, psnr = list[tuple[int, int]](), list[float](), list[float]()
    for key in keys[:: -(-len(keys) // _MOST)]:
        try:
            sample = pictures.load(key)
        except ImageError as error:
            broken[key] = str(error)
            continue
        sizes.append((sample.clean.shape[-1], sample.clean.shape[-2]))
        noise.append(255 * noise_level(sample.clean if sample.degraded is None else sample.degraded))
        if sample.degraded is not None:
            psnr.append(_psnr(sample.degraded, sample.clean))
    if not sizes:
        raise ImageError(f"none of {len(broken)} pictures can be read: {next(iter(broken.values()))}")
    ordered = sorted(sizes, key=lambda size: (size[0] * size[1], size))
    return LookedAt(
        pictures=len(keys),
        decoded=len(sizes),
        sizes=(ordered[0], ordered[-1]),
        noise=median(noise),
        psnr=(min(psnr), median(psnr), max(psnr)) if psnr else (),
        broken=broken,
    )


def noise_level(picture_CHW: Tensor) -> float:
    """Estimates the standard deviation of white noise in a picture, in the units of the picture.

    The median of the finest diagonal wavelet coefficients (Haar) divided by .6745 (Donoho and Johnstone 1994, section
    4.2). Fine texture counts as noise, so that it is an upper bound for a photograph.
    """
    height, width = (side - side % 2 for side in picture_CHW.shape[-2:])
    even = picture_CHW[:, :height, :width]
    diagonal = (even[:, ::2, ::2] - even[:, ::2, 1::2] - even[:, 1::2, ::2] + even[:, 1::2, 1::2]) / 2
    return float(diagonal.abs().flatten(1).median(dim=1).values.mean()) / 0.6745


def _psnr(picture: Tensor, reference: Tensor) -> float:
    error = float((picture - reference).square().mean())
    return 100.0 if error <= 1e-10 else -10 * math.log10(error)
