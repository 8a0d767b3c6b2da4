"""Applies several degradations, one after the other."""

from __future__ import annotations

from collections.abc import Sequence as Steps

import torch
from torch import Tensor

from texprior.flow.degrade import Degrader, Recipe, Replayable, draw, replay, spawn
from texprior_plugins.degradation import SequenceOptions


class Sequence(Replayable):
    """Applies the steps in order, each with a generator of its own.

    So the numbers of one step do not depend on how many numbers another step draws.
    """

    def __init__(self, options: SequenceOptions, steps: Steps[Degrader]) -> None:
        self.steps = list(steps)

    def draw(self, rng: torch.Generator, size: tuple[int, int]) -> Recipe:
        """Draws the recipe of each step."""
        return {"steps": [draw(step, spawn(rng), size) for step in self.steps]}

    def apply(self, image_CHW: Tensor, recipe: Recipe) -> Tensor:
        """Returns the picture after the last step, (3, H, W) float32 in [0, 1]."""
        image = image_CHW
        for step, part in zip(self.steps, recipe["steps"], strict=True):
            image = replay(step, image, part)
        return image
