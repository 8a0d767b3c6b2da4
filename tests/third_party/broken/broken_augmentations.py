"""Augmentations: ones that are right, and what goes wrong with them."""

import torch

from texprior.flow.augment import is_picture
from texprior.plugin import Augmentation, hookimpl

CAUGHT_BY = {
    "right": [],
    "right_mirror": [],
    "right_light": [],
    "right_colours": [],
    "right_cut": [],
    "undeclared_turn": ["augmentation.directions"],
    "undeclared_mirror": ["augmentation.directions"],
    "each_alone": ["augmentation.together"],
    "too_bright": ["augmentation.pictures"],
    "forgets_names": ["augmentation.pictures", "augmentation.together"],
    "crops": ["any.space-works"],
    "in_place": ["any.inputs"],
    "own_numbers": ["any.global-rng"],
    "cuts_what_was_used": ["augmentation.derived"],
    "cuts_the_estimate": ["augmentation.derived"],
    "light_of_the_target": ["augmentation.derived"],
    "light_of_the_clean": ["augmentation.derived"],
    "light_of_the_degraded": ["augmentation.derived"],
    "colours_of_maps": ["augmentation.maps"],
    "light_of_maps": ["augmentation.maps"],
    "maps_stay": ["augmentation.maps"],
    "tokens_stay": ["augmentation.maps"],
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

    def lit(self, name):
        return is_picture(name)

    def __call__(self, patch, rng):
        gain = 0.5 + torch.rand((), generator=rng) / 2
        return {name: picture * gain if self.lit(name) else picture for name, picture in patch.items()}


class Colours(Turn):
    """The same order of the channels for all pictures."""

    def __call__(self, patch, rng):
        order = torch.randperm(3, generator=rng)
        return {name: picture[order] if is_picture(name) else picture for name, picture in patch.items()}


class Cut(Turn):
    """A rectangle of the degraded picture becomes clean, as in CutBlur."""

    onto = "degraded"

    def cuts(self, patch):
        return self.onto in patch and "estimate" not in patch

    def __call__(self, patch, rng):
        if not self.cuts(patch):
            return patch
        top, left = torch.randint(16, (2,), generator=rng).tolist()
        mixed = patch[self.onto].clone()
        mixed[:, top : top + 16, left : left + 16] = patch["clean"][:, top : top + 16, left : left + 16]
        return {**patch, self.onto: mixed}


class EachAlone(Turn):
    def __call__(self, patch, rng):
        return {name: Turn.__call__(self, {name: picture}, rng)[name] for name, picture in patch.items()}


class TooBright(Light):
    def __call__(self, patch, rng):
        lit = super().__call__(patch, rng)
        return {name: 2 * picture if self.lit(name) else picture for name, picture in lit.items()}


class ForgetsNames(Turn):
    def __call__(self, patch, rng):
        return super().__call__({n: picture for n, picture in patch.items() if n in ("clean", "degraded")}, rng)


class Crops(Turn):
    def __call__(self, patch, rng):
        return {name: picture[:, 1:, 1:] for name, picture in patch.items()}


class InPlace(Light):
    def __call__(self, patch, rng):
        gain = 0.5 + torch.rand((), generator=rng) / 2
        return {name: picture.mul_(gain) if is_picture(name) else picture for name, picture in patch.items()}


class OwnNumbers(Light):
    def __call__(self, patch, rng):
        gain = 0.5 + torch.rand(()) / 2
        return {name: picture * gain if is_picture(name) else picture for name, picture in patch.items()}


class CutsWhatWasUsed(Cut):
    """The estimate was made from the whole degraded picture."""

    def cuts(self, patch):
        return self.onto in patch


class CutsTheEstimate(CutsWhatWasUsed):
    onto = "estimate"


class LightOfTheTarget(Light):
    def lit(self, name):
        return name in ("picture", "clean")


class LightOfTheClean(Light):
    """Wrong for the predictor alone."""

    def __call__(self, patch, rng):
        return patch if "estimate" in patch else super().__call__(patch, rng)

    def lit(self, name):
        return name == "clean"


class LightOfTheDegraded(Light):
    def lit(self, name):
        return name == "degraded"


class ColoursOfMaps(Turn):
    def __call__(self, patch, rng):
        order = torch.randperm(3, generator=rng)
        return {name: picture[order] for name, picture in patch.items()}


class LightOfMaps(Light):
    def lit(self, name):
        return True


class MapsStay(Mirror):
    def __call__(self, patch, rng):
        mirrored = super().__call__(patch, rng)
        return {name: mirrored[name] if is_picture(name) else picture for name, picture in patch.items()}


class TokensStay(Mirror):
    def __call__(self, patch, rng):
        return {**super().__call__(patch, rng), **{name: patch[name] for name in patch.keys() & {"code"}}}


@hookimpl
def texprior_augmentations():
    classes = (
        *(Turn, Mirror, Light, Colours, Cut, Turn, Mirror, EachAlone, TooBright, ForgetsNames, Crops, InPlace),
        *(OwnNumbers, CutsWhatWasUsed, CutsTheEstimate, LightOfTheTarget, LightOfTheClean, LightOfTheDegraded),
        *(ColoursOfMaps, LightOfMaps, MapsStay, TokensStay),
    )
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
