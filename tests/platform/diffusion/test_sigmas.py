"""Noise levels against their formulas and against diffusers."""

from math import inf

import numpy as np
import pytest
import torch
from diffusers.schedulers import DDIMScheduler, EDMEulerScheduler

from texprior.diffusion import sigmas as engine
from texprior.diffusion.sigmas import cosine_levels, ddpm_linear_levels, linspace, log_normal, steps_of, trailing


def karras(steps, low, high, rho=7.0, spacing=linspace):
    return steps_of(engine.karras, steps, low, high, rho, spacing=spacing)


def exponential(steps, low, high, spacing=linspace):
    return steps_of(engine.exponential, steps, low, high, spacing=spacing)


def ddpm_linear(steps, low=0.0, high=inf, spacing=trailing):
    return steps_of(engine.of_time, steps, ddpm_linear_levels(), low, high, spacing=spacing)


def cosine(steps, low=0.0, high=inf, spacing=trailing):
    return steps_of(engine.of_time, steps, cosine_levels(), low, high, spacing=spacing)


IN_DIFFUSERS = {ddpm_linear: "linear", cosine: "squaredcos_cap_v2"}


FLOAT32 = 3e-4
"""Relative error of diffusers' sigmas, whose cumulative products are float32 and close to 1."""


def published(schedule, spacing="trailing"):
    return DDIMScheduler(beta_start=1e-4, beta_end=0.02, beta_schedule=IN_DIFFUSERS[schedule], timestep_spacing=spacing)


def levels_of(scheduler):
    abar = scheduler.alphas_cumprod.double()
    return ((1 - abar) / abar).sqrt()


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


def test_trailing_steps_of_karras_leave_sigma_min_out():
    """The n trailing levels are the first n of n + 1 that end at sigma_min."""
    assert karras(4, 1.0, 5.0, rho=1.0, spacing=trailing).tolist() == pytest.approx([5, 4, 3, 2, 0])
    torch.testing.assert_close(karras(6, 0.02, 20, spacing=trailing)[:-1], karras(7, 0.02, 20)[:6])


@pytest.mark.parametrize("steps", [2, 5, 40])
def test_exponential_is_a_geometric_series_and_that_of_diffusers(steps):
    sigmas = exponential(steps, 0.02, 20)
    ratio = 1000 ** (-1 / (steps - 1))
    assert sigmas.tolist() == pytest.approx([*(20 * ratio**i for i in range(steps)), 0], rel=1e-6)
    scheduler = EDMEulerScheduler(sigma_min=0.02, sigma_max=20.0, sigma_schedule="exponential")
    scheduler.set_timesteps(steps)
    torch.testing.assert_close(sigmas, scheduler.sigmas, rtol=1e-5, atol=0)


def test_karras_tends_to_exponential_with_rho():
    torch.testing.assert_close(karras(9, 0.02, 20, rho=1e5), exponential(9, 0.02, 20), rtol=1e-4, atol=0)


@pytest.mark.parametrize("schedule", IN_DIFFUSERS)
def test_all_levels_are_the_published_ones(schedule):
    levels = {ddpm_linear: ddpm_linear_levels, cosine: cosine_levels}[schedule]()
    torch.testing.assert_close(levels, levels_of(published(schedule)), rtol=FLOAT32, atol=0)


def test_the_cosines_levels_are_the_closed_form():
    """abar(t) = f(t) / f(0), f(t) = cos^2((t / T + .008) / 1.008 * pi / 2), but for the last beta, cut to .999."""
    f = np.cos((np.arange(1001) / 1000 + 0.008) / 1.008 * np.pi / 2) ** 2
    abar = np.r_[f[1:1000] / f[0], f[999] / f[0] * 0.001]
    np.testing.assert_allclose(cosine_levels().numpy(), np.sqrt((1 - abar) / abar), rtol=1e-9)


@pytest.mark.parametrize("schedule", IN_DIFFUSERS)
@pytest.mark.parametrize("steps", [1, 2, 4, 10, 50, 250, 1000])
def test_trailing_steps_without_bounds_are_those_of_diffusers(schedule, steps):
    scheduler = published(schedule)
    scheduler.set_timesteps(steps)
    assert scheduler.timesteps[0] == 999
    sigmas = schedule(steps)
    assert sigmas.shape == (steps + 1,)
    assert sigmas.dtype is torch.float32
    torch.testing.assert_close(sigmas[:-1].double(), levels_of(scheduler)[scheduler.timesteps], rtol=FLOAT32, atol=0)
    assert sigmas[-1] == 0
    assert (sigmas.diff() < 0).all()


@pytest.mark.parametrize("schedule", IN_DIFFUSERS)
@pytest.mark.parametrize("steps", [3, 7, 999])
def test_where_steps_do_not_divide_1000_the_times_are_not_rounded(schedule, steps):
    times = 1000 - 1000 * np.arange(steps) / steps - 1
    expected = np.interp(times, np.arange(1000), levels_of(published(schedule)).numpy())
    np.testing.assert_allclose(schedule(steps)[:-1].numpy(), expected, rtol=FLOAT32)


@pytest.mark.parametrize("schedule", IN_DIFFUSERS)
@pytest.mark.parametrize(("low", "high"), [(0.02, 20.0), (0.1, 1.0), (0.001, 150.0)])
def test_the_bounds_are_kept(schedule, low, high):
    """Equal steps of time from sigma_max to sigma_min, both visited by linspace; trailing stops one step above."""
    times, levels = np.arange(-1, 1000), np.r_[0, levels_of(published(schedule)).numpy()]
    ends = np.interp([high, low], levels, times)
    both = schedule(5, low, high, spacing=linspace)
    np.testing.assert_allclose(both[:-1], np.interp(np.linspace(*ends, 5), times, levels), rtol=FLOAT32)
    assert (both[0].item(), both[4].item()) == (pytest.approx(high), pytest.approx(low))
    torch.testing.assert_close(schedule(4, low, high)[:4], both[:4])


def test_ddpm_linear_starts_at_its_smallest_and_ends_at_its_largest_noise():
    sigmas = ddpm_linear(1000)
    assert sigmas[-2].item() == pytest.approx((1e-4 / (1 - 1e-4)) ** 0.5, rel=1e-6)
    assert sigmas[0].item() == pytest.approx(157.4, abs=0.05)
    torch.testing.assert_close(ddpm_linear(10, 0, 1e9), ddpm_linear(10, 0, inf))


def test_log_normal_has_the_given_mean_and_deviation_of_the_logarithm():
    z = torch.randn(200_000, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    ln = log_normal(z, -0.5, 1.2).log()
    torch.testing.assert_close(ln, 1.2 * z - 0.5)
    assert ln.mean().item() == pytest.approx(-0.5, abs=0.01)
    assert ln.std().item() == pytest.approx(1.2, abs=0.01)
