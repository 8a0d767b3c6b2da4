"""Restores the pictures of the page, and keeps the last results: another texture strength samples nothing again."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from torch import Tensor

from texprior.diffusion.process import Process
from texprior.errors import ImageError, printable
from texprior.flow.degrade import Degrader, degraded_sample
from texprior.flow.image import Sample, load_image
from texprior.flow.kinds import DEGRADATION
from texprior.flow.recompose import Recomposed
from texprior.models.build import Model
from texprior.pipeline import Restored, restore
from texprior.runtime.builder import Builder
from texprior.store import sha256

KEPT_PIXELS = 16e6
"""Pixels of the kept results together; each pixel takes about 90 bytes. The last result is always kept."""
FULL = 1.0
"""The texture strength at which layers are sampled: every other one is a multiple of it."""


class Asked(NamedTuple):
    """What decides the sampled layers: a picture's file, and the settings of the page except the strength."""

    path: str
    steps: int
    samples: int
    degrade: bool = False
    """Whether the picture is a clean one, which is degraded first as in the model's training."""


@dataclass(frozen=True)
class Result:
    """A restored picture, which can be composed at any texture strength.

    Pictures are (1, 3, H, W) in [0, 1].
    """

    picture: Tensor
    """What the file holds."""
    degraded: Tensor
    """What the model was given: the picture, or its degraded version."""
    found: Restored
    """Restored at texture strength 1."""
    process: Process

    @property
    def size(self) -> tuple[int, int]:
        """Height and width, px."""
        height, width = self.picture.shape[-2:]
        return height, width

    def at(self, strength: float) -> Recomposed:
        """Returns the restored picture and its spread at a texture strength, as sampling with it gives them."""
        picture = self.process.picture(self.found.base, self.found.layer, strength)
        return Recomposed(picture, self.found.spread * strength)

    def texture(self, strength: float) -> Tensor:
        """Returns the layer that is added to the base, (1, 3, H, W), signed, in units of the picture."""
        return self.found.layer * (self.process.scale * strength)


class Restorer:
    """Restores pictures with one model, one at a time, and keeps the results that were asked for last."""

    def __init__(self, model: Model, seed: int, limit: float) -> None:
        self.model, self.seed, self.limit = model, seed, limit
        self._kept: dict[tuple[object, ...], Result] = {}
        self._one_at_a_time, self._keeping = threading.Lock(), threading.Lock()

    @property
    def can_degrade(self) -> bool:
        """Whether the model was trained with a degradation that can be repeated, and not on pairs."""
        return self.model.experiment.degradation is not None

    def picture(self, path: str) -> Tensor:
        """Reads a picture, (3, H, W). Raises ImageError if it cannot be read, or is too large for the page."""
        image = load_image(path)
        megapixels = image[0].numel() / 1e6
        if megapixels > self.limit:
            size = f"{image.shape[2]}x{image.shape[1]} px are {megapixels:.3g} megapixels"
            remedy = f"use 'texprior restore', or start the page with --max-megapixels {math.ceil(megapixels)}"
            raise ImageError(f"{path}: {size}, and the page takes {self.limit:g}; {remedy}")
        return image

    def restored(self, asked: Asked, tell: Callable[[int, int], None] = lambda _done, _calls: None) -> Result:
        """Returns a restored picture, sampled only if it is not kept; ``tell`` is that of ``restore_sections``.

        The noise is that of ``texprior restore`` for a file of this name. Raises ImageError as ``picture``.
        """
        key = (sha256(Path(asked.path)), _name(asked), *asked[1:])
        # what is kept does not wait until another picture is restored
        if (kept := self._find(key)) is not None:
            return kept
        with self._one_at_a_time:
            # two requests for one picture, such as those of two tabs, must not sample it twice
            result = self._find(key) or self._sampled(asked, tell)
            self._keep(key, result)
        return result

    def _sampled(self, asked: Asked, tell: Callable[[int, int], None]) -> Result:
        model, picture = self.model, self.picture(asked.path)
        changes = {"steps": asked.steps, "samples": asked.samples, "texture_strength": FULL}
        settings = model.experiment.sampling.model_copy(update=changes)
        degraded = (self._degraded(picture, _name(asked)) if asked.degrade else picture)[None]
        found = restore(model, degraded, _name(asked), settings, self.seed, tell=tell)
        here = degraded.to(found.picture.device)
        return Result(picture[None], here, found, model.process)

    def _degraded(self, picture: Tensor, name: str) -> Tensor:
        experiment = self.model.experiment
        degradation: Degrader = Builder(experiment, self.model.registry).build(DEGRADATION)
        return degraded_sample(Sample(name, picture), degradation, self.seed, bits=experiment.data.degraded_bits)

    def _find(self, key: tuple[object, ...]) -> Result | None:
        """Returns a kept result, which then counts as the last one that was asked for."""
        with self._keeping:
            result = self._kept.pop(key, None)
            if result is not None:
                self._kept[key] = result
            return result

    def _keep(self, key: tuple[object, ...], result: Result) -> None:
        with self._keeping:
            self._kept[key] = result
            while len(self._kept) > 1 and sum(_pixels(kept) for kept in self._kept.values()) > KEPT_PIXELS:
                del self._kept[next(iter(self._kept))]


def _name(asked: Asked) -> str:
    return printable(Path(asked.path).name)


def _pixels(result: Result) -> int:
    height, width = result.size
    return height * width
