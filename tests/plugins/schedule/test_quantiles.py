"""training-quantiles: equal shares of the noise of training, whatever its distribution."""

from math import log, sqrt
from statistics import NormalDist

import pytest
import torch

from texprior.diffusion.sigmas import linspace, log_normal, trailing
from texprior.errors import ConfigError
from texprior.flow.schedule import Range, levels_of
from texprior.plugin import Ref
from texprior.registry import Registry


@pytest.fixture(scope="module")
def registry():
    return Registry.discover()


@pytest.fixture
def training_quantiles(registry):
    """training_quantiles(steps, low, high): the levels with a final 0; of log-normal noise, if no other is given."""
    schedule = registry.build("schedule", Ref(name="training-quantiles"))

    def made(steps, low, high, mean=-0.5, std=1.2, spacing=trailing, training=None):
        noise = training or (lambda normal: log_normal(normal, mean, std))
        return levels_of(schedule, spacing(steps), Range(low, high, 7.0, noise))

    return made


def closed_form(steps, low, high, mean, std, spacing):
    """Quantiles of ln sigma ~ N(mean, std^2), by the inverse of its distribution function."""
    ends = torch.tensor([high, low], dtype=torch.float64)
    scale = -std if log(high) < mean else std
    shares = torch.special.erfc((ends.log() - mean) / (scale * sqrt(2))) / 2
    levels = torch.exp(mean - scale * torch.special.ndtri(torch.lerp(shares[0], shares[1], spacing(steps))))
    return torch.cat([levels.clamp(low, high), torch.zeros(1)]).float()


@pytest.mark.parametrize("spacing", [linspace, trailing])
@pytest.mark.parametrize(("low", "high"), [(0.02, 20.0), (0.1, 1.0), (5.0, 1e3), (1e-9, 1e-6)])
@pytest.mark.parametrize("steps", [1, 2, 5, 50])
def test_it_is_the_closed_form_of_log_normal_noise(training_quantiles, steps, low, high, spacing):
    found = training_quantiles(steps, low, high, -1.0, 0.8, spacing)
    expected = closed_form(steps, low, high, -1.0, 0.8, spacing)
    assert (found.view(torch.int32) - expected.view(torch.int32)).abs().max() <= 2  # units in the last place


@pytest.mark.parametrize("steps", [1, 2, 5, 16])
def test_each_trailing_step_spans_an_equal_share_of_the_training_noise(training_quantiles, steps):
    ln_sigma = NormalDist(-0.5, 1.2)
    sigmas = training_quantiles(steps, 0.02, 20, -0.5, 1.2)
    low, high = ln_sigma.cdf(log(0.02)), ln_sigma.cdf(log(20))
    shares = [ln_sigma.cdf(log(s)) for s in sigmas[:-1].tolist()]
    assert shares == pytest.approx([high - i / steps * (high - low) for i in range(steps)], abs=1e-6)
    assert sigmas[0].item() == pytest.approx(20)


def test_the_middle_one_of_two_quantiles_is_the_median_of_training(training_quantiles):
    """The median of ln sigma ~ N(-.5, 1.2^2) is e^-.5 = .607; the range's ends are far out on both sides."""
    assert training_quantiles(2, 1e-4, 1e3, -0.5, 1.2)[1].item() == pytest.approx(0.6065, abs=1e-3)


@pytest.mark.parametrize("range_", [(0.02, 20.0), (5.0, 1e6), (1e-9, 1e-6)])
def test_quantiles_start_at_sigma_max_wherever_the_range_lies(training_quantiles, range_):
    sigmas = training_quantiles(4, *range_, -0.5, 1.2, spacing=linspace)
    assert (sigmas[0].item(), sigmas[3].item()) == (pytest.approx(range_[1]), pytest.approx(range_[0]))


@pytest.mark.parametrize("name", ["log-uniform", "cosmap"])
@pytest.mark.parametrize("steps", [1, 4, 9])
def test_each_step_spans_an_equal_share_of_other_noise_too(registry, training_quantiles, name, steps):
    """Between ends that lie beyond all noise, the i-th level has a share of i / steps above it."""
    noise = registry.build("noise_levels", Ref(name=name), mean=-0.5, std=0.5)
    found = training_quantiles(steps, 1e-4, 1e4, training=noise)
    quantiles = [NormalDist().inv_cdf(1 - i / steps) for i in range(1, steps)]
    torch.testing.assert_close(found[1:-1], noise(torch.tensor(quantiles)), rtol=1e-5, atol=0)
    assert found[0] == 10000


@pytest.mark.parametrize("sigma_max", [20.0, 50.0])
@pytest.mark.parametrize("count", [2, 3, 4, 7])
def test_of_noise_at_a_few_levels_each_is_visited_once(registry, training_quantiles, count, sigma_max):
    options = {"steps": count, "sigma_max": 20.0, "sigma_min": 0.02, "schedule": "exponential"}
    noise = registry.build("noise_levels", Ref(name="sampled", options=options), mean=-0.5, std=1.2)
    drawn = noise(torch.linspace(-4, 4, 4000)).unique().flip(0)
    assert len(drawn) == count
    steps = count if sigma_max == 20 else count + 1
    expected = drawn if sigma_max == 20 else torch.cat([torch.tensor([50.0]), drawn])
    torch.testing.assert_close(training_quantiles(steps, 0.02, sigma_max, training=noise)[:-1], expected[:steps])


@pytest.mark.parametrize("count", [4, 11, 17, 26])
def test_a_step_that_starts_exactly_between_two_levels_visits_the_lower_one(registry, training_quantiles, count):
    """Above all noise, the i-th of n steps starts where the share above is i / n: on the step between two levels."""
    options = {"steps": count, "schedule": "exponential"}
    noise = registry.build("noise_levels", Ref(name="sampled", options=options), mean=-0.5, std=1.2)
    drawn = noise(torch.linspace(-4, 4, 4000)).unique().flip(0)
    found = training_quantiles(count, 0.02, 50.0, training=noise)
    torch.testing.assert_close(found[:-1], torch.cat([torch.tensor([50.0]), drawn[1:]]))


def test_more_steps_than_levels_are_refused(registry, training_quantiles):
    noise = registry.build("noise_levels", Ref(name="sampled"), mean=-0.5, std=1.2)
    with pytest.raises(ConfigError, match="do not all differ; take fewer steps"):
        training_quantiles(9, 0.02, 20.0, training=noise)
