"""A sampler's response to unit impulses against the product of its steps, and slopes of known powers."""

from itertools import pairwise
from math import prod, sqrt

import pytest
import torch

from texprior.diffusion.sigmas import karras, steps_of
from texprior.testing.kinds.linear import DATA_MEAN, DATA_STD, curved, exact_gain, respond, slope

SIGMAS = steps_of(karras, 6, 0.1, 10.0)


def ancestral(denoise, x, sigmas, noise):
    """Euler-ancestral(1): down = s'^2 / s, up = s' sqrt(s^2 - s'^2) / s."""
    for i, (s, following) in enumerate(pairwise(sigmas.tolist())):
        clean = denoise(x, sigmas[i])
        x = clean + following**2 / s**2 * (x - clean) + following * sqrt(s**2 - following**2) / s * noise(i)
    return x


def test_the_response_is_the_product_of_the_steps():
    """With D = m + k (x - m), k = s0^2 / (s0^2 + s^2), a step multiplies x - m by k + down (1 - k)."""
    levels = [float(s) for s in SIGMAS.double()]
    k = [DATA_STD**2 / (DATA_STD**2 + s**2) for s in levels[:-1]]
    factors = [g + b**2 / a**2 * (1 - g) for g, (a, b) in zip(k, pairwise(levels), strict=True)]
    ups = [b * sqrt(a**2 - b**2) / a for a, b in pairwise(levels)]
    response = respond(ancestral, SIGMAS)
    assert response.start == pytest.approx(prod(factors), rel=1e-12)
    for i, up in enumerate(ups):
        assert response.noises[i] == pytest.approx(up * prod(factors[i + 1 :]), rel=1e-12, abs=1e-15)
    assert response.mean == pytest.approx(DATA_MEAN, abs=1e-12)
    variance = prod(factors) ** 2 * (DATA_STD**2 + levels[0] ** 2)
    variance += sum((up * prod(factors[i + 1 :])) ** 2 for i, up in enumerate(ups))
    assert response.std(levels[0]) == pytest.approx(sqrt(variance), rel=1e-12)


def test_the_exact_gain_solves_the_probability_flow():
    """dx/ds = (x - D) / s = s x / (s0^2 + s^2) (about the mean): integrated by the midpoint rule in 20000 steps."""
    x, n = 1.0, 20000
    for i in range(n):
        s, h = 2.0 * (1 - i / n), 2.0 / n
        half = x - h / 2 * s * x / (DATA_STD**2 + s**2)
        x -= h * (s - h / 2) * half / (DATA_STD**2 + (s - h / 2) ** 2)
    assert exact_gain(2.0) == pytest.approx(x, rel=1e-7)


def test_the_curved_denoiser_is_the_posterior_mean_of_two_points():
    x, s = torch.tensor([0.3, -1.2], dtype=torch.float64), torch.tensor(0.7, dtype=torch.float64)
    up, down = (torch.exp(-((x - point) ** 2) / (2 * s**2)) for point in (1, -1))
    torch.testing.assert_close(curved(x, s), (up - down) / (up + down))


@pytest.mark.parametrize("power", [1, 2, 3])
def test_a_power_law_has_its_slope(power):
    steps = (50, 100, 200)
    assert slope(steps, [7.0 / n**power for n in steps]) == pytest.approx(power, rel=1e-12)
