"""Processes: three that are right, and what goes wrong with them."""

import torch

from texprior.flow.process import DiffusionProcess, Law
from texprior.plugin import Options, Process, hookimpl

CAUGHT_BY = {
    "right": [],
    "towards": [],
    "given_x_t": [],
    "without_posterior": ["process.kept"],
    "says_nothing": ["process.kept"],
    "keeps_too_much": ["process.kept"],
    "forgets_its_base": ["process.base"],
    "base_of_its_own": ["process.base"],
    "mean_of_the_picture": ["process.pointwise"],
    "mean_of_the_batch": ["process.pointwise", "any.batch"],
    "half_the_noise": ["process.law"],
    "loses_brightness": ["process.law"],
    "grows": ["process.law"],
    "clipped": ["process.input"],
    "blind_at_the_end": ["process.input", "process.variance"],
    "raw": ["process.variance"],
    "forgets_scale_of_x": ["process.scale"],
    "forgets_scale_of_sigma": ["process.variance"],
    "forgets_both_scales": ["process.scale"],
    "forgets_scale_beside_grey": ["process.scale"],
    "ends_at_none": ["process.largest"],
    "one_channel": ["any.space-works"],
    "no_contract": ["any.contract"],
}


class Right(DiffusionProcess):
    """Noise alone."""

    def __init__(self, options):
        self.options = options

    def base_one(self, picture_BCHW, structure_BCHW):
        return structure_BCHW

    def law(self, sigma):
        return Law(torch.ones_like(sigma), torch.zeros_like(sigma), sigma)


class Towards(Right):
    """A shift to the degraded picture, with its posterior."""

    largest = 30.0

    def base_two(self, degraded_BCHW, estimate_BCHW):
        return degraded_BCHW

    def law(self, sigma):
        a = 1 / (1 + sigma)
        return Law(a, 1 - a, sigma * a)

    def kept(self, sigma, following):
        return (following / sigma) ** 2


class SaysNothing(Towards):
    def kept(self, sigma, following):
        return None


class KeepsTooMuch(Towards):
    def kept(self, sigma, following):
        return (sigma / following) ** 2


class MeanOfThePicture(Right):
    def base_one(self, picture_BCHW, structure_BCHW):
        return structure_BCHW.mean(dim=(2, 3), keepdim=True).expand_as(picture_BCHW).clone()


class MeanOfTheBatch(Right):
    def base_one(self, picture_BCHW, structure_BCHW):
        return structure_BCHW.mean().expand_as(picture_BCHW).clone()


class HalfTheNoise(Right):
    def law(self, sigma):
        return Law(torch.ones_like(sigma), torch.zeros_like(sigma), sigma / 2)


class LosesBrightness(Right):
    def law(self, sigma):
        a = 1 / (1 + sigma)
        return Law(a, torch.zeros_like(a), sigma * a)


class Grows(Right):
    def law(self, sigma):
        a = sigma / (1 + sigma)
        return Law(a, 1 - a, sigma * a)


class Clipped(Right):
    def enter(self, x_BCHW, sigma_B, base_BCHW, scale):
        return super().enter(x_BCHW, sigma_B, base_BCHW, scale).clamp(-2, 2)


class BlindAtTheEnd(Right):
    def enter(self, x_BCHW, sigma_B, base_BCHW, scale):
        return super().enter(x_BCHW, sigma_B, base_BCHW, scale) * (sigma_B * scale < 5).view(-1, 1, 1, 1)


class Raw(Right):
    def enter(self, x_BCHW, sigma_B, base_BCHW, scale):
        return x_BCHW.clone()


class GivenXt(Towards):
    """x_t itself, in [-1, 1], divided by its deviation."""

    def x_t(self, x_BCHW, sigma_B, base_BCHW, scale):
        a = 1 / (1 + scale * sigma_B.view(-1, 1, 1, 1))
        return a, base_BCHW + a * scale * x_BCHW

    def enter(self, x_BCHW, sigma_B, base_BCHW, scale):
        a, x_t = self.x_t(x_BCHW, sigma_B, base_BCHW, scale)
        return (2 * x_t - 1) / (1 + 16 * (1 - a) ** 2).sqrt()


class ForgetsScaleOfX(GivenXt):
    def x_t(self, x_BCHW, sigma_B, base_BCHW, scale):
        a = 1 / (1 + scale * sigma_B.view(-1, 1, 1, 1))
        return a, base_BCHW + a * x_BCHW


class ForgetsScaleOfSigma(GivenXt):
    def x_t(self, x_BCHW, sigma_B, base_BCHW, scale):
        a = 1 / (1 + sigma_B.view(-1, 1, 1, 1))
        return a, base_BCHW + a * scale * x_BCHW


class ForgetsBothScales(GivenXt):
    def x_t(self, x_BCHW, sigma_B, base_BCHW, scale):
        return super().x_t(x_BCHW, sigma_B, base_BCHW, 1.0)


class ForgetsScaleBesideGrey(Right):
    """As SR3 has it, 2 a s x, but without s; the layer is large, so that its deviation stays near 1."""

    def base_one(self, picture_BCHW, structure_BCHW):
        return torch.full_like(picture_BCHW, 0.5)

    def enter(self, x_BCHW, sigma_B, base_BCHW, scale):
        return 2 * x_BCHW / (1 + 4 * (scale * sigma_B) ** 2).sqrt().view(-1, 1, 1, 1)


class EndsAtNone(Right):
    largest = 0.0


class OneChannel(Right):
    def base_one(self, picture_BCHW, structure_BCHW):
        return structure_BCHW[:, :1]


class NoContract:
    largest = 1.0

    def __init__(self, options):
        pass

    def base_one(self, picture_BCHW, structure_BCHW):
        return structure_BCHW

    def base_two(self, degraded_BCHW, estimate_BCHW):
        return None

    def law(self, sigma):
        return Law(torch.ones_like(sigma), torch.zeros_like(sigma), sigma)

    def enter(self, x_BCHW, sigma_B, base_BCHW, scale):
        return x_BCHW / (1 + sigma_B**2).sqrt().view(-1, 1, 1, 1)

    def kept(self, sigma, following):
        return None


@hookimpl
def texprior_processes():
    classes = (
        *(Right, Towards, GivenXt, Towards, SaysNothing, KeepsTooMuch, Towards, Right, MeanOfThePicture),
        *(MeanOfTheBatch, HalfTheNoise, LosesBrightness, Grows, Clipped, BlindAtTheEnd, Raw, ForgetsScaleOfX),
        *(ForgetsScaleOfSigma, ForgetsBothScales, ForgetsScaleBesideGrey, EndsAtNone, OneChannel),
        *(NoContract,),
    )
    own_base = {"towards", "without_posterior", "says_nothing", "keeps_too_much", "base_of_its_own", "given_x_t"}
    own_base |= {"forgets_scale_of_x", "forgets_scale_of_sigma", "forgets_both_scales"}
    posterior = {"towards", "says_nothing", "keeps_too_much", "forgets_its_base", "given_x_t"}
    posterior |= {"forgets_scale_of_x", "forgets_scale_of_sigma", "forgets_both_scales"}
    return [
        Process(
            name,
            f"{__name__}:{c.__name__}",
            Options,
            "Diffuses.",
            api=2,
            own_base=name in own_base,
            posterior=name in posterior,
        )
        for name, c in zip(CAUGHT_BY, classes, strict=True)
    ]
