"""Decays of the learning rate: two that are right, and what goes wrong with them."""

import math

from texprior.plugin import LrDecay, hookimpl

CAUGHT_BY = {
    "right": [],
    "constant": [],
    "half": ["lr_decay.start"],
    "below_zero": ["lr_decay.range"],
    "counts": ["lr_decay.function"],
    "says_constant": ["lr_decay.open-ended"],
    "keeps_it_secret": ["lr_decay.open-ended"],
    "not_at_the_end": ["any.space-works"],
}


class Right:
    def __init__(self, options):
        pass

    def __call__(self, share):
        return 1 - share


class Constant(Right):
    def __call__(self, share):
        return 1.0


class Half(Right):
    def __call__(self, share):
        return 0.5 * math.cos(share)


class BelowZero(Right):
    def __call__(self, share):
        return math.cos(math.pi * share)


class Counts(Right):
    """A step of its own at every call."""

    def __init__(self, options):
        self.calls = 0

    def __call__(self, share):
        self.calls += 1
        return 0.99 ** (self.calls - 1)


class NotAtTheEnd(Right):
    def __call__(self, share):
        return 1 + math.log(1 - share)


@hookimpl
def texprior_lr_decays():
    made = {
        "right": Right,
        "constant": Constant,
        "half": Half,
        "below_zero": BelowZero,
        "counts": Counts,
        "says_constant": Right,
        "keeps_it_secret": Constant,
        "not_at_the_end": NotAtTheEnd,
    }
    constant = ("constant", "says_constant")
    return [
        LrDecay(name, f"{__name__}:{cls.__name__}", summary="A decay.", api=2, open_ended=name in constant)
        for name, cls in made.items()
    ]
