"""Scores pictures: one score per image, or one score for a set of images."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from texprior.errors import ImageError
from texprior.flow.contract import inputs_kept, require_tensor
from texprior.flow.precision import full_float32
from texprior.plugin import Metric
from texprior.plugin.origin import share_origin

log = logging.getLogger(__name__)


class ImageMetric(Protocol):
    """The contract of a metric of scope ``image``, which is built as ``Impl(options)``.

    A metric may have attributes ``better`` and ``reference``, which override those of its record. It needs them if its
    direction, or whether it needs a reference, depends on its options.
    """

    key: str
    """The metric's name with the settings it depends on, such as ``psnr_rgb`` or ``ssim_y_gauss11``."""

    def __call__(self, image_BCHW: Tensor, reference_BCHW: Tensor | None) -> Tensor:
        """Returns the scores, (B,), of pictures in [0, 1], which are not rounded to 8 bits.

        Each score depends only on its own picture. If the metric needs no reference, it gets None or a picture that it
        must ignore. Raises ImageError for pictures that it cannot score, such as small ones.
        """
        ...


Scoring = Callable[[Tensor], Tensor]
"""Returns the scores, (B,), of pictures against a reference that it knows."""


@runtime_checkable
class KnowsReference(Protocol):
    """What an image metric may have besides its contract, if the reference alone costs it much."""

    def against(self, reference_BCHW: Tensor) -> Scoring:
        """Returns what scores versions of one picture, after computing what depends on their reference alone.

        Its scores are those of calls with both. It raises ImageError as they do.
        """
        ...


class SetMetric(Protocol):
    """The contract of a metric of scope ``set``, which is built as ``Impl(options)``.

    Such a metric is a distance between distributions.
    """

    key: str
    """As in ``ImageMetric``."""

    def features(self, image_BCHW: Tensor) -> Tensor:
        """Returns the features that the metric uses of each picture, (B, F).

        Each row depends only on its own picture. Raises ImageError for pictures that it cannot use.
        """
        ...

    def contributions(self, features_NF: Tensor, reference_NF: Tensor | None) -> Tensor:
        """Returns the jackknife pseudo-values of the set's score U, (N,).

        Value i is n U - (n - 1) U_i, and U_i is the score without picture i. The mean of the values is the score
        (exactly, if the score is a U-statistic), and its standard error is the jackknife's. Row i of both sets shows
        the same scene. The values are NaN if the set is too small to be scored.
        """
        ...


def direction(metric: ImageMetric | SetMetric, record: Metric) -> str:
    """Returns ``higher``, ``lower`` or ``one``: the metric's own attribute, otherwise its record's."""
    return str(getattr(metric, "better", record.better))


def needs_reference(metric: ImageMetric | SetMetric, record: Metric) -> bool:
    """Returns whether the metric needs a reference: its own attribute, otherwise its record's."""
    return bool(getattr(metric, "reference", record.reference))


class _Against:
    """A metric of versions of one picture, whose reference it prepares at the first call."""

    def __init__(self, metric: KnowsReference, key: str, reference_BCHW: Tensor) -> None:
        self.key, self._metric, self._reference = key, metric, reference_BCHW
        self._scoring: Scoring | None = None
        share_origin(self, metric)

    def __call__(self, image_BCHW: Tensor, reference_BCHW: Tensor | None) -> Tensor:
        assert reference_BCHW is self._reference
        if self._scoring is None:
            self._scoring = self._metric.against(self._reference)
        return self._scoring(image_BCHW)


def against(metrics: Mapping[str, ImageMetric], reference_BCHW: Tensor) -> dict[str, ImageMetric]:
    """Returns metrics for the versions of one picture.

    Those that can prepare a reference (``KnowsReference``) do so once. All others are returned as they are.
    """
    return {
        key: _Against(metric, key, reference_BCHW) if isinstance(metric, KnowsReference) else metric
        for key, metric in metrics.items()
    }


@torch.no_grad()
def measure(
    image_BCHW: Tensor, reference_BCHW: Tensor | None, metrics: Mapping[str, ImageMetric], picture: str = ""
) -> dict[str, Tensor]:
    """Scores a batch with each metric.

    Returns metric key -> scores, (B,) float64 on the CPU. If a metric raises ImageError, its scores are NaN and a
    warning names the metric and ``picture``. The scores of the other metrics are kept. Raises ContractError if a
    metric does not return one score for each picture.
    """
    scores = {}
    for key, metric in metrics.items():
        try:
            with full_float32(), inputs_kept(metric, picture=image_BCHW, reference=reference_BCHW):
                found = metric(image_BCHW, reference_BCHW)
            scores[key] = _one_each(metric, found, len(image_BCHW), "the scores")
        except ImageError as error:
            _warn(key, picture, str(error))
            scores[key] = torch.full((len(image_BCHW),), torch.nan, dtype=torch.float64)
    return scores


@dataclass
class Gathered:
    """Gathers features of restored pictures and their references for metrics of scope ``set``.

    Pictures are added one by one, each with one reference for all methods. If a metric cannot use a picture, its sets
    leave this picture out, with a warning.
    """

    metrics: Mapping[str, SetMetric]
    seen: dict[tuple[str, str], dict[str, tuple[Tensor, Tensor | None]]] = field(default_factory=dict)
    """(method, metric key) -> picture -> features of the picture and of its reference, each (F,) on the CPU."""
    _references: dict[tuple[str, str], Tensor] = field(default_factory=dict)
    """(metric key, picture) -> features of its reference, which all methods share."""

    @torch.no_grad()
    def add(self, method: str, picture: str, image_1CHW: Tensor, reference_1CHW: Tensor | None) -> None:
        """Adds the features of one picture that a method restored."""
        for key, metric in self.metrics.items():
            try:
                with full_float32():
                    own = _features(metric, image_1CHW)
                    reference = None if reference_1CHW is None else self._of_reference(key, picture, reference_1CHW)
            except ImageError as error:
                _warn(key, picture, str(error))
                continue
            self.seen.setdefault((method, key), {})[picture] = own, reference

    def _of_reference(self, key: str, picture: str, reference_1CHW: Tensor) -> Tensor:
        if (key, picture) not in self._references:
            self._references[key, picture] = _features(self.metrics[key], reference_1CHW)
        return self._references[key, picture]

    def take(self, seen: Mapping[tuple[str, str], Mapping[str, tuple[Tensor, Tensor | None]]]) -> None:
        """Adds what was gathered elsewhere."""
        for pair, rows in seen.items():
            self.seen.setdefault(pair, {}).update(rows)

    def score(self, key: str, rows: Mapping[str, tuple[Tensor, Tensor | None]]) -> dict[str, float]:
        """Returns picture -> contribution for a set of gathered pictures.

        The set's score is the mean.
        """
        own = torch.stack([features for features, _ in rows.values()])
        references = [reference for _, reference in rows.values() if reference is not None]
        # all references or none: row i of both sets must show the same scene
        reference_NF = torch.stack(references) if len(references) == len(rows) else None
        metric = self.metrics[key]
        values = _one_each(metric, metric.contributions(own, reference_NF), len(own), "the contributions")
        return dict(zip(rows, values.tolist(), strict=True))


_DOUBLES = torch.empty(0, dtype=torch.float64)
"""A tensor of the dtype and on the device of all scores."""


def _one_each(metric: ImageMetric | SetMetric, found: object, pictures: int, what: str) -> Tensor:
    """Returns one number for each picture, (B,) float64 on the CPU."""
    numbers = found.cpu().double() if isinstance(found, Tensor) else found
    return require_tensor(metric, numbers, (pictures,), _DOUBLES, what)


def _features(metric: SetMetric, image_1CHW: Tensor) -> Tensor:
    """Returns a picture's features, (F,) on the CPU."""
    found = metric.features(image_1CHW)
    width = found.shape[-1] if isinstance(found, Tensor) and found.ndim else 0
    return require_tensor(metric, found, (1, width), image_1CHW, "the features", any_float=True)[0].cpu()


# The cache swallows repeated calls, and so repeated warnings; its size only bounds the memory.
@functools.lru_cache(maxsize=4096)
def _warn(key: str, picture: str, reason: str) -> None:
    """Warns once for each metric and picture, for any number of versions of the picture."""
    log.warning("no score of %s%s: %s", key, f" for {picture}" if picture else "", reason)
