"""Objectives as their records build them, and what a network with known errors learned."""

import pytest
import torch

from texprior.diffusion.keys import normal
from texprior.diffusion.precondition import denoise_noised
from texprior.flow.objective import Learned
from texprior.plugin import Ref
from texprior.registry import Registry

SIGMAS = (0.05, 0.4, 3.0)


@pytest.fixture(scope="session")
def build():
    """build(name, **options) -> the objective, built as a training builds it."""
    registry = Registry.discover()

    def build_objective(name, /, **options):
        return registry.build("objective", Ref(name=name, options=options))

    return build_objective


@pytest.fixture
def learned():
    """learned(side) -> a layer at three noise levels, and the estimate of a network whose ``output`` is a leaf."""

    def make(side=16, sigmas=SIGMAS):
        layer, noise, output = (normal((len(sigmas), 3, side, side), name) for name in ("layer", "noise", "output"))
        output.requires_grad_()
        sigma = torch.tensor(sigmas)
        found = denoise_noised(lambda x, c: output, layer, noise, sigma)
        base = 0.5 + 0.1 * normal(layer.shape, "base")
        return Learned(found.estimate, layer, base, 0.05, sigma, found.output, found.target)

    return make


@pytest.fixture
def of_pictures():
    """What a predictor learned: two pictures without noise levels."""
    target = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    estimate = (target + 0.1 * normal(target.shape, "error")).requires_grad_()
    return Learned(estimate, target, torch.zeros_like(target))
