"""Each process beside its paper's chain: forward law, posterior, what the network is given, and where it ends."""

import math

import pytest
import torch

from texprior.diffusion.process import Process

NAMES = ["texture", "picture", "residual-shift", "mean-reverting"]
SCALE = 0.06


@pytest.fixture
def pictures(kit):
    """x_0 and y, and y as the process has it: grey for whole pictures."""
    x_0, y = kit.random(1, 3, 4, 4), kit.random(1, 3, 4, 4, seed=1)
    return lambda name: (x_0, torch.full_like(y, 0.5) if name == "picture" else y)


def deviations(kit, name, x_0, y):
    """The largest differences of forward law and posterior from the paper's, over five times."""
    process, chain, layers = kit.build(name), kit.chains[name](x_0, y), Process(SCALE)
    forward, posterior = 0.0, 0.0
    for t in kit.times:
        sigma = torch.tensor(chain.sigmas[t], dtype=torch.float64)
        a, b, c = process.law(sigma)
        mean, std = a * x_0 + b * y, math.sqrt(chain.variances[t])
        forward = max(forward, float((mean - chain.means[t]).abs().max()), abs(float(c) - std))
        if t > 0:
            found = one_step(kit, process, chain.sigmas[t], chain.sigmas[t - 1], layers, x_0, y)
            expected = chain.posterior(t, chain.means[t] + std)
            gap = abs(found[1] - math.sqrt(expected[1]))
            posterior = max(posterior, float((found[0] - expected[0]).abs().max()), gap)
    return forward, posterior


def one_step(kit, process, sigma, following, layers, x_0, y):
    """Mean and deviation of x_(t-1) from x_t = mean + deviation, by the sampler ``posterior`` in the layer."""
    clean = layers.layer(x_0, y)

    def stepped(noise):
        seen = []

        def denoise(x, _sigma):
            seen.append(x)
            return clean

        levels = torch.tensor([sigma / SCALE, following / SCALE, 0], dtype=torch.float64)
        start = clean + levels[0] * torch.ones_like(clean)
        kit.sampler("posterior", process, SCALE)(denoise, start, levels, lambda _i: noise * torch.ones_like(clean))
        a, b, _ = process.law(torch.tensor(following, dtype=torch.float64))
        return a * (y + SCALE * seen[1]) + b * y

    mean = stepped(0.0)
    return mean, float((stepped(1.0) - mean).mean())


def test_these_are_all(kit):
    assert sorted(e.component.name for e in kit.registry.entries("process")) == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_law_and_posterior_are_the_papers(kit, pictures, name):
    forward, posterior = deviations(kit, name, *pictures(name))
    assert forward < 1e-6
    assert posterior < 1e-6


def test_table(kit, pictures):
    """Prints the deviations with -s; docs/method.md has them."""
    print("\n| process | forward law | posterior |\n|---|---|---|")  # noqa: T201 (printing is the purpose)
    for name in NAMES:
        forward, posterior = deviations(kit, name, *pictures(name))
        print(f"| `{name}` | {forward:.1e} | {posterior:.1e} |")  # noqa: T201 (printing is the purpose)
        assert max(forward, posterior) < 1e-12


@pytest.mark.parametrize("name", NAMES[1:])
def test_the_network_is_given_the_papers_variable(kit, pictures, name):
    """Its inverse, written in the paper's units, gives x_t = a x_0 + b y + c n."""
    x_0, y = pictures(name)
    process, chain = kit.build(name), kit.chains[name](x_0, y)
    for t in kit.times:
        noise, sigma = kit.random(1, 3, 4, 4, seed=2), chain.sigmas[t]
        x = (x_0 - y) / SCALE + sigma / SCALE * noise
        given = process.enter(x, torch.tensor([sigma / SCALE], dtype=torch.float64), y, SCALE)
        expected = chain.means[t] + math.sqrt(chain.variances[t]) * noise
        torch.testing.assert_close(kit.x_t_of(name, given, sigma, y), expected, rtol=0, atol=1e-9)


def test_the_texture_is_given_as_before(kit):
    """c_in x, to the bit: stored priors and new ones are the same."""
    x, sigma = torch.randn(2, 3, 4, 4, generator=torch.Generator().manual_seed(0)), torch.tensor([0.3, 17.0])
    c_in = (1 / (sigma**2 + 1).sqrt()).view(-1, 1, 1, 1)
    assert torch.equal(kit.build("texture").enter(x, sigma, torch.zeros_like(x), 0.03), c_in * x)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("sigma", [0.01, 0.3, 3.0, 60.0])
def test_the_network_is_given_about_unit_variance(kit, name, sigma):
    """Of layers of unit deviation, on a base of the deviation that pictures have."""
    process, noise = kit.build(name), torch.Generator().manual_seed(0)
    scale = 0.27 if name == "picture" else SCALE
    base = torch.full((1, 3, 64, 64), 0.5) + 0.25 * torch.randn(1, 3, 64, 64, generator=noise)
    x = torch.randn(base.shape, generator=noise) * math.sqrt(1 + sigma**2)
    assert 0.4 < float(process.enter(x, torch.tensor([sigma]), base, scale).std()) < 1.6


@pytest.mark.parametrize("name", NAMES)
def test_a_level_of_float32_keeps_its_law(kit, name):
    """Small and large levels, in float32 beside float64: no cancellation."""
    process, sigma = kit.build(name), torch.logspace(-4, 2.5, 50, dtype=torch.float64)
    for low, high in zip(process.law(sigma.float()), process.law(sigma), strict=True):
        torch.testing.assert_close(low.double(), high, rtol=2e-6, atol=2e-7)
