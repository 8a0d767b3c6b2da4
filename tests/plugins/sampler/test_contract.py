"""What every sampler promises, by its record: order, calls, noise, and what one step is."""

import pytest
import torch

from texprior.diffusion.sigmas import ddpm_linear_levels, exponential, karras, of_time, steps_of, trailing
from texprior.plugin import Ref
from texprior.registry import Registry

NAMES = ["ddim", "euler", "euler-ancestral", "ddpm", "heun", "dpmpp-2m", "dpmpp-2m-sde", "unipc", "posterior"]
DETERMINISTIC = {"euler-ancestral": {"eta": 0.0}, "dpmpp-2m-sde": {"eta": 0.0}}
"""Options that make a sampler deterministic whose defaults do not; ddpm and posterior have none."""
STOCHASTIC = {
    "ddim": {"eta": 1.0},
    "heun": {"churn": 2.0},
    "euler-ancestral": {},
    "ddpm": {},
    "dpmpp-2m-sde": {},
    "posterior": {},
}


@pytest.fixture(scope="module")
def registry():
    return Registry.discover()


@pytest.fixture
def build(registry):
    def build(name, options=None):
        # a sampler of the process's own chain, with that of noise alone
        follows = registry.find("sampler", name).component.posterior
        context = {"process": registry.build("process", Ref(name="texture")), "scale": 0.1} if follows else {}
        return registry.build("sampler", Ref(name=name, options=options or {}), **context)

    return build


def test_these_are_all(registry):
    assert sorted(e.component.name for e in registry.entries("sampler")) == sorted(NAMES)


@pytest.mark.parametrize("name", [n for n in NAMES if n not in ("ddpm", "posterior")])
def test_the_gaussians_error_falls_at_the_declared_order(registry, build, kit, name):
    steps = [50, 100, 200, 400]
    sampler = build(name, DETERMINISTIC.get(name))
    errors = [kit.relative_error(sampler, steps_of(exponential, n, 0.02, 80)[:-1]) for n in steps]
    assert kit.order(steps, errors) == pytest.approx(registry.find("sampler", name).component.order, abs=0.07)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("steps", [1, 2, 3, 7])
def test_calls_are_the_declared_ones_at_a_0_dimensional_sigma_above_0(build, kit, name, steps):
    seen = []

    def denoise(x, sigma):
        seen.append(sigma)
        return kit.gaussian(x, sigma)

    sampler = build(name, STOCHASTIC.get(name))
    sampler(denoise, torch.ones(1, 1, 1, 1), steps_of(karras, steps, 0.02, 20), lambda i: torch.ones(1, 1, 1, 1))
    assert len(seen) == sampler.calls(steps)
    assert all(s.shape == () and s.dtype is torch.float32 and s > 0 for s in seen)


@pytest.mark.parametrize("name", NAMES)
def test_one_step_to_0_is_the_posterior_mean(build, kit, name):
    x, sigmas = torch.randn(2, 3, 4, 4, generator=torch.Generator().manual_seed(0)), torch.tensor([3.0, 0.0])
    torch.testing.assert_close(build(name)(kit.curved, x, sigmas, kit.no_noise), kit.curved(x, sigmas[0]))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "schedule",
    [
        steps_of(karras, 4, 0.02, 20),
        steps_of(of_time, 4, ddpm_linear_levels(), 0.02, 20, spacing=trailing),
        steps_of(of_time, 1000, ddpm_linear_levels(), spacing=trailing)[-5:],
    ],
)
def test_a_constant_estimate_is_reached(build, name, schedule):
    """D = 1 at any x: whatever the noise, the last step ends at D."""
    noise = torch.Generator().manual_seed(0)
    x = torch.randn(2, 3, 4, 4, generator=noise) * schedule[0]
    out = build(name, STOCHASTIC.get(name))(
        lambda x, _: torch.ones_like(x), x, schedule, lambda i: torch.randn(2, 3, 4, 4, generator=noise)
    )
    torch.testing.assert_close(out, torch.ones_like(out), rtol=0, atol=2e-6)


@pytest.mark.parametrize("name", STOCHASTIC)
def test_noise_is_asked_for_once_a_step_and_never_before_the_end(build, kit, name):
    asked = []

    def noise(i):
        asked.append(i)
        return torch.zeros(1, 1, 1, 1)

    sampler = build(name, {"churn": 2.0, "s_min": 1.0} if name == "heun" else STOCHASTIC[name])
    sampler(kit.gaussian, torch.ones(1, 1, 1, 1), torch.tensor([4.0, 2.0, 1.0, 0.5, 0.0]), noise)
    assert asked == [0, 1, 2]


@pytest.mark.parametrize("name", NAMES)
def test_pictures_of_a_batch_do_not_meet_and_the_input_stays(build, kit, name):
    sampler, sigmas = build(name, STOCHASTIC.get(name)), steps_of(karras, 5, 0.02, 20)
    noises = torch.randn(6, 2, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    x, before = noises[5] * 20, (noises[5] * 20).clone()
    together = sampler(kit.curved, x, sigmas, lambda i: noises[i].double())
    assert together.dtype is torch.float32
    assert torch.equal(x, before)
    for b in range(2):
        alone = sampler(kit.curved, x[b : b + 1], sigmas, lambda i, b=b: noises[i, b : b + 1])
        torch.testing.assert_close(alone, together[b : b + 1], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(("preset", "eta"), [("euler", 0.0), ("euler-ancestral", 1.0), ("ddpm", 1.0)])
def test_the_presets_are_ddim(build, kit, preset, eta):
    x, sigmas = torch.randn(1, 3, 4, 4, generator=torch.Generator().manual_seed(0)) * 20, steps_of(karras, 5, 0.02, 20)
    noises = torch.randn(5, 1, 3, 4, 4, generator=torch.Generator().manual_seed(1))
    expected = build("ddim", {"eta": eta})(kit.curved, x, sigmas, lambda i: noises[i])
    assert torch.equal(build(preset)(kit.curved, x, sigmas, lambda i: noises[i]), expected)


def test_churn_that_no_step_would_have_is_an_error(registry):
    with pytest.raises(ValueError, match=r"s_min 2.0 is above s_max 1.0, so that no step would churn"):
        registry.options_of("sampler", Ref(name="heun", options={"churn": 1.0, "s_min": 2.0, "s_max": 1.0}))
