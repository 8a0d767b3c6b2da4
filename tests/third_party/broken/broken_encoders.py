"""Encoders: one that is right, and what goes wrong with them."""

from torch import nn
from torch.nn import functional

from texprior.flow.prior import SemanticEncoder
from texprior.plugin import Encoder, Options, hookimpl

CAUGHT_BY = {
    "right": [],
    "trains": ["encoder.frozen"],
    "drops_out": ["encoder.mode"],
    "one_token_for_8_px": ["any.space-works"],
    "misdeclared_width": ["any.space-works"],
    "learns_statistics": ["encoder.mode"],
    "fewer_tokens_of_small_pictures": ["encoder.tokens"],
    "with_a_map": [],
    "map_of_whole_cells": ["encoder.map"],
    "map_upside_down": ["encoder.map"],
    "three_tokens_of_a_map": ["encoder.map"],
    "promises_a_map": ["encoder.map"],
}


class Right(SemanticEncoder):
    """A strided convolution, averaged to 2 x 2 tokens."""

    def __init__(self, options):
        super().__init__()
        self.conv = nn.Conv2d(3, 6, 4, 4).requires_grad_(False)
        self.width, self.tokens = 6, 4

    def forward(self, image_BCHW):
        return functional.adaptive_avg_pool2d(self.conv(image_BCHW), 2).flatten(2).mT


class Trains(Right):
    def __init__(self, options):
        super().__init__(options)
        self.requires_grad_(True)


class DropsOut(Right):
    def forward(self, image_BCHW):
        return functional.dropout(super().forward(image_BCHW), 0.5, self.training)


class OneTokenFor8Px(Right):
    def forward(self, image_BCHW):
        return functional.avg_pool2d(self.conv(image_BCHW), 2).flatten(2).mT


class MisdeclaredWidth(Right):
    def __init__(self, options):
        super().__init__(options)
        self.width = 8


class LearnsStatistics(Right):
    def __init__(self, options):
        super().__init__(options)
        self.norm = nn.BatchNorm2d(3, affine=False)

    def forward(self, image_BCHW):
        return super().forward(self.norm(image_BCHW))


class FewerTokensOfSmallPictures(Right):
    def forward(self, image_BCHW):
        return super().forward(image_BCHW)[:, : 4 if image_BCHW.shape[-1] > 40 else 1]


class WithAMap(Right):
    """Its code and its map are averages of one convolution at stride 4."""

    map_stride = 4

    def map(self, image_BCHW):
        height, width = image_BCHW.shape[-2:]
        return self.conv(functional.pad(image_BCHW, (0, -width % 4, 0, -height % 4), mode="replicate"))


class MapOfWholeCells(WithAMap):
    def map(self, image_BCHW):
        return self.conv(image_BCHW)


class MapUpsideDown(WithAMap):
    def map(self, image_BCHW):
        return super().map(image_BCHW).flip(-2)


class ThreeTokensOfAMap(WithAMap):
    def __init__(self, options):
        super().__init__(options)
        self.tokens = 3

    def forward(self, image_BCHW):
        return super().forward(image_BCHW)[:, :3]


class PromisesAMap(Right):
    map_stride = 4


@hookimpl
def texprior_encoders():
    classes = (Right, Trains, DropsOut, OneTokenFor8Px, MisdeclaredWidth, LearnsStatistics)
    classes += (FewerTokensOfSmallPictures, WithAMap, MapOfWholeCells, MapUpsideDown, ThreeTokensOfAMap, PromisesAMap)
    return [
        Encoder(name, f"{__name__}:{c.__name__}", Options, "Four tokens.")
        for name, c in zip(CAUGHT_BY, classes, strict=True)
    ]
