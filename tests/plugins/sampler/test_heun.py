"""Heun against diffusers step by step, against closed forms, and its churn."""

from math import sqrt

import pytest
import torch
from diffusers.schedulers import HeunDiscreteScheduler

from texprior.diffusion.sigmas import karras, steps_of
from texprior_plugins.sampler import HeunOptions
from texprior_plugins.sampler.heun import Heun


def heun(**options):
    return Heun(HeunOptions(**options))


def test_every_call_is_the_one_of_diffusers(kit):
    scheduler = HeunDiscreteScheduler(beta_start=1e-4, beta_end=0.02, timestep_spacing="trailing")
    scheduler.set_timesteps(8)
    at_call = scheduler.sigmas[:-1]  # each inner sigma twice: the second half of a step, the first of the next
    sigmas = torch.cat([scheduler.sigmas[:1], scheduler.sigmas[1::2]])
    states = []

    def spy(x, sigma):
        states.append((x, sigma.item()))
        return kit.curved(x, sigma)

    x = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(0)) * sigmas[0]
    result = heun()(spy, x, sigmas, kit.no_noise)
    assert len(states) == len(scheduler.timesteps) == 15
    for (ours, sigma), theirs, t in zip(states, at_call, scheduler.timesteps, strict=True):
        assert sigma == theirs.item()
        torch.testing.assert_close(x, ours, rtol=1e-4, atol=1e-4)
        scheduler.scale_model_input(x, t)
        x = scheduler.step((x - kit.curved(x, theirs)) / theirs, t, x).prev_sample
    torch.testing.assert_close(x, result, rtol=1e-4, atol=1e-4)


def test_the_gaussians_error_is_of_order_2(kit):
    steps = [50, 100, 200]
    errors = []
    for n in steps:
        sigmas = steps_of(karras, n, 0.002, 80)
        exact = kit.std / (kit.std**2 + sigmas[0].double() ** 2).sqrt().item()
        errors.append(abs(kit.respond(heun(), sigmas).start / exact - 1))
    assert errors[0] < 0.007
    assert kit.order(steps, errors) == pytest.approx(2, abs=0.1)


def test_a_step_by_hand():
    """D = 0, sigma 2 -> 1: both slopes are x / sigma = 3, so x falls from 6 to 3; the last step reaches D."""
    seen = []
    x = torch.full((1, 1, 1, 1), 6.0)
    out = heun()(lambda x, sigma: seen.append(x.item()) or 0 * x, x, torch.tensor([2.0, 1.0, 0.0]), None)
    assert seen == [6.0, 3.0, 3.0]
    assert out.item() == 0


def test_a_churned_step_by_hand():
    """churn .5 over 2 steps raises sigma 2 to 2.5; added noise sqrt(2.5^2 - 2^2) = 1.5, times s_noise 2 and n = 1."""
    seen = []

    def denoise(x, sigma):
        seen.append((round(x.item(), 6), round(sigma.item(), 6)))
        return 0 * x

    x, n = torch.full((1, 1, 1, 1), 6.0), torch.ones(1, 1, 1, 1)
    heun(churn=0.5, s_noise=2.0, s_min=1.5)(denoise, x, torch.tensor([2.0, 1.0, 0.0]), lambda i: n)
    assert seen == [(9.0, 2.5), (3.6, 1.0), (3.6, 1.0)]


def test_churn_saturates_at_sqrt_2():
    seen = []
    x = torch.ones(1, 1, 1, 1)
    heun(churn=100.0)(lambda x, s: seen.append(s.item()) or 0 * x, x, torch.tensor([2.0, 0.0]), lambda i: x)
    assert seen == pytest.approx([2 * sqrt(2)])


@pytest.mark.parametrize("churn", [5.0, 20.0])
def test_the_variance_converges_to_the_datas_with_churn(kit, churn):
    steps = [50, 100, 200]
    sampler = heun(churn=churn)
    errors = [abs(kit.respond(sampler, steps_of(karras, n, 0.002, 80)).std(80) ** 2 / kit.std**2 - 1) for n in steps]
    assert errors[-1] < 0.004
    assert kit.order(steps, errors) == pytest.approx(2, abs=0.1)


def test_noise_is_asked_for_only_between_s_min_and_s_max(kit):
    asked = []

    def noise(i):
        asked.append(i)
        return torch.zeros(1, 1, 1, 1)

    sigmas = torch.tensor([16.0, 8.0, 4.0, 2.0, 1.0, 0.0])
    heun(churn=1.0, s_min=2.0, s_max=8.0)(kit.gaussian, torch.ones(1, 1, 1, 1), sigmas, noise)
    assert asked == [1, 2, 3]
    heun()(kit.gaussian, torch.ones(1, 1, 1, 1), sigmas, kit.no_noise)


@pytest.mark.parametrize("steps", [1, 4, 7])
@pytest.mark.parametrize("churn", [0.0, 1.0])
def test_calls_are_the_declared_ones_with_a_0_dimensional_sigma(kit, steps, churn):
    seen = []

    def denoise(x, sigma):
        seen.append(sigma)
        return kit.gaussian(x, sigma)

    heun(churn=churn)(
        denoise, torch.ones(1, 1, 1, 1), steps_of(karras, steps, 0.02, 20), lambda i: torch.ones(1, 1, 1, 1)
    )
    assert all(s.shape == () and s.dtype is torch.float32 for s in seen)
    assert len(seen) == heun().calls(steps) == 2 * steps - 1
