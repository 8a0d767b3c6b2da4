"""Applies several degradations, one after the other."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence as Steps

import torch
from torch import Tensor

from texprior.flow.degrade import Degrader, Recipe, Replayable, draw, drawn_of, replay, spawn
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

    def drawn(self, recipe: Recipe, size: tuple[int, int]) -> Mapping[str, Tensor]:
        """Tells what the steps tell, under the number of the step, from 0: ``0/radius``."""
        told = [drawn_of(step, part, size) for step, part in zip(self.steps, recipe["steps"], strict=True)]
        return {f"{i}/{name}": value for i, of_step in enumerate(told) for name, value in of_step.items()}

    def apply(self, image_CHW: Tensor, recipe: Recipe) -> Tensor:
        """Returns the picture after the last step, (3, H, W) float32 in [0, 1]."""
        image = image_CHW
        for step, part in zip(self.steps, recipe["steps"], strict=True):
            image = replay(step, image, part)
        return image
