"""Decompositions: one that is right, and what goes wrong with them."""

from typing import Annotated

from pydantic import Field
from torch.nn import functional

from texprior.flow.decompose import Layers, StructureFilter
from texprior.plugin import Decomposition, Options, Tune, hookimpl

CAUGHT_BY = {
    "right": [],
    "clipped": ["decomposition.sum"],
    "vignette": ["decomposition.constant"],
    "backwards": ["decomposition.strength"],
    "global_declared_local": ["decomposition.local"],
    "batch_mean": ["any.batch"],
    "three_channels": ["decomposition.shape"],
    "float32_only": ["any.dtype"],
    "plain_tuple": ["any.space-works"],
    "not_padded": ["any.space-works"],
    "not_finite": ["any.space-works"],
}


class BoxOptions(Options):
    radius: Annotated[int, Field(ge=1, le=8), Tune()] = 2


class Box(StructureFilter):
    """The mean over a window, of the pixels inside the picture."""

    def __init__(self, options):
        self.radius = options.radius

    def structure(self, image_BCHW):
        side = 2 * self.radius + 1
        return functional.avg_pool2d(image_BCHW, side, 1, self.radius, count_include_pad=False)


class Clipped(Box):
    def __call__(self, image_BCHW):
        structure, texture = super().__call__(image_BCHW)
        return Layers(structure, texture.clamp(-0.05, 0.05))


class Vignette(Box):
    def structure(self, image_BCHW):
        return functional.avg_pool2d(image_BCHW, 2 * self.radius + 1, 1, self.radius)


class Backwards(Box):
    def __init__(self, options):
        self.radius = 9 - options.radius


class GlobalTaggedLocal(Box):
    def structure(self, image_BCHW):
        return super().structure(image_BCHW).lerp(image_BCHW.mean((-2, -1), keepdim=True), 0.1)


class BatchMean(Box):
    def structure(self, image_BCHW):
        return super().structure(image_BCHW).lerp(image_BCHW.mean(0, keepdim=True), 0.1)


class ThreeChannels(Box):
    def structure(self, image_BCHW):
        return super().structure(image_BCHW)[:, :3]


class Float32Only(Box):
    def __call__(self, image_BCHW):
        return super().__call__(image_BCHW.float())


class PlainTuple(Box):
    def __call__(self, image_BCHW):
        return tuple(super().__call__(image_BCHW))


class NotPadded(Box):
    def __call__(self, image_BCHW):
        structure = functional.avg_pool2d(image_BCHW, 2 * self.radius + 1, 1)
        return Layers(structure, image_BCHW[..., : structure.shape[-2], : structure.shape[-1]] - structure)


class NotFinite(Box):
    def structure(self, image_BCHW):
        return super().structure(image_BCHW) + float("nan")


@hookimpl
def texprior_decompositions():
    classes = (Box, Clipped, Vignette, Backwards, GlobalTaggedLocal, BatchMean, ThreeChannels, Float32Only, PlainTuple)
    classes += (NotPadded, NotFinite)
    local = ("right", "global_declared_local")
    return [
        Decomposition(n, f"{__name__}:{c.__name__}", BoxOptions, "Box.", api=2, strength="radius", local=n in local)
        for n, c in zip(CAUGHT_BY, classes, strict=True)
    ]
