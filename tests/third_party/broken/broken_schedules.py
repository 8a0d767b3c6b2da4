"""Schedules: ones that are right, and what goes wrong with them."""

import math

import torch

from texprior.errors import ConfigError
from texprior.plugin import Schedule, hookimpl

CAUGHT_BY = {
    "right": [],
    "right_list": [],
    "right_course": [],
    "rises": ["schedule.levels", "schedule.ends"],
    "starts_twice": ["schedule.levels", "schedule.ends", "schedule.points"],
    "starts_below": ["schedule.ends"],
    "own_range": ["schedule.levels", "schedule.ends"],
    "with_zero": ["any.space-works"],
    "by_number": ["schedule.points"],
    "too_large": ["schedule.ends"],
    "undeclared_list": ["schedule.levels", "schedule.ends"],
    "forgets_scale": ["schedule.scale"],
    "changes_u": ["any.inputs"],
}


class Right:
    def __init__(self, options):
        pass

    def __call__(self, u, within):
        return torch.exp(math.log(within.sigma_max) + u * math.log(within.sigma_min / within.sigma_max))


class RightList(Right):
    """Levels of its own, from 5 on; a range without them is refused."""

    def __call__(self, u, within):
        if within.sigma_max < 6:
            raise ConfigError("the levels are outside of the range")
        return 5 * 0.5**u


class RightCourse(Right):
    """sigma / (1 + sigma) in units of a process with a = 1 / (1 + sigma / w) is even, where w is asked for."""

    def __init__(self, options, process, scale):
        a = float(process.law(torch.tensor(1.0, dtype=torch.float64)).a)
        self.unit = self.in_layer(a / (1 - a), scale)

    def in_layer(self, sigma, scale):
        return sigma / scale

    def __call__(self, u, within):
        first, last = (end / (self.unit + end) for end in (within.sigma_max, within.sigma_min))
        share = first + u * (last - first)
        return self.unit * share / (1 - share)


class ForgetsScale(RightCourse):
    def in_layer(self, sigma, scale):
        return sigma


class Rises(Right):
    def __call__(self, u, within):
        return super().__call__(1 - u, within)


class StartsTwice(Right):
    def __call__(self, u, within):
        return super().__call__(torch.cat([u[:1], u[:-1]]), within)


class StartsBelow(Right):
    def __call__(self, u, within):
        return super().__call__(0.01 + 0.99 * u, within)


class OwnRange(Right):
    def __call__(self, u, within):
        return super().__call__(u, within._replace(sigma_min=0.002, sigma_max=80.0))


class WithZero(Right):
    def __call__(self, u, within):
        return torch.cat([super().__call__(u, within), u.new_zeros(1)])


class ByNumber(Right):
    """Bends u by the number of steps; the ends are right."""

    def __call__(self, u, within):
        return super().__call__(u ** (1 + 1 / len(u)), within)


class TooLarge(Right):
    """Its list ends at 100, whatever the record says."""

    def __call__(self, u, within):
        return super().__call__(u, within).clamp(max=100.0) * (1 - 1e-7 * u)


class ChangesU(Right):
    def __call__(self, u, within):
        levels = super().__call__(u, within)
        u += 1
        return levels


@hookimpl
def texprior_schedules():
    classes = (
        *(Right, RightList, RightCourse, Rises, StartsTwice, StartsBelow, OwnRange),
        *(WithZero, ByNumber, TooLarge, RightList, ForgetsScale, ChangesU),
    )
    special = {"right_list": {"fixed": True}, "too_large": {"largest": 200.0}}
    special |= {name: {"of_process": True} for name in ("right_course", "forgets_scale")}
    return [
        Schedule(name, f"{__name__}:{c.__name__}", summary="Descends.", api=2, **special.get(name, {}))
        for name, c in zip(CAUGHT_BY, classes, strict=True)
    ]
