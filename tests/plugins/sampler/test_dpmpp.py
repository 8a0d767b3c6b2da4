"""DPM-Solver++ 2M and its SDE form against diffusers step by step, against closed forms, and its injected noise."""

from math import exp, sqrt

import pytest
import torch
from diffusers.schedulers import DPMSolverMultistepScheduler, EDMDPMSolverMultistepScheduler

from texprior.diffusion.sigmas import exponential, karras, steps_of
from texprior_plugins.sampler import DpmppOptions, DpmppSdeOptions
from texprior_plugins.sampler.dpmpp import Dpmpp2M

BETAS = {"num_train_timesteps": 1000, "beta_start": 1e-4, "beta_end": 0.02, "beta_schedule": "linear"}


def solver(form="midpoint"):
    return Dpmpp2M(DpmppOptions(form=form))


def sde(eta=1.0, form="midpoint"):
    return Dpmpp2M(DpmppSdeOptions(eta=eta, form=form))


@pytest.mark.parametrize("form", ["midpoint", "heun"])
@pytest.mark.parametrize("last", ["zero", "sigma_min"])
@pytest.mark.parametrize("steps", [1, 2, 4, 10])
@pytest.mark.parametrize("kind", ["dpmsolver++", "sde-dpmsolver++"])
def test_every_step_is_the_one_of_diffusers(kit, kind, form, last, steps):
    scheduler = DPMSolverMultistepScheduler(
        **BETAS,
        algorithm_type=kind,
        solver_type=form,
        final_sigmas_type=last,
        lower_order_final=False,
        timestep_spacing="trailing",
        prediction_type="sample",
    )
    scheduler.set_timesteps(steps)
    noises = torch.randn(steps, 2, 3, 8, 8, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    sampler = sde(form=form) if kind.startswith("sde") else solver(form)
    ours, theirs = kit.beside_vp(
        sampler,
        scheduler,
        lambda i: noises[i],
        lambda clean, t, vp, i: scheduler.step(clean, t, vp, variance_noise=noises[i].float()).prev_sample,
    )
    tolerance = 5e-5 if kind.startswith("sde") else 1e-5  # the scheduler computes in float32
    torch.testing.assert_close(ours, theirs, rtol=tolerance, atol=tolerance)


def test_the_steps_on_karras_sigmas_are_those_of_diffusers_edm_solver(kit):
    scheduler = EDMDPMSolverMultistepScheduler(sigma_min=0.02, sigma_max=20.0, sigma_data=1.0, solver_order=2)
    scheduler.set_timesteps(8)
    torch.testing.assert_close(scheduler.sigmas, steps_of(karras, 8, 0.02, 20), rtol=1e-5, atol=0)
    x = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(0)) * 20
    result, *states = kit.visited(kit.curved, solver(), x, scheduler.sigmas, kit.no_noise)
    for ours, sigma, t in zip(states, scheduler.sigmas, scheduler.timesteps, strict=False):
        torch.testing.assert_close(ours, x, rtol=1e-4, atol=1e-4)
        clean = kit.curved(x, sigma)
        skip, out = 1 / (sigma**2 + 1), sigma / (sigma**2 + 1).sqrt()
        x = scheduler.step((clean - skip * x) / out, t, x).prev_sample
    torch.testing.assert_close(result, x, rtol=1e-4, atol=1e-4)


def test_the_sums_of_diffusers_own_test(kit):
    """sum |x| = 253.5514, mean |x| = .330145: 10 steps, midpoint, last sigma the smallest, no first-order last step."""
    scheduler = DPMSolverMultistepScheduler(**BETAS, final_sigmas_type="sigma_min", lower_order_final=False)
    out, _ = kit.deterministic_run(solver(), scheduler, 10)
    assert out.abs().sum().item() == pytest.approx(253.5514, abs=1e-3)
    assert out.abs().mean().item() == pytest.approx(0.330145, abs=2e-6)


def test_the_gaussians_errors_are_the_known_ones(kit):
    """Relative error for data N(0, .5^2) on the DDPM schedule, T = 1000, trailing, from its largest to its smallest."""
    errors = [kit.relative_error(solver(), kit.ddpm_to_smallest(n)) for n in (25, 50, 100, 200)]
    assert errors == pytest.approx([0.1667, 0.0518, 0.0130, 0.00305], rel=4e-3)


@pytest.mark.parametrize("eta", [0.5, 1.0])
@pytest.mark.parametrize("form", ["midpoint", "heun"])
def test_the_variance_converges_to_the_datas_at_order_2(kit, eta, form):
    steps = [100, 200, 400]
    errors = [
        abs(kit.respond(sde(eta, form), steps_of(exponential, n, 0.002, 80)).std(80) ** 2 / kit.std**2 - 1)
        for n in steps
    ]
    assert errors[-1] < 1e-3
    assert kit.order(steps, errors) == pytest.approx(2, abs=0.15)


def test_three_steps_by_hand():
    """D = x / 2, sigma e^2 -> e -> 1 -> 0: h = 1 and r = 1."""
    e = exp(1.0)
    first = 8 / e + (1 - 1 / e) * 4
    second = first / e + (1 - 1 / e) * (first / 2 + (first / 2 - 4) / 2)
    x = torch.full((1, 1, 1, 1), 8.0, dtype=torch.float64)
    sigmas = torch.tensor([e**2, e, 1.0, 0.0], dtype=torch.float64)
    assert solver()(lambda x, s: x / 2, x, sigmas, None).item() == pytest.approx(second / 2, rel=1e-12)


@pytest.mark.parametrize("eta", [0.25, 1.0])
def test_a_step_keeps_the_noise_level_where_the_estimate_is_exact(eta):
    """D = 0 exact for data that are 0: variance (s / sigma)^2 e^(-2 eta h) sigma^2 + s^2 (1 - e^(-2 eta h)) = s^2."""
    sigmas = steps_of(exponential, 6, 0.02, 20).double()
    weights = []
    for source in range(-1, 6):  # the start's noise, then each step's

        def noise(i, source=source):
            return torch.full((1, 1, 1, 1), float(i == source), dtype=torch.float64)

        states = []
        start = torch.full((1, 1, 1, 1), float(source == -1), dtype=torch.float64) * sigmas[0]
        sde(eta)(lambda x, s, states=states: states.append(x) or 0 * x, start, sigmas, noise)
        weights.append(torch.stack(states).flatten())
    torch.testing.assert_close(torch.stack(weights).square().sum(0).sqrt(), sigmas[:-1])


def test_eta_0_of_the_sde_form_is_the_solver(kit):
    x, sigmas = torch.ones(1, 3, 4, 4) * 9, steps_of(karras, 5, 0.02, 20)
    expected = solver()(kit.curved, x, sigmas, kit.no_noise)
    assert torch.equal(sde(eta=0.0)(kit.curved, x, sigmas, kit.no_noise), expected)


def test_the_first_step_of_the_sde_form_is_ddims_with_eta_1(kit):
    """Both are the exact posterior of the next sigma given x and D: (s / sigma)^2 x + (1 - (s / sigma)^2) D + noise."""
    x, n = torch.full((1, 1, 1, 1), 3.0), torch.full((1, 1, 1, 1), 0.7)
    states = []
    sde()(lambda x, s: states.append(x.item()) or 0.25 * x, x, torch.tensor([2.0, 1.0, 0.0]), lambda i: n)
    assert states[1] == pytest.approx(0.25 * 3 + 0.75 * 0.75 + sqrt(1 * (4 - 1) / 4) * 0.7, rel=1e-6)
