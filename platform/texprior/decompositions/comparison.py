"""Compares decompositions on photographs: strength of the texture, its R² from the structure, and time.

R² is the share of the texture's variance that the structure predicts. The prediction is a linear filter of 9 x 9 pixels
of the structure, one per channel. It is fitted by least squares on every other photograph and judged on the rest. A
prior does not need to learn what this filter predicts: a prior over a texture with a high R² is largely a sharpening
filter.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from statistics import median
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from texprior.decompositions.moments import Moments
from texprior.errors import ConfigError, ImageError, blaming
from texprior.flow.decompose import Decomposer, Layers, decompose
from texprior.flow.image import load_image
from texprior.flow.kinds import DECOMPOSITION
from texprior.plugin import Ref
from texprior.registry import Registry

WINDOW = 9
"""Side of the linear filter, px. The time of a fit grows with the fourth power of it."""
_AT_ONCE = 2**12
"""Windows in one matrix product: this many stay in the processor's cache."""


@dataclass(frozen=True)
class Row:
    """The results of one decomposition on all photographs."""

    decomposition: str
    options: dict[str, Any]
    texture_std: float
    """Standard deviation over all values of all photographs, in units of the picture."""
    r2: float
    """Share of the texture's variance that the structure predicts, on photographs that were not used for the fit."""
    seconds_per_megapixel: float
    times_reference: float
    """Median over photographs of its time divided by the reference's; both are measured one right after the other."""


class LinearPrediction:
    """Predicts the texture with a linear filter of the structure and a constant.

    Each channel has its own filter and constant. Call ``fit`` for all photographs to fit on first, then ``judge`` for
    the others.
    """

    def __init__(self) -> None:
        self._equations: dict[int, tuple[Tensor, Tensor]] = {}
        self._filters: dict[int, Tensor] = {}
        self._judged, self._errors = Moments(), Moments()

    def fit(self, layers: Layers) -> None:
        """Adds a photograph, (1, C, H, W), to the normal equations."""
        for channel, around, texture in _windows(layers):
            normal, right = self._equations.get(channel, (0, 0))
            self._equations[channel] = (normal + around.T @ around, right + around.T @ texture)

    def judge(self, layers: Layers) -> None:
        """Adds the errors of the fitted filters on a photograph, (1, C, H, W).

        The filters leave out directions that the structures lack completely, as after a Gaussian.
        """
        for channel, around, texture in _windows(layers):
            # gelsd, since without these directions the equations have no full rank
            if channel not in self._filters:
                self._filters[channel] = torch.linalg.lstsq(*self._equations[channel], driver="gelsd").solution
            self._errors.add(texture - around @ self._filters[channel])
            self._judged.add(texture)

    def r2(self) -> float:
        """Returns 1 - mean squared error / variance; NaN if there is no texture."""
        variance = self._judged.variance()
        mean_square = self._errors.squares / self._errors.count
        return 1 - mean_square / variance if variance > 0 else float("nan")


@dataclass
class _Tally:
    """The measurements of one decomposition so far."""

    ref: Ref
    decomposition: Decomposer
    guess: LinearPrediction = field(default_factory=LinearPrediction)
    texture: Moments = field(default_factory=Moments)
    elapsed_s: float = 0.0
    ratios: list[float] = field(default_factory=list)

    def row(self, megapixels: float) -> Row:
        std, speed = self.texture.variance() ** 0.5, self.elapsed_s / megapixels
        return Row(self.ref.name, self.ref.options, std, self.guess.r2(), speed, median(self.ratios))


def compare_decompositions(
    registry: Registry,
    refs: Sequence[Ref],
    photographs: Sequence[Path],
    reference: Ref,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> tuple[list[Row], dict[str, str]]:
    """Compares decompositions; returns a row for each, and the unusable photographs with reasons.

    The filters are fitted on the first, third, ... photograph and judged on the others. Raises ConfigError if fewer
    than two photographs can be used.
    """
    pictures, broken = _usable(photographs)
    if len(pictures) < 2:
        reasons = "".join(f"; {reason}" for reason in broken.values())
        raise ConfigError(f"a report needs at least two photographs, one to fit on and one to judge{reasons}")

    # run each decomposition once on a small picture, since the extra cost of a first call must not be timed
    clock = registry.build(DECOMPOSITION, reference)
    tallies = [_Tally(ref, registry.build(DECOMPOSITION, ref)) for ref in refs]
    for name, decomposition in ((reference.name, clock), *((t.ref.name, t.decomposition) for t in tallies)):
        with blaming("decomposition", name, pictures[0]):
            decompose(load_image(pictures[0])[None, :, :64, :64], decomposition)

    # all photographs to fit on come before those to judge, which need the finished filters
    megapixels = 0.0
    turns = chain(
        ((p, LinearPrediction.fit) for p in pictures[::2]), ((p, LinearPrediction.judge) for p in pictures[1::2])
    )
    for done, (path, take) in enumerate(turns):
        progress(done, len(pictures))
        picture = load_image(path)[None]
        megapixels += picture[0, 0].numel() / 1e6
        # time the reference again for each decomposition, so that a busy machine slows down both
        for tally in tallies:
            _, reference_s = _timed(picture, clock)
            with blaming("decomposition", tally.ref.name, path):
                layers, elapsed_s = _timed(picture, tally.decomposition)
            tally.elapsed_s += elapsed_s
            tally.ratios.append(elapsed_s / reference_s)
            tally.texture.add(layers.texture)
            take(tally.guess, layers)
    progress(len(pictures), len(pictures))
    return [tally.row(megapixels) for tally in tallies], broken


def _usable(photographs: Sequence[Path]) -> tuple[list[Path], dict[str, str]]:
    good: list[Path] = []
    broken: dict[str, str] = {}
    for path in photographs:
        try:
            height, width = load_image(path).shape[1:]
            if min(height, width) < WINDOW:
                raise ImageError(f"{path}: {width}x{height} px is smaller than the filter's window of {WINDOW} px")
            good.append(path)
        except ImageError as error:
            broken[str(path)] = str(error)
    return good, broken


def _timed(picture: Tensor, decomposition: Decomposer) -> tuple[Layers, float]:
    started = time.perf_counter()
    layers = decompose(picture, decomposition)
    return layers, time.perf_counter() - started


def _windows(layers: Layers) -> Iterator[tuple[int, Tensor, Tensor]]:
    """Yields strips of each channel: the channel, the structure's windows, and the texture at their centres.

    The windows come with a constant, (N, 82); the texture is (N, 1).
    """
    height, width = layers.structure.shape[-2:]
    edge, last = WINDOW // 2, height - WINDOW + 1
    rows = max(1, _AT_ONCE // width)
    # float64, since the normal equations square the condition number of the windows
    for channel, (structure, texture) in enumerate(zip(*(layer[0].double() for layer in layers), strict=True)):
        for top in range(0, last, rows):
            end = min(top + rows, last)
            strip = structure[top : end + WINDOW - 1]
            middle = texture[top + edge : end + edge, edge : width - edge].reshape(-1, 1)
            windows = functional.unfold(strip[None, None], WINDOW)[0].T
            yield channel, torch.cat([windows, torch.ones_like(middle)], 1), middle
