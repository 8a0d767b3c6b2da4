"""Noise levels against their formulas and against diffusers."""

import pytest
import torch
from diffusers.schedulers import DDIMScheduler

from texprior.diffusion.sigmas import ddpm_linear, karras, log_normal


@pytest.mark.parametrize("steps", [2, 3, 10, 100])
def test_karras_is_the_formula(steps):
    """Karras et al. 2022, eq. 5."""
    low, high, rho = 0.002, 80.0, 7.0
    expected = [
        (high ** (1 / rho) + i / (steps - 1) * (low ** (1 / rho) - high ** (1 / rho))) ** rho for i in range(steps)
    ]
    sigmas = karras(steps, low, high)
    assert sigmas.tolist() == pytest.approx([*expected, 0.0], rel=1e-6)
    assert sigmas[0].item() == pytest.approx(80, rel=1e-7)
    assert sigmas[-2].item() == pytest.approx(0.002, rel=1e-6)
    assert (sigmas.diff() < 0).all()


def test_karras_with_rho_1_is_linear_and_one_step_is_sigma_max():
    assert karras(5, 1.0, 5.0, rho=1.0).tolist() == pytest.approx([5, 4, 3, 2, 1, 0])
    assert karras(1, 0.02, 20.0).tolist() == pytest.approx([20, 0])


@pytest.mark.parametrize("steps", [1, 2, 3, 4, 7, 10, 50, 250, 999, 1000])
def test_ddpm_linear_visits_the_trailing_steps_of_diffusers(steps):
    scheduler = DDIMScheduler(beta_start=1e-4, beta_end=0.02, beta_schedule="linear", timestep_spacing="trailing")
    scheduler.set_timesteps(steps)
    assert scheduler.timesteps[0] == 999
    abar = scheduler.alphas_cumprod.double()[scheduler.timesteps]
    sigmas = ddpm_linear(steps)
    assert sigmas.shape == (steps + 1,)
    assert sigmas.dtype is torch.float32
    torch.testing.assert_close(sigmas[:-1].double(), ((1 - abar) / abar).sqrt(), rtol=2e-4, atol=0)
    assert sigmas[-1] == 0
    assert (sigmas.diff() < 0).all()


def test_ddpm_linear_starts_at_its_smallest_and_ends_at_its_largest_noise():
    sigmas = ddpm_linear(1000)
    assert sigmas[-2].item() == pytest.approx((1e-4 / (1 - 1e-4)) ** 0.5, rel=1e-6)
    assert sigmas[0].item() == pytest.approx(157.4, abs=0.05)


def test_log_normal_has_the_given_mean_and_deviation_of_the_logarithm():
    z = torch.randn(200_000, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    ln = log_normal(z, -0.5, 1.2).log()
    torch.testing.assert_close(ln, 1.2 * z - 0.5)
    assert ln.mean().item() == pytest.approx(-0.5, abs=0.01)
    assert ln.std().item() == pytest.approx(1.2, abs=0.01)
