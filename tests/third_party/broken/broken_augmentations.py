"""Augmentations: ones that are right, and what goes wrong with them."""

import torch

from texprior.plugin import Augmentation, hookimpl

CAUGHT_BY = {
    "right": [],
    "right_mirror": [],
    "right_light": [],
    "undeclared_turn": ["augmentation.directions"],
    "undeclared_mirror": ["augmentation.directions"],
    "each_alone": ["augmentation.together"],
    "too_bright": ["augmentation.pictures"],
    "forgets_names": ["augmentation.pictures", "augmentation.together"],
    "crops": ["any.space-works"],
    "in_place": ["any.inputs"],
    "own_numbers": ["any.global-rng"],
}


class Turn:
    def __init__(self, options):
        pass

    def __call__(self, patch, rng):
        turns = int(torch.randint(4, (), generator=rng))
        return {name: picture.rot90(turns, (-2, -1)) for name, picture in patch.items()}


class Mirror(Turn):
    def __call__(self, patch, rng):
        mirrored = torch.rand((), generator=rng) < 0.5
        return {name: picture.flip(-1) if mirrored else picture for name, picture in patch.items()}


class Light(Turn):
    """The same gain for all pictures."""

    def __call__(self, patch, rng):
        gain = 0.5 + torch.rand((), generator=rng) / 2
        return {name: picture * gain for name, picture in patch.items()}


class EachAlone(Turn):
    def __call__(self, patch, rng):
        return {name: Turn.__call__(self, {name: picture}, rng)[name] for name, picture in patch.items()}


class TooBright(Light):
    def __call__(self, patch, rng):
        return {name: 2 * picture for name, picture in super().__call__(patch, rng).items()}


class ForgetsNames(Turn):
    def __call__(self, patch, rng):
        return super().__call__({n: picture for n, picture in patch.items() if n in ("clean", "degraded")}, rng)


class Crops(Turn):
    def __call__(self, patch, rng):
        return {name: picture[:, 1:, 1:] for name, picture in patch.items()}


class InPlace(Light):
    def __call__(self, patch, rng):
        gain = 0.5 + torch.rand((), generator=rng) / 2
        return {name: picture.mul_(gain) for name, picture in patch.items()}


class OwnNumbers(Light):
    def __call__(self, patch, rng):
        gain = 0.5 + torch.rand(()) / 2
        return {name: picture * gain for name, picture in patch.items()}


@hookimpl
def texprior_augmentations():
    classes = Turn, Mirror, Light, Turn, Mirror, EachAlone, TooBright, ForgetsNames, Crops, InPlace, OwnNumbers
    directions = {
        "right_mirror": "mirrors",
        "right_light": "keeps",
        "undeclared_turn": "mirrors",
        "undeclared_mirror": "keeps",
    }
    return [
        Augmentation(
            name, f"{__name__}:{c.__name__}", summary="Changes.", api=2, directions=directions.get(name, "turns")
        )
        for name, c in zip(CAUGHT_BY, classes, strict=True)
    ]
