"""The noise levels of an experiment's sampling: its options reach the schedules, and no range is silently ignored."""

import pytest
import torch

from texprior.config.schema import Diffusion, Sampling
from texprior.diffusion import sigmas
from texprior.diffusion.sigmas import steps_of, trailing
from texprior.errors import ConfigError
from texprior.models.sampling import noise_levels_of, sigmas_of
from texprior.plugin import Ref
from texprior.registry import Registry

TRAINING = Diffusion(noise_mean=-1.0, noise_std=0.8)
SCHEDULES = ["karras", "exponential", "ddpm-linear", "cosine", "training-quantiles"]


@pytest.fixture(scope="module")
def registry():
    return Registry.discover()


@pytest.fixture
def levels(registry):
    return lambda **settings: sigmas_of(registry, Sampling(**settings), TRAINING)


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("karras", steps_of(sigmas.karras, 4, 0.1, 5.0, 3.0)),
        ("exponential", steps_of(sigmas.exponential, 4, 0.1, 5.0)),
        ("ddpm-linear", steps_of(sigmas.of_time, 4, sigmas.ddpm_linear_levels(), 0.1, 5.0, spacing=trailing)),
        ("cosine", steps_of(sigmas.of_time, 4, sigmas.cosine_levels(), 0.1, 5.0, spacing=trailing)),
    ],
)
def test_a_schedule_has_its_function_and_its_own_spacing(levels, schedule, expected):
    found = levels(schedule=schedule, sigma_min=0.1, sigma_max=5.0, rho=3.0)
    assert found.dtype is torch.float32
    assert torch.equal(found, expected)


def test_quantiles_are_those_of_the_settings_noise(registry, levels):
    """Half of the noise between both ends, far out, is above the median e^-1; ``rho`` says nothing."""
    settings = {"schedule": "training-quantiles", "steps": 2, "sigma_min": 1e-4, "sigma_max": 1e3}
    assert levels(**settings)[1].item() == pytest.approx(0.36788, abs=1e-4)
    assert torch.equal(levels(**settings, rho=3.0), levels(**settings))
    uniform = Diffusion(noise_levels=Ref(name="log-uniform"), noise_mean=-1.0, noise_std=0.8)
    found = sigmas_of(registry, Sampling(**settings | {"steps": 4}), uniform)[1].log().item()
    assert found == pytest.approx(-1 + 0.8 * 3**0.5 / 2, abs=1e-6)


def test_the_settings_reach_the_distribution_of_the_noise(registry):
    z = torch.tensor([-1.0, 0.0, 2.0])
    assert torch.equal(noise_levels_of(registry, TRAINING)(z), sigmas.log_normal(z, -1.0, 0.8))


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("steps", [2, 5])
def test_every_schedule_keeps_its_bounds_in_both_spacings(levels, schedule, steps):
    both = levels(schedule=schedule, steps=steps, spacing="linspace", sigma_min=0.1, sigma_max=5.0)
    assert both[[0, -2, -1]].tolist() == pytest.approx([5.0, 0.1, 0.0], rel=1e-5)
    above = levels(schedule=schedule, steps=steps - 1, spacing="trailing", sigma_min=0.1, sigma_max=5.0)
    torch.testing.assert_close(above[:-1], both[: steps - 1], rtol=1e-5, atol=0)


def test_what_experiments_had_before_there_was_a_choice_of_spacing_is_the_default(levels):
    assert torch.equal(levels(), steps_of(sigmas.karras, 4, 0.02, 20.0, 7.0))


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_steps_that_coincide_are_an_error_before_any_call(levels, schedule):
    with pytest.raises(
        ConfigError, match=r"1000 steps of .* between sigma_min 1.0 and sigma_max 1.00001 do not all differ"
    ):
        levels(schedule=schedule, steps=1000, sigma_min=1.0, sigma_max=1.00001)
