"""Distributions of noise levels: ones that are right, and what goes wrong with them."""

import torch

from texprior.plugin import NoiseLevels, hookimpl

CAUGHT_BY = {
    "right": [],
    "two_levels": [],
    "of_its_end": [],
    "even_in_time": [],
    "falls": ["noise_levels.increases"],
    "bounces": ["noise_levels.increases"],
    "not_positive": ["noise_levels.positive"],
    "overflows": ["noise_levels.positive"],
    "wrong_sign": ["noise_levels.mean"],
    "of_the_batch": ["any.batch"],
    "own_numbers": ["any.global-rng", "any.batch", "noise_levels.increases", "noise_levels.mean"],
    "forgets_scale": ["noise_levels.scale"],
    "beyond_the_end": ["noise_levels.largest"],
    "doubles": ["any.space-works"],
    "one_for_all": ["any.space-works"],
}


class Right:
    def __init__(self, options, mean, std):
        self.mean, self.std = mean, std

    def __call__(self, normal):
        return self.ln(normal).exp()

    def ln(self, normal):
        return self.mean + self.std * normal


class TwoLevels(Right):
    def ln(self, normal):
        return torch.where(normal < 0, self.mean - 1, self.mean + 1).to(normal)


class OfItsEnd(Right):
    """Noise as in EDM, up to the end of the process."""

    def __init__(self, options, mean, std, process, scale):
        super().__init__(options, mean, std)
        self.process, self.scale = process, scale

    def __call__(self, normal):
        return super().__call__(normal).clamp(max=self.process.largest / self.scale)


class EvenInTime(OfItsEnd):
    """a of the process is uniform, from 1 at no noise to its end; found by bisection of sigma."""

    def __call__(self, normal):
        low, high = (torch.full_like(normal.double(), end) for end in (0.0, self.process.largest))
        last = self.process.law(high).a
        wanted = 1 - (1 - last) * torch.special.ndtr(normal.double()).clamp(1e-6, 1)
        for _ in range(80):
            middle = (low + high) / 2
            less = self.process.law(middle).a > wanted
            low, high = torch.where(less, middle, low), torch.where(less, high, middle)
        return self.in_layer(high).to(normal)

    def in_layer(self, sigma):
        return sigma / self.scale


class ForgetsScale(EvenInTime):
    def in_layer(self, sigma):
        return sigma


class BeyondTheEnd(OfItsEnd):
    def __call__(self, normal):
        return Right.__call__(self, normal)


class Falls(Right):
    def ln(self, normal):
        return self.mean - self.std * normal


class Bounces(Right):
    """Folds the upper tail back, as somebody may who wants to bound the levels."""

    def ln(self, normal):
        return self.mean + self.std * torch.where(normal > 3, 6 - normal, normal)


class NotPositive(Right):
    def __call__(self, normal):
        return self.std * normal + 3 + self.mean


class Overflows(Right):
    def ln(self, normal):
        return self.mean + normal**3


class WrongSign(Right):
    def ln(self, normal):
        return self.std * normal - self.mean


class OfTheBatch(Right):
    def ln(self, normal):
        return self.mean + self.std * normal / normal.std()


class OwnNumbers(Right):
    def ln(self, normal):
        return self.mean + self.std * torch.randn_like(normal)


class Doubles(Right):
    def ln(self, normal):
        return super().ln(normal.double())


class OneForAll(Right):
    def ln(self, normal):
        return super().ln(normal.flatten()[:1])


@hookimpl
def texprior_noise_levels():
    classes = (
        *(Right, TwoLevels, OfItsEnd, EvenInTime, Falls, Bounces, NotPositive, Overflows),
        *(WrongSign, OfTheBatch, OwnNumbers, ForgetsScale, BeyondTheEnd, Doubles, OneForAll),
    )
    return [
        NoiseLevels(name, f"{__name__}:{c.__name__}", summary="Draws.", api=2, of_process=issubclass(c, OfItsEnd))
        for name, c in zip(CAUGHT_BY, classes, strict=True)
    ]
