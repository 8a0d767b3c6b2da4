"""Makes test inputs: photographs of the installed scikit-image, drawn pictures, and keyed random numbers."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from texprior.diffusion.keys import generator, normal
from texprior.errors import ConfigError
from texprior.flow.image import load_image

Module = TypeVar("Module", bound=nn.Module)

_PHOTOGRAPHS = (("chelsea.png", 60, 100), ("coffee.png", 100, 150), ("astronaut.png", 0, 100))
"""File, and row and column of the upper left corner of a part that has texture and edges."""


@lru_cache
def _photograph(name: str) -> Tensor:
    # read the files without importing scikit-image, whose import is slow and whose loader may download
    spec = find_spec("skimage")
    if spec is None or not spec.submodule_search_locations:
        raise ConfigError("the conformance kit uses the photographs of scikit-image, which is not installed")
    return load_image(Path(spec.submodule_search_locations[0]) / "data" / name)


def photographs(count: int, height: int, width: int) -> Tensor:
    """Returns crops of up to three different photographs, (count, 3, H, W).

    Values are in [0, 1]. A crop has at most 200 x 300 px.
    """
    chosen = _PHOTOGRAPHS[:count]
    crops = [_photograph(name)[:, top : top + height, left : left + width] for name, top, left in chosen]
    return torch.stack(crops)


def drawn(height: int, width: int) -> Tensor:
    """Draws a ramp with a bright square and a fine checkerboard.

    The picture, (1, 3, H, W) in [0, 1], has smooth parts, edges and texture.
    """
    y, x = torch.meshgrid(torch.linspace(0, 1, height), torch.linspace(0, 1, width), indexing="ij")
    square = ((x - 0.5).abs() < 0.25) & ((y - 0.5).abs() < 0.25)
    checker = (torch.arange(height)[:, None] + torch.arange(width)) % 2 * 0.1
    return torch.stack([0.2 + 0.5 * x, 0.1 + 0.5 * y + checker, 0.3 + 0.6 * square])[None].clamp(0, 1)


def uniform(*shape: int, key: str = "uniform") -> Tensor:
    """Returns uniform random numbers of a shape, in [0, 1).

    They are the same for the same key.
    """
    return torch.rand(shape, generator=generator("conformance", key))


def gaussian(*shape: int, key: str = "normal") -> Tensor:
    """Returns standard normal random numbers of a shape, the same for the same key."""
    return normal(shape, "conformance", key)


@torch.no_grad()
def perturbed(module: Module, std: float = 0.05) -> Module:
    """Adds noise to each parameter, as if the module were trained, and returns it.

    Layers that are initialised with zeros would otherwise hide what the rest of the network computes.
    """
    for i, parameter in enumerate(module.parameters()):
        noise = normal(parameter.shape, "conformance", "perturb", i)
        parameter.add_((std * noise).to(parameter))
    return module


def gap(a: Tensor, b: Tensor) -> float:
    """Returns the largest absolute difference of two tensors.

    It is infinite if the shapes differ or a value is not finite.
    """
    if a.shape != b.shape:
        return float("inf")
    if not a.numel():
        return 0.0
    # in float64, so that the subtraction adds no rounding of float32
    worst = (a.detach().double().cpu() - b.detach().double().cpu()).abs().max()
    return float(worst) if torch.isfinite(worst) else float("inf")


def same(a: Tensor, b: Tensor) -> bool:
    """Returns True if dtype, shape and all values are equal, without a tolerance."""
    return a.dtype == b.dtype and a.shape == b.shape and torch.equal(a.cpu(), b.cpu())


def accelerator() -> str:
    """Returns the name of this machine's accelerator; empty if it has none."""
    return "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else ""


def seed_globals(seed: int) -> None:
    """Seeds the global random generators of Python, NumPy and PyTorch."""
    random.seed(seed)
    np.random.seed(seed)
    if torch.cuda.is_available():
        torch.manual_seed(seed)
    else:
        # without CUDA, torch.manual_seed stores a stack trace at every call, for a later start of CUDA
        torch.default_generator.manual_seed(seed)


def global_state() -> tuple[object, ...]:
    """Returns the state of the global random generators, in a form that can be compared."""
    name, keys, *rest = np.random.get_state()
    return random.getstate(), name, np.asarray(keys).tobytes(), *rest, torch.get_rng_state().numpy().tobytes()


@contextmanager
def undisturbed() -> Iterator[None]:
    """Restores the state of the global random generators at the end of the block."""
    python_state, numpy_state = random.getstate(), np.random.get_state()
    # fork_rng covers PyTorch, but not Python and NumPy
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        try:
            yield
        finally:
            random.setstate(python_state)
            np.random.set_state(numpy_state)
