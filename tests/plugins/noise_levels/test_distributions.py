"""The distributions of training noise against those of scipy, and against the levels of a schedule."""

import math

import numpy as np
import pytest
import torch
from scipy import stats

from texprior.diffusion.keys import normal
from texprior.diffusion.sigmas import exponential, linspace, log_normal, trailing
from texprior.plugin import Ref
from texprior.registry import Registry

MEAN, STD = -0.7, 1.1
HALF = math.sqrt(3) * STD
OF_LN_SIGMA = {
    "log-normal": stats.norm(MEAN, STD),
    "log-uniform": stats.uniform(MEAN - HALF, 2 * HALF),
    "cosmap": stats.hypsecant(MEAN, STD * 2 / math.pi),
}
"""Component -> the distribution of ln sigma, as scipy has it."""


@pytest.fixture(scope="module")
def registry():
    return Registry.discover()


@pytest.fixture
def build(registry):
    return lambda name, mean=MEAN, std=STD, **options: registry.build(
        "noise_levels", Ref(name=name, options=options), mean=mean, std=std
    )


def test_these_are_all(registry):
    assert sorted(e.component.name for e in registry.entries("noise_levels")) == sorted([*OF_LN_SIGMA, "sampled"])


@pytest.mark.parametrize("name", OF_LN_SIGMA)
def test_ln_sigma_has_the_quantiles_mean_and_deviation_of_scipys(build, name):
    distribution, z = OF_LN_SIGMA[name], torch.linspace(-5, 5, 101, dtype=torch.float64)
    # the upper half by the survival function: 1 minus a small share loses its digits
    upper, lower = distribution.isf(stats.norm.sf(z[z > 0])), distribution.ppf(stats.norm.cdf(z[z <= 0]))
    np.testing.assert_allclose(build(name)(z).log().numpy(), np.r_[lower, upper], rtol=1e-9, atol=1e-12)
    assert (distribution.mean(), distribution.std()) == (pytest.approx(MEAN), pytest.approx(STD))


@pytest.mark.parametrize("name", OF_LN_SIGMA)
def test_what_training_draws_passes_the_kolmogorov_smirnov_test(build, name):
    drawn = build(name)(torch.cat([normal((1,), 0, "sigma", n) for n in range(4000)]))
    assert stats.kstest(drawn.log().double().numpy(), OF_LN_SIGMA[name].cdf).pvalue > 0.01
    others = [stats.kstest(drawn.log().double().numpy(), d.cdf).pvalue for n, d in OF_LN_SIGMA.items() if n != name]
    assert max(others) < 1e-3


def test_log_normal_is_the_engines_bit_for_bit(build):
    z = torch.randn(100, generator=torch.Generator().manual_seed(0))
    assert torch.equal(build("log-normal")(z), log_normal(z, MEAN, STD))


def test_cosmap_is_the_papers_at_mean_0_and_deviation_half_pi(build):
    """t = 1 - 1 / (tan(pi u / 2) + 1) (Esser et al. 2024), and sigma = t / (1 - t)."""
    u = np.linspace(0.001, 0.999, 99)
    t = 1 - 1 / (np.tan(np.pi * u / 2) + 1)
    found = build("cosmap", mean=0.0, std=math.pi / 2)(torch.from_numpy(stats.norm.ppf(u)))
    np.testing.assert_allclose(found.numpy(), t / (1 - t), rtol=1e-9)


@pytest.mark.parametrize("name", [*OF_LN_SIGMA, "sampled"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_levels_are_positive_and_finite_far_out_and_never_decrease(build, name, dtype):
    levels = build(name)(torch.linspace(-8, 8, 401, dtype=dtype))
    assert levels.dtype is dtype
    assert (levels > 0).all()
    assert torch.isfinite(levels).all()
    assert (levels.diff() >= 0).all()


@pytest.mark.parametrize(("spacing", "visited"), [("linspace", linspace), ("trailing", trailing)])
def test_sampled_draws_each_level_of_its_schedule_as_often(build, spacing, visited):
    options = {"schedule": "exponential", "steps": 5, "sigma_min": 0.1, "sigma_max": 8.0, "spacing": spacing}
    levels = exponential(visited(5), 0.1, 8.0).float()
    drawn, counts = build("sampled", **options)(torch.cat([normal((1,), 0, "sigma", n) for n in range(5000)])).unique(
        return_counts=True
    )
    torch.testing.assert_close(drawn.flip(0), levels, rtol=1e-6, atol=0)
    assert stats.chisquare(counts.numpy()).pvalue > 0.01


def test_sampled_draws_what_a_list_says(build):
    options = {"schedule": {"listed": {"levels": [20.0, 1.4, 0.6, 0.27]}}}
    z = torch.tensor([-9.0, -0.7, -0.6, -0.1, 0.1, 0.6, 0.7, 9.0])
    expected = [0.27, 0.27, 0.6, 0.6, 1.4, 1.4, 20, 20]
    assert build("sampled", **options)(z).tolist() == pytest.approx(expected)


def test_sampled_asks_a_schedule_of_quantiles_for_those_of_mean_and_std(build):
    options = {"schedule": "training-quantiles", "steps": 2, "sigma_min": 1e-6, "sigma_max": 1e6, "spacing": "trailing"}
    lower, upper = build("sampled", **options)(torch.tensor([-1.0, 1.0], dtype=torch.float64)).tolist()
    assert (lower, upper) == (pytest.approx(math.exp(MEAN)), 1e6)


def test_bounds_in_the_wrong_order_are_refused(registry):
    with pytest.raises(ValueError, match=r"sigma_min 3.0 must be smaller than sigma_max 2.0"):
        registry.options_of("noise_levels", Ref(name="sampled", options={"sigma_min": 3.0, "sigma_max": 2.0}))
