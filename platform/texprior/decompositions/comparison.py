"""What decompositions make of photographs, side by side: how strong the texture is, what of it the structure foretells,
and the time that it takes.

The texture is guessed by a linear filter of 9 x 9 pixels of the structure, one per channel, fitted by least squares on
every other photograph and judged on the rest. What it explains, R², a prior need not know: a prior over a texture with
a high R² is largely a sharpening filter.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from statistics import median
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from texprior.errors import ConfigError, ImageError, TexpriorError
from texprior.flow.decompose import Decomposer, Layers, decompose
from texprior.flow.image import load_image
from texprior.plugin import Ref
from texprior.registry import Registry

WINDOW = 9
_AT_ONCE = 2**12
"""Windows in one product: so many stay near the processor."""


@dataclass(frozen=True)
class Row:
    """One decomposition on all photographs."""

    decomposition: str
    options: dict[str, Any]
    texture_std: float
    """Over all values of all photographs, in units of the picture."""
    r2: float
    """Share of the texture's variance, on the photographs not fitted on, that the structure foretells."""
    seconds_per_megapixel: float
    times_reference: float
    """Median over photographs of its time over the reference's, the two measured one right after the other."""


class Moments:
    """Mean and variance of numbers that come in portions."""

    def __init__(self) -> None:
        self.count, self.total, self.squares = 0, 0.0, 0.0

    def add(self, values: Tensor) -> None:
        self.count += values.numel()
        self.total += float(values.double().sum())
        self.squares += float(values.double().square().sum())

    def variance(self) -> float:
        """About the mean, divided by the count."""
        return max(self.squares / self.count - (self.total / self.count) ** 2, 0.0)


class LinearPrediction:
    """The texture as a linear filter of the structure and a constant, one for each channel: fitted, then judged."""

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
        """Adds a photograph's errors under the filters that were fitted before.

        Directions that the structures lack to the last bit, as after a Gaussian, are left out of the filters.
        """
        for channel, around, texture in _windows(layers):
            if channel not in self._filters:
                self._filters[channel] = torch.linalg.lstsq(*self._equations[channel], driver="gelsd").solution
            self._errors.add(texture - around @ self._filters[channel])
            self._judged.add(texture)

    def r2(self) -> float:
        """1 - mean squared error / variance; not a number where there is no texture."""
        variance = self._judged.variance()
        mean_square = self._errors.squares / self._errors.count
        return 1 - mean_square / variance if variance > 0 else float("nan")


@dataclass
class _Tally:
    """What one decomposition gathers while photographs go by."""

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
    """A row for each decomposition, and the photographs that could not be used, with reasons.

    The first, third, ... photograph is fitted on, the others are judged. Raises ConfigError for fewer than two.
    """
    pictures, broken = _usable(photographs)
    if len(pictures) < 2:
        reasons = "".join(f"; {reason}" for reason in broken.values())
        raise ConfigError(f"a report needs at least two photographs, one to fit on and one to judge{reasons}")
    clock = registry.build("decomposition", reference)
    tallies = [_Tally(ref, registry.build("decomposition", ref)) for ref in refs]
    for name, decomposition in ((reference.name, clock), *((t.ref.name, t.decomposition) for t in tallies)):
        with _blamed(name, pictures[0]):  # what a first call costs is not timed
            decompose(load_image(pictures[0])[None, :, :64, :64], decomposition)
    megapixels = 0.0
    turns = chain(
        ((p, LinearPrediction.fit) for p in pictures[::2]), ((p, LinearPrediction.judge) for p in pictures[1::2])
    )
    for done, (path, take) in enumerate(turns):
        progress(done, len(pictures))
        picture = load_image(path)[None]
        megapixels += picture[0, 0].numel() / 1e6
        for tally in tallies:
            _, reference_s = _timed(picture, clock)
            with _blamed(tally.ref.name, path):
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


@contextmanager
def _blamed(name: str, path: Path) -> Iterator[None]:
    """What a decomposition raises is its plugin's fault."""
    try:
        yield
    except TexpriorError:
        raise
    except Exception as error:
        raise TexpriorError(f"decomposition '{name}' failed on {path}: {type(error).__name__}: {error}") from error


def _timed(picture: Tensor, decomposition: Decomposer) -> tuple[Layers, float]:
    started = time.perf_counter()
    layers = decompose(picture, decomposition)
    return layers, time.perf_counter() - started


def _windows(layers: Layers) -> Iterator[tuple[int, Tensor, Tensor]]:
    """Strips of each channel: the structure's windows with a constant, (N, 82), and the texture amid them, (N, 1)."""
    height, width = layers.structure.shape[-2:]
    edge, last = WINDOW // 2, height - WINDOW + 1
    rows = max(1, _AT_ONCE // width)
    for channel, (structure, texture) in enumerate(zip(*(layer[0].double() for layer in layers), strict=True)):
        for top in range(0, last, rows):
            end = min(top + rows, last)
            strip = structure[top : end + WINDOW - 1]
            middle = texture[top + edge : end + edge, edge : width - edge].reshape(-1, 1)
            windows = functional.unfold(strip[None, None], WINDOW)[0].T
            yield channel, torch.cat([windows, torch.ones_like(middle)], 1), middle
