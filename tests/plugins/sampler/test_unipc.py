"""UniPC of order 2 against diffusers step by step, and against closed forms."""

from math import exp

import pytest
import torch
from diffusers.schedulers import UniPCMultistepScheduler

from texprior_plugins.sampler import UniPcOptions
from texprior_plugins.sampler.unipc import UniPc

BETAS = {"num_train_timesteps": 1000, "beta_start": 1e-4, "beta_end": 0.02, "beta_schedule": "linear"}


def unipc(b="bh2"):
    return UniPc(UniPcOptions(b=b))


# (bh1, zero) is not among them: there the scheduler multiplies infinity by 0
@pytest.mark.parametrize(("b", "last"), [("bh2", "zero"), ("bh2", "sigma_min"), ("bh1", "sigma_min")])
@pytest.mark.parametrize("steps", [1, 2, 3, 4, 10])
def test_every_step_is_the_one_of_diffusers(kit, b, last, steps):
    scheduler = UniPCMultistepScheduler(
        **BETAS,
        solver_type=b,
        final_sigmas_type=last,
        lower_order_final=last == "zero",
        timestep_spacing="trailing",
        prediction_type="sample",
    )
    scheduler.set_timesteps(steps)
    ours, theirs = kit.beside_vp(
        unipc(b), scheduler, kit.no_noise, lambda clean, t, vp, i: scheduler.step(clean, t, vp).prev_sample
    )
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)


def test_the_sums_of_diffusers_own_test(kit):
    """sum |x| = 189.2318, mean |x| = .246396: 10 steps, bh2, last sigma the smallest, the last step of first order.

    Ours is of second order there, so that its difference B / (2 r) (D_- - D_0) is taken away again.
    """
    scheduler = UniPCMultistepScheduler(**BETAS, final_sigmas_type="sigma_min")
    out, estimates = kit.deterministic_run(unipc(), scheduler, 10)
    before, start, end = (float(v.log()) for v in scheduler.sigmas[-3:].double())
    h = start - end
    difference = (1 - exp(-h)) / 2 / ((start - before) / h) * (estimates[-2] - estimates[-1])
    out = out - difference / float((scheduler.sigmas[-1].double() ** 2 + 1).sqrt())
    assert out.abs().sum().item() == pytest.approx(189.2318, abs=1e-3)
    assert out.abs().mean().item() == pytest.approx(0.246396, abs=2e-6)


def test_the_gaussians_errors_are_the_known_ones(kit):
    """Relative error for data N(0, .5^2) on the DDPM schedule, T = 1000, trailing, from its largest to its smallest."""
    errors = [kit.relative_error(unipc(), kit.ddpm_to_smallest(n)) for n in (25, 50, 100, 200)]
    assert errors == pytest.approx([0.1637, 0.0451, 0.00961, 0.00176], rel=4e-3)


def test_two_steps_and_their_correction_by_hand():
    """D = x / 2, sigma e -> 1 -> 0, so h = 1: the correction of the only step is not seen, as D ends it; with a third
    sigma it is: rho = 1/2 on the difference of the two estimates."""
    x = torch.full((1, 1, 1, 1), 8.0, dtype=torch.float64)
    e, half = exp(1.0), lambda x, s: x / 2
    predicted = 8 / e + (1 - 1 / e) * 4
    two = unipc()(half, x, torch.tensor([e, 1.0, 0.0], dtype=torch.float64), None)
    assert two.item() == pytest.approx(predicted / 2, rel=1e-12)
    corrected = predicted + (1 - 1 / e) * (predicted / 2 - 4) / 2
    # the next predictor: D_0 = predicted / 2, D_- = 4, r = -1, so that (D_- - D_0) / r = D_0 - D_-
    following = corrected / e + (1 - 1 / e) * (predicted / 2 + (predicted / 2 - 4) / 2)
    three = unipc()(half, x, torch.tensor([e, 1.0, 1 / e, 0.0], dtype=torch.float64), None)
    assert three.item() == pytest.approx(following / 2, rel=1e-12)


def test_the_corrector_is_exact_for_estimates_quadratic_in_lambda():
    """x' - (s / sigma) x = s * integral of e^lambda D: for D = lambda^2 known at three points, the exact integral."""
    from texprior_plugins.sampler.unipc import _corrector

    h, r = 0.7, -0.4
    for b in (h, 1 - exp(-h)):
        rho_before, rho_end = _corrector(h, b, r)
        # lambda from 0 to h, D(0) = 0, D(h) = h^2, D(r h) = (r h)^2; e^-h * int_0^h e^l l^2 dl = h^2 - 2 h + 2 - 2 e^-h
        stepped = b * (rho_before * (r * h) ** 2 / r + rho_end * h**2)
        assert stepped == pytest.approx(h**2 - 2 * h + 2 - 2 * exp(-h), rel=1e-12)
