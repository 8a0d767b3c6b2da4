"""The noise levels of an experiment's sampling: its options reach the schedules, and no range is silently ignored."""

import pytest
import torch

from texprior.config.schema import LARGEST_SIGMA, Diffusion, Sampling
from texprior.diffusion import sigmas
from texprior.errors import ConfigError
from texprior.models.sampling import sigmas_of

TRAINING = Diffusion(noise_mean=-1.0, noise_std=0.8)
SCHEDULES = ["karras", "exponential", "ddpm-linear", "cosine", "training-quantiles"]


def levels(**settings):
    return sigmas_of(Sampling(**settings), TRAINING)


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("karras", sigmas.karras(4, 0.1, 5.0, 3.0)),
        ("exponential", sigmas.exponential(4, 0.1, 5.0)),
        ("ddpm-linear", sigmas.ddpm_linear(4, 0.1, 5.0)),
        ("cosine", sigmas.cosine(4, 0.1, 5.0)),
        ("training-quantiles", sigmas.training_quantiles(4, 0.1, 5.0, -1.0, 0.8)),
    ],
)
def test_a_schedule_has_its_function_and_its_own_spacing(schedule, expected):
    assert torch.equal(levels(schedule=schedule, sigma_min=0.1, sigma_max=5.0, rho=3.0), expected)


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("steps", [2, 5])
def test_every_schedule_keeps_its_bounds_in_both_spacings(schedule, steps):
    both = levels(schedule=schedule, steps=steps, spacing="linspace", sigma_min=0.1, sigma_max=5.0)
    assert both[[0, -2, -1]].tolist() == pytest.approx([5.0, 0.1, 0.0], rel=1e-5)
    above = levels(schedule=schedule, steps=steps - 1, spacing="trailing", sigma_min=0.1, sigma_max=5.0)
    torch.testing.assert_close(above[:-1], both[: steps - 1], rtol=1e-5, atol=0)


def test_what_experiments_had_before_there_was_a_choice_of_spacing_is_the_default():
    assert torch.equal(levels(), sigmas.karras(4, 0.02, 20.0, 7.0))


@pytest.mark.parametrize("schedule", LARGEST_SIGMA)
def test_a_schedule_ends_where_its_levels_do(schedule):
    published = {"ddpm-linear": sigmas.ddpm_linear_levels(), "cosine": sigmas.cosine_levels()}[schedule]
    assert LARGEST_SIGMA[schedule] == pytest.approx(published[-1].item(), rel=1e-4)
    assert LARGEST_SIGMA[schedule] <= published[-1].item()


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_steps_that_coincide_are_an_error_before_any_call(schedule):
    with pytest.raises(
        ConfigError, match=r"1000 steps of '.*' between sigma_min 1.0 and sigma_max 1.00001 do not all differ"
    ):
        levels(schedule=schedule, steps=1000, sigma_min=1.0, sigma_max=1.00001)
