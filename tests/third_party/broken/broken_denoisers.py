"""Denoisers: three that are right, and what goes wrong with them."""

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from texprior.flow.condition import split_level
from texprior.flow.prior import Block, DenoiserNet, unguided
from texprior.plugin import Denoiser, Options, hookimpl

CAUGHT_BY = {
    "right": [],
    "never_visited": ["denoiser.blocks", "denoiser.guide", "denoiser.gradients"],
    "visited_twice": ["denoiser.blocks"],
    "deaf": ["denoiser.guide"],
    "not_zero": ["denoiser.zero", "denoiser.fresh"],
    "blind_to_code": ["denoiser.inputs-matter", "denoiser.gradients"],
    "multiples_of_4": ["denoiser.sizes"],
    "misdeclared_channels": ["denoiser.block-shape"],
    "needs_code": ["denoiser.no-code"],
    "whole_picture_norm": ["denoiser.local"],
    "silent_skip": ["denoiser.skips"],
    "no_such_layer": ["denoiser.names"],
    "not_fresh": ["denoiser.fresh"],
    "with_dropout": [],
    "with_a_tied_weight": [],
    "own_dropout": ["denoiser.train-mode"],
    "counts_its_calls": ["denoiser.train-mode"],
    "forgets_its_state": ["denoiser.state"],
    "batch_norm": ["denoiser.microbatch"],
    "not_padded": ["any.space-works"],
    "windows_off_the_grid": ["denoiser.grid"],
    "told": [],
    "deaf_to_level": ["denoiser.condition-level"],
    "mean_level": ["denoiser.condition-level"],
    "needs_level": ["denoiser.condition-level"],
}
WIDTH = 8


class Right(DenoiserNet):
    """Two residual blocks at half the resolution."""

    def __init__(self, options, code_width, attention):
        super().__init__()
        self.given = options, code_width, attention
        self.code_width = code_width
        self.enter, self.leave = nn.Conv2d(6, WIDTH, 2, 2), nn.ConvTranspose2d(WIDTH, 3, 2, 2)
        self.noise = nn.Linear(1, WIDTH)
        self.code = nn.Linear(code_width, WIDTH) if code_width else None
        self.first, self.second = nn.Conv2d(WIDTH, WIDTH, 3, padding=1), nn.Conv2d(WIDTH, WIDTH, 3, padding=1)
        nn.init.zeros_(self.leave.weight)
        nn.init.zeros_(self.leave.bias)

    def blocks(self):
        return {"first": Block(WIDTH, 2, "encoder", skip=True), "second": Block(WIDTH, 2, "decoder")}

    def fresh(self):
        return type(self)(*self.given)

    def forward(self, x_BCHW, noise_B, condition_BCHW, code_BNC, guide=unguided, skip=unguided):
        height, width = x_BCHW.shape[-2:]
        h = self.enter(self.pad(torch.cat([x_BCHW, condition_BCHW], 1)))
        h = h + self.embed(noise_B, code_BNC)[..., None, None]
        h = guide("first", h + functional.silu(self.first(h)))
        h = self.second_block(self.normalised(h) + self.kept(h, skip), guide)
        return self.leave(h)[..., :height, :width]

    def pad(self, x_BCHW):
        height, width = x_BCHW.shape[-2:]
        return functional.pad(x_BCHW, (0, width % 2, 0, height % 2), mode="replicate")

    def embed(self, noise_B, code_BNC):
        noise = self.noise(noise_B[:, None])
        return noise if self.code is None else noise + self.code(code_BNC.mean(1))

    def kept(self, h_BCHW, skip):
        return skip("first", h_BCHW)

    def normalised(self, h_BCHW):
        return h_BCHW

    def second_block(self, h_BCHW, guide):
        return guide("second", h_BCHW + functional.silu(self.second(h_BCHW)))


class NeverVisited(Right):
    def second_block(self, h_BCHW, guide):
        return h_BCHW


class VisitedTwice(Right):
    def second_block(self, h_BCHW, guide):
        return super().second_block(super().second_block(h_BCHW, guide), guide)


class Deaf(Right):
    def second_block(self, h_BCHW, guide):
        h = h_BCHW + functional.silu(self.second(h_BCHW))
        guide("second", h)
        return h


class NotZero(Right):
    def __init__(self, *arguments, **context):
        super().__init__(*arguments, **context)
        nn.init.normal_(self.leave.weight, std=0.01)


class BlindToCode(Right):
    def embed(self, noise_B, code_BNC):
        return self.noise(noise_B[:, None])


class MultiplesOf4(Right):
    def pad(self, x_BCHW):
        return functional.pixel_shuffle(functional.pixel_unshuffle(x_BCHW, 4), 4)


class MisdeclaredChannels(Right):
    def blocks(self):
        return {**super().blocks(), "second": Block(2 * WIDTH, 2, "decoder")}


class NeedsCode(Right):
    def embed(self, noise_B, code_BNC):
        return self.noise(noise_B[:, None]) + self.code(code_BNC.mean(1))


class WholePictureNorm(Right):
    def normalised(self, h_BCHW):
        return functional.group_norm(h_BCHW, 1)


class SilentSkip(Right):
    def kept(self, h_BCHW, skip):
        return h_BCHW


class NoSuchLayer(Right):
    def blocks(self):
        return {**super().blocks(), "second": Block(WIDTH, 2, "decoder", closing="conv2")}


class NotFresh(Right):
    def fresh(self):
        return self


class WithDropout(Right):
    def normalised(self, h_BCHW):
        return functional.dropout(h_BCHW, 0.3, self.training)


class WithATiedWeight(Right):
    def __init__(self, *arguments, **context):
        super().__init__(*arguments, **context)
        self.second.weight = self.first.weight


class OwnDropout(Right):
    """Draws its masks with NumPy, whose generator no step of a training seeds."""

    def normalised(self, h_BCHW):
        return h_BCHW * torch.from_numpy(np.random.binomial(1, 0.7, h_BCHW.shape)) if self.training else h_BCHW


class CountsItsCalls(Right):
    """Warms up: the first calls in training mode count for less."""

    calls = 0

    def normalised(self, h_BCHW):
        self.calls += self.training
        return h_BCHW * (1 - 0.5**self.calls) if self.training else h_BCHW


class ForgetsItsState(Right):
    def __init__(self, *arguments, **context):
        super().__init__(*arguments, **context)
        self.shift = torch.randn(1, WIDTH, 1, 1)

    def normalised(self, h_BCHW):
        return h_BCHW + self.shift


class BatchNorm(Right):
    def __init__(self, *arguments, **context):
        super().__init__(*arguments, **context)
        self.norm = nn.BatchNorm2d(WIDTH)

    def normalised(self, h_BCHW):
        return self.norm(h_BCHW)


class NotPadded(Right):
    def normalised(self, h_BCHW):
        return functional.avg_pool2d(h_BCHW, 3, 1)

    def kept(self, h_BCHW, skip):
        return functional.avg_pool2d(skip("first", h_BCHW), 3, 1)


class WindowsOffTheGrid(Right):
    """Subtracts the mean of windows of 5 positions, 10 px; its strides say that tiles may begin at every 2 px."""

    def normalised(self, h_BCHW):
        height, width = h_BCHW.shape[-2:]
        mean = functional.avg_pool2d(h_BCHW, 5, ceil_mode=True)
        return h_BCHW - mean.repeat_interleave(5, -2).repeat_interleave(5, -1)[..., :height, :width]


class Told(Right):
    """Is told the level of the noise on its condition."""

    def __init__(self, options, code_width, attention, condition_level=False):
        super().__init__(options, code_width, attention)
        self.given += (condition_level,)
        self.level = nn.Linear(1, WIDTH) if condition_level else None

    def forward(self, x_BCHW, noise_B, condition_BCHW, code_BNC, guide=unguided, skip=unguided):
        picture, self.heard = self.split(condition_BCHW)
        return super().forward(x_BCHW, noise_B, picture, code_BNC, guide, skip)

    def embed(self, noise_B, code_BNC):
        e, heard = super().embed(noise_B, code_BNC), self.heard
        del self.heard
        return e if self.level is None else e + self.level(heard[:, None])

    def split(self, condition_BCHW):
        return split_level(condition_BCHW)


class DeafToLevel(Told):
    def split(self, condition_BCHW):
        picture, level = split_level(condition_BCHW)
        return picture, 0 * level


class MeanLevel(Told):
    def split(self, condition_BCHW):
        picture, level = split_level(condition_BCHW)
        return picture, level.mean().expand(len(level))


class NeedsLevel(Told):
    def split(self, condition_BCHW):
        picture, level = split_level(condition_BCHW)
        return picture, level if condition_BCHW.shape[1] == 4 else level + 1


@hookimpl
def texprior_denoisers():
    classes = (
        *(Right, NeverVisited, VisitedTwice, Deaf, NotZero),
        *(BlindToCode, MultiplesOf4, MisdeclaredChannels, NeedsCode, WholePictureNorm),
        *(SilentSkip, NoSuchLayer, NotFresh, WithDropout, WithATiedWeight, OwnDropout, CountsItsCalls),
        *(ForgetsItsState, BatchNorm, NotPadded, WindowsOffTheGrid, Told, DeafToLevel, MeanLevel, NeedsLevel),
    )

    def record(name, c):
        told = issubclass(c, Told)
        return Denoiser(
            name, f"{__name__}:{c.__name__}", Options, "Two blocks.", api=2, local=True, condition_level=told
        )

    return [record(name, c) for name, c in zip(CAUGHT_BY, classes, strict=True)]
