"""Samplers: one that is right, and what goes wrong with them."""

from itertools import pairwise
from math import sqrt

import torch

from texprior.plugin import Options, Sampler, hookimpl

CAUGHT_BY = {
    "right": [],
    "ancestral": [],
    "wrong_order": ["sampler.order"],
    "modest": ["sampler.order"],
    "miscounts": ["sampler.calls"],
    "too_much_noise": ["sampler.gaussian", "sampler.order"],
    "shifted": ["sampler.gaussian"],
    "own_noise": ["any.global-rng", "any.batch", "sampler.gaussian", "sampler.order"],
    "same_noise_twice": ["sampler.noise", "sampler.gaussian", "sampler.order"],
    "calls_at_zero": ["sampler.sigma", "sampler.calls"],
    "batch_sigma": ["sampler.sigma"],
    "first_picture_alone": ["any.space-works"],
    "ignores_the_process": ["sampler.posterior"],
    "levels_of_the_layer": ["sampler.posterior"],
}


class Euler:
    """x' = D + (s' / s) (x - D)."""

    def __init__(self, options):
        self.options = options

    def calls(self, steps):
        return steps

    def __call__(self, denoise, x_BCHW, sigmas, noise):
        for i, (sigma, following) in enumerate(pairwise(sigmas.tolist())):
            x_BCHW = self.step(denoise, x_BCHW, sigmas[i], sigma, following, lambda i=i, x=x_BCHW: noise(i).to(x))
        return x_BCHW

    def step(self, denoise, x, level, sigma, following, noise):
        clean = denoise(x, level)
        return clean + following / sigma * (x - clean)


class Ancestral(Euler):
    def step(self, denoise, x, level, sigma, following, noise):
        clean = denoise(x, level)
        up = following * sqrt(sigma**2 - following**2) / sigma
        return clean + self.kept(following, up) / sigma * (x - clean) + (up * noise() if up else 0)

    def kept(self, following, up):
        return sqrt(following**2 - up**2)


class Heun(Euler):
    def calls(self, steps):
        return 2 * steps - 1

    def step(self, denoise, x, level, sigma, following, noise):
        first = (x - denoise(x, level)) / sigma
        ahead = x + (following - sigma) * first
        if not following:
            return ahead
        second = (ahead - denoise(ahead, torch.tensor(following, dtype=level.dtype))) / following
        return x + (following - sigma) * (first + second) / 2


class Miscounts(Heun):
    def calls(self, steps):
        return 2 * steps


class TooMuchNoise(Ancestral):
    def kept(self, following, up):
        return following


class Shifted(Euler):
    def __call__(self, denoise, x_BCHW, sigmas, noise):
        return super().__call__(denoise, x_BCHW, sigmas, noise) + 0.01


class OwnNoise(Ancestral):
    def step(self, denoise, x, level, sigma, following, noise):
        return super().step(denoise, x, level, sigma, following, lambda: torch.randn_like(x) + 0 * noise())


class SameNoiseTwice(Ancestral):
    """Half of the noise before the call, half after it, of one index: they are not independent."""

    def step(self, denoise, x, level, sigma, following, noise):
        half = lambda: (noise() + noise()) / sqrt(2)  # noqa: E731
        return super().step(denoise, x, level, sigma, following, half)


class CallsAtZero(Euler):
    def calls(self, steps):
        return steps

    def step(self, denoise, x, level, sigma, following, noise):
        out = super().step(denoise, x, level, sigma, following, noise)
        return out if following else denoise(out, torch.tensor(0.0, dtype=level.dtype))


class BatchSigma(Euler):
    def step(self, denoise, x, level, sigma, following, noise):
        return super().step(denoise, x, level.expand(len(x), 1, 1, 1), sigma, following, noise)


class FirstPictureAlone(Euler):
    def __call__(self, denoise, x_BCHW, sigmas, noise):
        return super().__call__(denoise, x_BCHW, sigmas, noise)[:1]


class IgnoresTheProcess(Ancestral):
    """DDPM's chain, whatever the process has."""

    def __init__(self, options, process, scale):
        super().__init__(options)
        self.process = process

    def share(self, sigma, following):
        return (following / sigma) ** 2

    def step(self, denoise, x, level, sigma, following, noise):
        clean, rho = denoise(x, level), self.share(sigma, following) if following else 0
        kept = clean + sqrt(rho) * following / sigma * (x - clean)
        return kept + (following * sqrt(1 - rho) * noise() if following else 0)


class LevelsOfTheLayer(IgnoresTheProcess):
    """Forgets that the process counts levels in units of the picture."""

    def share(self, sigma, following):
        return self.process.kept(sigma, following)


@hookimpl
def texprior_samplers():
    classes = (
        *(Euler, Ancestral, Euler, Heun, Miscounts, TooMuchNoise),
        *(Shifted, OwnNoise, SameNoiseTwice, CallsAtZero, BatchSigma, FirstPictureAlone),
        *(IgnoresTheProcess, LevelsOfTheLayer),
    )
    order = {"wrong_order": 2, "miscounts": 2}
    stochastic = {"ancestral", "too_much_noise", "own_noise", "same_noise_twice"}
    posterior = {"ignores_the_process", "levels_of_the_layer"}
    return [
        Sampler(
            name,
            f"{__name__}:{c.__name__}",
            Options,
            "Solves.",
            api=2,
            stochastic=name in stochastic | posterior,
            deterministic=name not in stochastic | posterior,
            posterior=name in posterior,
            order=order.get(name, 1),
        )
        for name, c in zip(CAUGHT_BY, classes, strict=True)
    ]
