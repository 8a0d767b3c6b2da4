"""DDIM against diffusers step by step, against closed forms, and its injected noise."""

import pytest
import torch
from diffusers.schedulers import (
    DDIMScheduler,
    DDPMScheduler,
    EDMEulerScheduler,
    EulerAncestralDiscreteScheduler,
    EulerDiscreteScheduler,
)

from texprior.diffusion.sigmas import ddpm_linear_levels, karras, of_time, steps_of, trailing
from texprior_plugins.sampler import DdimOptions
from texprior_plugins.sampler.ddim import Ddim

BETAS = {"num_train_timesteps": 1000, "beta_start": 1e-4, "beta_end": 0.02, "beta_schedule": "linear"}


def ddim(eta=0.0):
    return Ddim(DdimOptions(eta=eta))


def vp_sigmas(scheduler):
    abar = scheduler.alphas_cumprod.double()[scheduler.timesteps]
    return abar, torch.cat([((1 - abar) / abar).sqrt(), torch.zeros(1).double()])


@pytest.mark.parametrize("eta", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("spacing", ["trailing", "leading"])
@pytest.mark.parametrize("steps", [1, 4, 10])
def test_every_step_is_the_one_of_diffusers(kit, eta, spacing, steps):
    scheduler = DDIMScheduler(**BETAS, timestep_spacing=spacing, clip_sample=False, prediction_type="sample")
    scheduler.alphas_cumprod = scheduler.alphas_cumprod.double()
    scheduler.final_alpha_cumprod = scheduler.final_alpha_cumprod.double()
    scheduler.set_timesteps(steps)
    abar, sigmas = vp_sigmas(scheduler)
    noises = torch.randn(steps, 2, 3, 8, 8, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    x = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * sigmas[0]
    result, *states = kit.visited(kit.curved, ddim(eta), x, sigmas, lambda i: noises[i])

    vp = x * abar[0].sqrt()
    for i, t in enumerate(scheduler.timesteps):
        ours = states[i] * abar[i].sqrt()
        torch.testing.assert_close(ours, vp, rtol=1e-9, atol=1e-10)
        clean = kit.curved(vp / abar[i].sqrt(), sigmas[i])
        vp = scheduler.step(clean, t, vp, eta=eta, variance_noise=noises[i]).prev_sample
    torch.testing.assert_close(result, vp, rtol=1e-9, atol=1e-10)


def test_the_sums_of_diffusers_own_test():
    """sum |x| = 172.0067, mean |x| = .223967: DDIM, 10 leading steps, model x t / (t + 1), clipped to [-1, 1]."""
    scheduler = DDIMScheduler(**BETAS)
    scheduler.set_timesteps(10)
    abar, sigmas = vp_sigmas(scheduler)
    steps = iter(zip(scheduler.timesteps.tolist(), abar, strict=True))

    def clipped(x, sigma):
        t, a = next(steps)
        epsilon = a.sqrt() * x * t / (t + 1)
        return (x - sigma * epsilon).clamp(-1, 1)

    n = 768
    start = (torch.arange(n).reshape(3, 8, 8, 4) / n).permute(3, 0, 1, 2).double()
    out = ddim()(clipped, start / abar[0].sqrt(), sigmas, None)
    assert out.abs().sum().item() == pytest.approx(172.0067, abs=1e-3)
    assert out.abs().mean().item() == pytest.approx(0.223967, abs=1e-6)


def test_eta_0_is_eulers_method(kit):
    scheduler = EulerDiscreteScheduler(**BETAS, timestep_spacing="trailing")
    scheduler.set_timesteps(10)
    x = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(0)) * scheduler.sigmas[0]
    result, *states = kit.visited(kit.curved, ddim(0.0), x, scheduler.sigmas, kit.no_noise)
    for i, t in enumerate(scheduler.timesteps):
        torch.testing.assert_close(states[i], x, rtol=1e-4, atol=1e-4)
        scheduler.scale_model_input(x, t)
        x = states[i]
        epsilon = (x - kit.curved(x, scheduler.sigmas[i])) / scheduler.sigmas[i]
        x = scheduler.step(epsilon, t, x).prev_sample
    torch.testing.assert_close(result, x, rtol=1e-4, atol=1e-4)


def test_eta_1_is_euler_ancestral_sampling(kit):
    scheduler = EulerAncestralDiscreteScheduler(**BETAS, timestep_spacing="trailing")
    scheduler.set_timesteps(10)
    theirs = torch.Generator().manual_seed(1)
    ours = torch.Generator().manual_seed(1)
    noises = [torch.randn(2, 3, 8, 8, generator=ours) for _ in range(10)]
    x = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(0)) * scheduler.sigmas[0]
    result, *states = kit.visited(kit.curved, ddim(1.0), x, scheduler.sigmas, lambda i: noises[i])
    for i, t in enumerate(scheduler.timesteps):
        torch.testing.assert_close(states[i], x, rtol=1e-4, atol=1e-4)
        scheduler.scale_model_input(x, t)
        x = states[i]
        epsilon = (x - kit.curved(x, scheduler.sigmas[i])) / scheduler.sigmas[i]
        x = scheduler.step(epsilon, t, x, generator=theirs).prev_sample
    torch.testing.assert_close(result, x, rtol=1e-4, atol=1e-4)


def test_eta_0_on_karras_sigmas_is_edms_euler(kit):
    scheduler = EDMEulerScheduler(sigma_min=0.02, sigma_max=20.0)
    scheduler.set_timesteps(8)
    sigmas = steps_of(karras, 8, 0.02, 20)
    torch.testing.assert_close(scheduler.sigmas, sigmas, rtol=1e-5, atol=0)
    x = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(0)) * 20
    result, *states = kit.visited(kit.curved, ddim(0.0), x, scheduler.sigmas, kit.no_noise)
    for ours, sigma, t in zip(states, scheduler.sigmas, scheduler.timesteps, strict=False):
        torch.testing.assert_close(ours, x, rtol=1e-4, atol=1e-4)
        x = scheduler.step(torch.zeros_like(x), t, x, pred_original_sample=kit.curved(x, sigma)).prev_sample
    torch.testing.assert_close(result, x, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("steps", [4, 10, 50])
def test_eta_1_is_ddpm_with_the_small_variance(kit, steps):
    scheduler = DDPMScheduler(**BETAS, clip_sample=False, timestep_spacing="trailing", prediction_type="sample")
    scheduler.alphas_cumprod, scheduler.one = scheduler.alphas_cumprod.double(), scheduler.one.double()
    scheduler.set_timesteps(steps)
    abar, sigmas = vp_sigmas(scheduler)
    drawn = torch.Generator().manual_seed(1)
    noises = [torch.randn(2, 3, 8, 8, generator=drawn, dtype=torch.float64) for _ in range(steps)]
    x = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * sigmas[0]
    result, *states = kit.visited(kit.curved, ddim(1.0), x, sigmas, lambda i: noises[i])
    theirs, vp = torch.Generator().manual_seed(1), x * abar[0].sqrt()
    for i, t in enumerate(scheduler.timesteps):
        torch.testing.assert_close(states[i] * abar[i].sqrt(), vp, rtol=1e-8, atol=1e-9)
        vp = scheduler.step(kit.curved(vp / abar[i].sqrt(), sigmas[i]), t, vp, generator=theirs).prev_sample
    torch.testing.assert_close(result, vp, rtol=1e-8, atol=1e-9)


def test_the_sum_of_diffusers_own_ddpm_test(kit):
    """sum |x| = 258.9606, mean |x| = .3372: 1000 steps, seed 0, model x t / (t + 1), clipped to [-1, 1]."""
    sigmas = steps_of(of_time, 1000, ddpm_linear_levels(), spacing=trailing)
    times = iter(range(999, -1, -1))
    drawn = torch.Generator().manual_seed(0)

    def clipped(x, sigma):
        t = next(times)
        return (x - sigma * x / (sigma**2 + 1).sqrt() * t / (t + 1)).clamp(-1, 1)

    start = (torch.arange(768).reshape(3, 8, 8, 4) / 768).permute(3, 0, 1, 2) * (sigmas[0] ** 2 + 1).sqrt()
    out = ddim(1.0)(clipped, start, sigmas, lambda i: torch.randn(4, 3, 8, 8, generator=drawn))
    assert out.abs().sum().item() == pytest.approx(258.9606, abs=1e-2)
    assert out.abs().mean().item() == pytest.approx(0.3372, abs=1e-4)


def test_the_gaussians_errors_are_the_known_ones_and_of_order_1(kit):
    """Relative error of the output for data N(0, .5^2) on the DDPM schedule, T = 1000, trailing, last sigma 0."""
    steps, known = [25, 50, 100, 200], [0.1112, 0.0572, 0.0291, 0.0148]
    errors = []
    for n in steps:
        sigmas = steps_of(of_time, n, ddpm_linear_levels(), spacing=trailing)
        exact = kit.std / (kit.std**2 + sigmas[0].double() ** 2).sqrt().item()
        errors.append(abs(kit.respond(ddim(), sigmas).start / exact - 1))
    assert errors == pytest.approx(known, abs=6e-5)
    assert kit.order(steps, errors) == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize("eta", [0.0, 0.5, 1.0])
def test_the_variance_converges_to_the_datas_at_order_1(kit, eta):
    steps = [100, 200, 400, 800]
    errors = [abs(kit.respond(ddim(eta), steps_of(karras, n, 0.002, 80)).std(80) ** 2 / kit.std**2 - 1) for n in steps]
    assert errors[-1] < 0.016
    assert kit.order(steps, errors) == pytest.approx(1, abs=0.05)


def test_a_step_keeps_the_noise_level(kit):
    """With D = 0 exact for data that are 0, x must have standard deviation sigma at every step, for any eta."""
    sigmas = steps_of(karras, 6, 0.02, 20).double()
    for eta in (0.0, 0.3, 1.0):
        weights = []
        for source in range(-1, 6):  # the start's noise, then each step's

            def noise(i, source=source):
                return torch.full((1, 1, 1, 1), float(i == source), dtype=torch.float64)

            start = torch.full((1, 1, 1, 1), float(source == -1), dtype=torch.float64) * sigmas[0]
            _, *states = kit.visited(lambda x, sigma: 0 * x, ddim(eta), start, sigmas, noise)
            weights.append(torch.stack(states).flatten())
        torch.testing.assert_close(torch.stack(weights).square().sum(0).sqrt(), sigmas[:-1])


def test_one_step_is_the_posterior_mean(kit):
    x = torch.randn(2, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    sigmas = torch.tensor([3.0, 0.0])
    for eta in (0.0, 1.0):
        torch.testing.assert_close(ddim(eta)(kit.curved, x, sigmas, kit.no_noise), kit.curved(x, sigmas[0]))


@pytest.mark.parametrize(("eta", "expected"), [(0.0, []), (1.0, [0, 1, 2])])
def test_noise_is_asked_for_once_a_step_and_only_where_needed(kit, eta, expected):
    asked = []

    def noise(i):
        asked.append(i)
        return torch.zeros(1, 1, 1, 1)

    ddim(eta)(kit.gaussian, torch.ones(1, 1, 1, 1), torch.tensor([4.0, 2.0, 1.0, 0.5, 0.0]), noise)
    assert asked == expected


@pytest.mark.parametrize("steps", [1, 4, 7])
def test_calls_are_the_declared_ones_with_a_0_dimensional_sigma(kit, steps):
    sigmas = steps_of(karras, steps, 0.02, 20)
    seen = []

    def denoise(x, sigma):
        seen.append((sigma.shape, sigma.item()))
        return kit.gaussian(x, sigma)

    ddim()(denoise, torch.ones(1, 1, 1, 1), sigmas, kit.no_noise)
    assert seen == [(torch.Size([]), s) for s in sigmas[:-1].tolist()]
    assert len(seen) == ddim().calls(steps) == steps


def test_float32_stays_float32_and_the_input_is_untouched(kit):
    x = torch.ones(1, 3, 4, 4)
    out = ddim(0.5)(
        kit.gaussian, x, steps_of(karras, 4, 0.02, 20), lambda i: torch.ones(1, 3, 4, 4, dtype=torch.float64)
    )
    assert out.dtype is torch.float32
    assert torch.equal(x, torch.ones(1, 3, 4, 4))
