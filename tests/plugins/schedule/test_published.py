"""The schedules of formulas and of published levels, as experiments build them."""

import pytest
import torch

from texprior.diffusion import sigmas
from texprior.diffusion.sigmas import linspace, log_normal, trailing
from texprior.flow.schedule import Range
from texprior.plugin import Ref
from texprior.registry import Registry

PUBLISHED = {"ddpm-linear": sigmas.ddpm_linear_levels, "cosine": sigmas.cosine_levels}


@pytest.fixture(scope="module")
def registry():
    return Registry.discover()


def within(low, high, rho=7.0):
    return Range(low, high, rho, lambda normal: log_normal(normal, -0.5, 1.2))


def test_these_are_all(registry):
    names = ["cosine", "ddpm-linear", "exponential", "karras", "listed", "training-quantiles"]
    assert sorted(e.component.name for e in registry.entries("schedule")) == names


@pytest.mark.parametrize("spacing", [linspace, trailing])
@pytest.mark.parametrize(("low", "high"), [(0.02, 20.0), (0.1, 1.0), (0.001, 150.0)])
def test_each_is_its_formula_bit_for_bit(registry, spacing, low, high):
    """The formulas are compared with diffusers beside ``diffusion.sigmas``."""
    u = spacing(9)
    expected = {
        "karras": sigmas.karras(u, low, high, 3.0),
        "exponential": sigmas.exponential(u, low, high),
        "ddpm-linear": sigmas.of_time(u, sigmas.ddpm_linear_levels(), low, high),
        "cosine": sigmas.of_time(u, sigmas.cosine_levels(), low, high),
    }
    for name, levels in expected.items():
        assert torch.equal(registry.build("schedule", Ref(name=name))(u, within(low, high, 3.0)), levels), name


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_schedule_ends_where_its_levels_do(registry, name):
    largest, published = registry.find("schedule", name).component.largest, PUBLISHED[name]()
    assert largest == pytest.approx(published[-1].item(), rel=1e-4)
    assert largest <= published[-1].item()
    # the last level that is allowed is one that the schedule starts at
    found = registry.build("schedule", Ref(name=name))(linspace(3), within(0.02, largest))
    assert found[0].item() == pytest.approx(largest)
