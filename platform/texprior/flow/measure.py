"""measure: how good a picture is, one score per image; and how good a set of pictures is."""

from __future__ import annotations

import functools
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor

from texprior.errors import ImageError
from texprior.plugin import Metric

log = logging.getLogger(__name__)


class ImageMetric(Protocol):
    """The contract of a metric of scope ``image``. Built as ``Impl(options)``.

    Where the direction or the need of a reference depends on the options, the metric has attributes ``better`` and
    ``reference``, which are believed before the record's.
    """

    key: str
    """The metric's name with what it depends on, such as ``psnr_rgb`` or ``ssim_y_gauss11``."""

    def __call__(self, image_BCHW: Tensor, reference_BCHW: Tensor | None) -> Tensor:
        """The scores, (B,), each a function of its own picture alone; pictures in [0, 1], unrounded.

        A metric that needs no reference is given None or a picture that it ignores. Raises ImageError for pictures that
        it cannot score, such as small ones.
        """
        ...


class SetMetric(Protocol):
    """The contract of a metric of scope ``set``, a distance of distributions. Built as ``Impl(options)``."""

    key: str
    """As of an ``ImageMetric``."""

    def features(self, image_BCHW: Tensor) -> Tensor:
        """What the metric sees of each picture, (B, F), each row a function of its own picture alone.

        Raises ImageError for pictures that it cannot see.
        """
        ...

    def contributions(self, features_NF: Tensor, reference_NF: Tensor | None) -> Tensor:
        """Jackknife pseudo-values of the set's score, (N,): n U - (n - 1) U_i, U_i the score without picture i.

        Their mean is the score (exactly where it is a U-statistic), the standard error of that mean is the jackknife's.
        Row i of both sets shows the same scene. NaN where the set is too small to be scored.
        """
        ...


def direction(metric: ImageMetric | SetMetric, record: Metric) -> str:
    """``higher``, ``lower`` or ``one``: what the metric says of itself, else its record."""
    return str(getattr(metric, "better", record.better))


def needs_reference(metric: ImageMetric | SetMetric, record: Metric) -> bool:
    """What the metric says of itself, else its record."""
    return bool(getattr(metric, "reference", record.reference))


@torch.no_grad()
def measure(
    image_BCHW: Tensor, reference_BCHW: Tensor | None, metrics: Mapping[str, ImageMetric], picture: str = ""
) -> dict[str, Tensor]:
    """Metric key -> scores, (B,) float64 on the CPU.

    A metric that raises ImageError scores NaN, with a warning that names metric and ``picture``; the others are kept.
    """
    scores = {}
    for key, metric in metrics.items():
        try:
            scores[key] = metric(image_BCHW, reference_BCHW).cpu().double()
        except ImageError as error:
            _warn(key, picture, str(error))
            scores[key] = torch.full((len(image_BCHW),), torch.nan, dtype=torch.float64)
    return scores


@dataclass
class Gathered:
    """Features of restored pictures and of their references, gathered picture by picture for metrics of scope ``set``.

    A picture that a metric cannot see is left out of that metric's sets, with a warning.
    """

    metrics: Mapping[str, SetMetric]
    seen: dict[tuple[str, str], dict[str, tuple[Tensor, Tensor | None]]] = field(default_factory=dict)
    """(method, metric key) -> picture -> features of the picture and of its reference, each (F,) on the CPU."""

    @torch.no_grad()
    def add(self, method: str, picture: str, image_1CHW: Tensor, reference_1CHW: Tensor | None) -> None:
        """Looks at one picture as a method made it."""
        for key, metric in self.metrics.items():
            try:
                own = metric.features(image_1CHW)[0].cpu()
                reference = None if reference_1CHW is None else metric.features(reference_1CHW)[0].cpu()
            except ImageError as error:
                _warn(key, picture, str(error))
                continue
            self.seen.setdefault((method, key), {})[picture] = own, reference

    def score(self, key: str, rows: Mapping[str, tuple[Tensor, Tensor | None]]) -> dict[str, float]:
        """Picture -> contribution, of a set of pictures that were seen; the set's score is the mean."""
        own = torch.stack([features for features, _ in rows.values()])
        references = [reference for _, reference in rows.values() if reference is not None]
        reference_NF = torch.stack(references) if len(references) == len(rows) else None
        values = self.metrics[key].contributions(own, reference_NF).double().tolist()
        return dict(zip(rows, values, strict=True))


@functools.lru_cache(maxsize=4096)
def _warn(key: str, picture: str, reason: str) -> None:
    """Once for each metric and picture, however many versions of the picture are scored."""
    log.warning("no score of %s%s: %s", key, f" for {picture}" if picture else "", reason)
