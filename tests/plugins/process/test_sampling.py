"""Sampling under each process reaches the exact law, by a network that knows only the paper's variable.

Data are N(m, v) in units of the picture. The network turns what it is given into x_t, and that into E[x_0 | x_t] by the
law's own a, b and c, as the papers write it. All is linear, so the output's mean and variance follow from impulses.
"""

import pytest
import torch

from texprior.diffusion.precondition import broadcast, coefficients
from texprior.diffusion.sigmas import karras, linspace
from texprior.flow.prior import prior_denoise
from texprior.flow.process import entrance

NAMES = ["texture", "picture", "residual-shift", "mean-reverting"]
SAMPLERS = {"heun", "dpmpp-2m", "unipc", "euler", "ddim", "ddpm", "euler-ancestral", "dpmpp-2m-sde", "posterior"}
SCALE, MEAN, STD, Y = 0.06, 0.45, 0.04, 0.5
STEPS = 200


def levels(steps, sigma_min, sigma_max):
    return torch.cat([karras(linspace(steps), sigma_min, sigma_max), torch.zeros(1, dtype=torch.float64)])


def of_network(kit, name, process):
    """D of a network that computes the posterior mean of x_0 from x_t."""

    def network(given, c_noise, _condition, _code):
        level = (4 * c_noise[0]).exp()
        sigma = level * SCALE
        a, b, c = process.law(sigma)
        y = torch.full_like(given, Y)
        # the texture's own variable is the layer with noise, divided by its deviation
        texture = (given / coefficients(level).in_) * SCALE + Y
        x_t = texture if name == "texture" else kit.x_t_of(name, given, float(sigma), y)
        gain = a * STD**2 / (a**2 * STD**2 + c**2)
        clean = MEAN + gain * (x_t - a * MEAN - b * y)
        x = ((x_t - b * y) / a - y) / SCALE
        skip, out = coefficients(level)[:2]
        return ((clean - y) / SCALE - skip * x) / out

    def denoise(x, sigma):
        base = torch.full_like(x, Y)
        enter = entrance(process, base, SCALE)
        return prior_denoise(network, x, broadcast(sigma, x), base, base, enter)

    return denoise


def of_layer(x, sigma):
    """E[layer | x], in the engine's variable."""
    mean, variance = (MEAN - Y) / SCALE, (STD / SCALE) ** 2
    return mean + variance / (variance + sigma**2) * (x - mean)


def response(sampler, denoise, sigmas):
    """The output for x = 0 without noise, and for each unit impulse: of x, then of each step's noise."""
    steps = len(sigmas) - 1
    x = torch.zeros(steps + 2, 3, 1, 1, dtype=torch.float64)
    x[1] = 1

    def impulse(step):
        n = torch.zeros_like(x)
        n[step + 2] = 1
        return n

    return sampler(denoise, x, sigmas, impulse)[:, 0, 0, 0]


def test_all_samplers_are_here(kit):
    assert {e.component.name for e in kit.registry.entries("sampler")} == SAMPLERS


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("sampler", sorted(SAMPLERS))
def test_samples_have_the_datas_mean_and_variance(kit, name, sampler):
    process = kit.build(name)
    sigmas = levels(STEPS, 0.002, 80)
    built = kit.sampler(sampler, process, SCALE)
    out = response(built, of_network(kit, name, process), sigmas)
    torch.testing.assert_close(out, response(built, of_layer, sigmas), rtol=1e-7, atol=1e-8)

    constant, (start, *noises) = out[0], out[1:] - out[0]
    layer_mean = (MEAN - Y) / SCALE
    mean = constant + start * layer_mean
    variance = start**2 * ((STD / SCALE) ** 2 + sigmas[0] ** 2) + sum(n**2 for n in noises)
    assert Y + SCALE * float(mean) == pytest.approx(MEAN, abs=1e-6)
    assert SCALE * float(variance) ** 0.5 == pytest.approx(STD, rel=0.03)


@pytest.mark.parametrize("name", ["texture", "picture", "mean-reverting"])
def test_the_reverse_chain_of_a_markov_process_is_ddpm(kit, name):
    sigmas, process = levels(10, 0.02, 20), kit.build(name)
    chain = response(kit.sampler("posterior", process, SCALE), of_layer, sigmas)
    torch.testing.assert_close(
        chain, response(kit.sampler("ddpm", process, SCALE), of_layer, sigmas), rtol=0, atol=1e-12
    )


def test_residual_shift_keeps_more_noise_than_ddpm(kit):
    """eta_(t-1) / eta_t is above (s / sigma)^2, by (1 - eta_(t-1))^2 / (1 - eta_t)^2."""
    process = kit.build("residual-shift")
    for sigma, following in ((0.5, 0.2), (5.0, 1.0)):
        later, earlier = process.eta(torch.tensor([sigma, following], dtype=torch.float64)).tolist()
        expected = (following / sigma) ** 2 * ((1 - earlier) / (1 - later)) ** 2
        assert process.kept(sigma, following) == pytest.approx(expected, rel=1e-12)
        assert expected > (following / sigma) ** 2
