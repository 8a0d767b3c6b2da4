"""Rules of degradations."""

from __future__ import annotations

import multiprocessing
import warnings
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from texprior.diffusion.keys import generator
from texprior.flow.degrade import Degrader, degrade
from texprior.testing.catalogue import check
from texprior.testing.material import photographs, same, seed_globals, uniform
from texprior.testing.outcomes import NotRun, require
from texprior.testing.probe import PROBES, Inputs, Probe
from texprior.testing.subject import Subject

SIZES = ((48, 64), (33, 47), (17, 16))
KEYS = ("a", "b", "c")


def _inputs() -> Inputs:
    return {"image": photographs(1, 48, 64)[0]}


def _work(degradation: Any, inputs: Inputs) -> tuple[Tensor, ...]:
    return (degradation(inputs["image"], generator(0, "degrade", "a")),)


PROBES["degradation"] = Probe(_inputs, _work)


class _Seeded:
    """Every call meets the same global random numbers: using them is ``any.global-rng``'s matter."""

    def __init__(self, degradation: Degrader) -> None:
        self.degradation = degradation

    def __call__(self, image_CHW: Tensor, rng: torch.Generator) -> Tensor:
        seed_globals(0)
        return self.degradation(image_CHW, rng)


def _degraded(subject: Subject, pictures_BCHW: Tensor, keys: Sequence[str], seed: int = 7) -> Tensor:
    return degrade(pictures_BCHW.clone(), _Seeded(subject.build()), seed, keys)


@check("degradation.picture", "degradation")
def picture(subject: Subject) -> None:
    """The degraded picture has the shape of the clean one, and finite values in [0, 1], at any size.

    Fix: pad and crop inside; end with ``.clamp(0, 1)``.
    """
    degradation = subject.build()
    for height, width in SIZES:
        for clean in (photographs(1, height, width)[0], uniform(3, height, width).round()):
            degraded = degradation(clean, generator(1))
            size = f"{width}x{height} px"
            require(degraded.shape == clean.shape, f"{tuple(clean.shape)} comes back as {tuple(degraded.shape)}")
            require(torch.isfinite(degraded).all(), f"{size}: values that are no finite numbers")
            low, high = float(degraded.min()), float(degraded.max())
            require(low >= 0 and high <= 1, f"{size}: values from {low:.3g} to {high:.3g}")


@check("degradation.keys", "degradation")
def keys(subject: Subject) -> None:
    """The result is a function of (seed, sample key) alone: the same to the bit in any batch, order and instance.

    Fix: draw every random number from ``rng``; keep nothing from one call to the next.
    """
    pictures = photographs(3, 48, 64)
    together = _degraded(subject, pictures, KEYS)
    backwards = _degraded(subject, pictures.flip(0), KEYS[::-1]).flip(0)
    one = _Seeded(subject.build())
    alone = torch.cat([degrade(pictures[i : i + 1].clone(), one, 7, [KEYS[i]]) for i in (1, 2, 0, 1)])[[2, 0, 1]]
    require(same(together, backwards), "the order of a batch changes its pictures")
    require(same(together, alone), "a picture alone, or again, is another one than in its batch")


@check("degradation.workers", "degradation")
def workers(subject: Subject) -> None:
    """The result is the same to the bit in this process and in two worker processes of a data loader.

    Fix: seed a library's own generator from ``rng`` at every call, such as
    ``compose.set_random_seed(int(torch.randint(2**31 - 1, (), generator=rng)))``.
    """
    if "fork" not in multiprocessing.get_all_start_methods():
        raise NotRun("worker processes cannot be forked on this system", lacking=True)
    items = _Items(subject.build())
    here = torch.stack([items[i] for i in range(len(items))])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of fork beside threads, from Python 3.12 on
        loader = DataLoader(items, batch_size=1, num_workers=2, multiprocessing_context="fork", timeout=120)
        there = torch.cat(list(loader))
    require(same(here, there), "worker processes give other pictures")


@check("degradation.random", "degradation")
def random_or_not(subject: Subject) -> None:
    """Two sample keys give two pictures; with the tag ``deterministic`` every key gives the same one.

    Fix: use ``rng``; or declare ``tags=("deterministic",)`` where nothing is drawn at the default options.
    """
    image = photographs(1, 48, 64)
    first, second = (_degraded(subject, image, [key]) for key in KEYS[:2])
    fixed = "deterministic" in subject.record.tags
    message = "it is tagged deterministic, but two keys give two pictures" if fixed else "two keys give one picture"
    require(same(first, second) == fixed, message)


class _Items(Dataset[Tensor]):
    """Degraded pictures by index."""

    def __init__(self, degradation: Degrader) -> None:
        self.pictures, self.degradation = photographs(3, 48, 64), _Seeded(degradation)

    def __len__(self) -> int:
        return len(self.pictures)

    def __getitem__(self, index: int) -> Tensor:
        return self.degradation(self.pictures[index].clone(), generator(7, "degrade", KEYS[index]))
