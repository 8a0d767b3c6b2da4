"""Checks the rules of degradations."""

from __future__ import annotations

import multiprocessing
import warnings
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from texprior.diffusion.keys import generator
from texprior.errors import ContractError
from texprior.flow.contract import require_tensor
from texprior.flow.degrade import Degrader, Replayable, drawn_for, rng_of
from texprior.plugin import Degradation
from texprior.testing.catalogue import USABLE, check
from texprior.testing.material import photographs, same, seed_globals, uniform
from texprior.testing.outcomes import NotRun, require
from texprior.testing.probe import PROBES, Inputs, Probe
from texprior.testing.subject import Subject

SIZES = ((48, 64), (33, 47), (17, 16))
"""Height and width, px: even and odd sides, and a picture smaller than common kernels."""
KEYS = ("a", "b", "c")
REPEATABLE = (*USABLE, "any.repeatable")
"""What must hold before two results can be compared."""


def _inputs() -> Inputs:
    return {"image": photographs(1, 48, 64)[0]}


def _work(degradation: Degrader, inputs: Inputs) -> tuple[Tensor, ...]:
    image = inputs["image"]
    degraded = degradation(image, generator(0, "degrade", "a"))
    return (require_tensor(degradation, degraded, image.shape, image, "the degraded picture"),)


PROBES["degradation"] = Probe(_inputs, _work)


class _Seeded:
    """Seeds the global random generators before every call of a degradation.

    A degradation that uses them then breaks only ``any.global-rng``, and not the rules about keys too.
    """

    def __init__(self, degradation: Degrader) -> None:
        self.degradation = degradation

    def __call__(self, image_CHW: Tensor, rng: torch.Generator) -> Tensor:
        seed_globals(0)
        return self.degradation(image_CHW, rng)


def _degraded(subject: Subject, pictures_BCHW: Tensor, keys: Sequence[str], seed: int = 7) -> Tensor:
    return _one_by_one(_Seeded(subject.build()), pictures_BCHW.clone(), seed, keys)


def _one_by_one(degradation: Degrader, pictures_BCHW: Tensor, seed: int, keys: Sequence[str]) -> Tensor:
    # not through ``degrade``, which looks at the values too: that is the rule of degradation.picture
    pairs = zip(pictures_BCHW, keys, strict=True)
    return torch.stack([degradation(image, rng_of(seed, key)) for image, key in pairs])


@check("degradation.picture", "degradation")
def picture(subject: Subject) -> None:
    """The degraded picture has the shape of the clean one, and finite values in [0, 1], at any size.

    Fix: pad and crop inside the component; end with ``.clamp(0, 1)``.
    """
    degradation = subject.build()
    for height, width in SIZES:
        for clean in (photographs(1, height, width)[0], uniform(3, height, width).round()):
            degraded = degradation(clean, generator(1))
            size = f"{width}x{height} px"
            require(degraded.shape == clean.shape, f"a picture of {tuple(clean.shape)} becomes {tuple(degraded.shape)}")
            require(torch.isfinite(degraded).all(), f"{size}: not all values are finite")
            low, high = float(degraded.min()), float(degraded.max())
            require(low >= 0 and high <= 1, f"{size}: values from {low:.3g} to {high:.3g}")


@check("degradation.keys", "degradation", after=REPEATABLE)
def keys(subject: Subject) -> None:
    """The result depends only on (seed, sample key): it is exactly the same in any batch, order and instance.

    Fix: draw every random number from ``rng``; keep no state between calls.
    """
    pictures = photographs(3, 48, 64)
    together = _degraded(subject, pictures, KEYS)
    backwards = _degraded(subject, pictures.flip(0), KEYS[::-1]).flip(0)

    # one instance, another order, and picture 1 twice: state that is left from an earlier call shows
    one = _Seeded(subject.build())
    alone = torch.cat([_one_by_one(one, pictures[i : i + 1].clone(), 7, [KEYS[i]]) for i in (1, 2, 0, 1)])[[2, 0, 1]]
    require(same(together, backwards), "the order of the pictures in a batch changes the result")
    require(same(together, alone), "a picture alone, or a second time, gives another result than in its batch")


@check("degradation.workers", "degradation", after=REPEATABLE)
def workers(subject: Subject) -> None:
    """The result is exactly the same in this process and in two worker processes of a data loader.

    Fix: seed the generator of a library from ``rng`` at every call, such as
    ``compose.set_random_seed(int(torch.randint(2**31 - 1, (), generator=rng)))``.
    """
    if "fork" not in multiprocessing.get_all_start_methods():
        raise NotRun("worker processes cannot be forked on this system", lacking=True)
    items = _Items(subject.build())
    here = torch.stack([items[i] for i in range(len(items))])
    with warnings.catch_warnings():
        # from Python 3.12 on, fork warns if the process has threads
        warnings.simplefilter("ignore", DeprecationWarning)
        # forked workers inherit the items, so a component need not support pickle; a timeout instead of a hang
        loader = DataLoader(items, batch_size=1, num_workers=2, multiprocessing_context="fork", timeout=120)
        there = torch.cat(list(loader))
    require(same(here, there), "the result in worker processes is different")


@check("degradation.random", "degradation", after=REPEATABLE)
def random_or_not(subject: Subject) -> None:
    """Two sample keys give two different results. With ``deterministic=True``, every key gives the same result.

    Fix: use ``rng``; or declare ``deterministic=True`` if the default options draw no random numbers.
    """
    image = photographs(1, 48, 64)
    first, second = (_degraded(subject, image, [key]) for key in KEYS[:2])
    assert isinstance(subject.record, Degradation)
    fixed = subject.record.deterministic
    message = "it says deterministic=True, but two keys give two results" if fixed else "two keys give the same result"
    require(same(first, second) == fixed, message)


@check("degradation.drawn", "degradation")
def drawn(subject: Subject) -> None:
    """If ``drawn`` tells what was drawn, it does so for every recipe under the same names, as float32 tensors of the
    same shapes for a size: finite numbers (N,), or maps (C, H, W).

    Fix: tell only what every recipe has; fill lists of numbers up to one length; return maps of the picture's size.
    """
    degradation = subject.build()
    if not isinstance(degradation, Replayable) or type(degradation).drawn is Replayable.drawn:
        raise NotRun("it does not tell what it draws")
    for size in SIZES:
        try:
            told = [drawn_for(degradation, 7, key, size) for key in KEYS]
        except ContractError as error:
            require(False, error.breach)
        shapes = [{name: tuple(value.shape) for name, value in values.items()} for values in told]
        require(shapes[1:] == shapes[:-1], f"the names or shapes differ from recipe to recipe: {shapes}")
        require(all(torch.isfinite(v).all() for values in told for v in values.values()), "not all values are finite")


class _Items(Dataset[Tensor]):
    """Degraded pictures by index, for a data loader."""

    def __init__(self, degradation: Degrader) -> None:
        self.pictures, self.degradation = photographs(3, 48, 64), _Seeded(degradation)

    def __len__(self) -> int:
        return len(self.pictures)

    def __getitem__(self, index: int) -> Tensor:
        return self.degradation(self.pictures[index].clone(), generator(7, "degrade", KEYS[index]))
