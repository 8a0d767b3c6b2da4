"""Applies one of several degradations, drawn for each picture."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from texprior.flow.degrade import Degrader, Recipe, Replayable, draw, replay, spawn
from texprior_plugins.degradation import ChoiceOptions
from texprior_plugins.degradation._noise import pick


class Choice(Replayable):
    """Draws one degradation with the given probabilities, and gives it a generator of its own."""

    def __init__(self, options: ChoiceOptions, of: Sequence[Degrader]) -> None:
        self.of = list(of)
        self.weights = tuple(options.weights or [1.0] * len(self.of))

    def draw(self, rng: torch.Generator, size: tuple[int, int]) -> Recipe:
        """Draws the index of a degradation, from 0, and its recipe."""
        chosen = pick(self.weights, rng)
        return {"chosen": chosen, "recipe": draw(self.of[chosen], spawn(rng), size)}

    def apply(self, image_CHW: Tensor, recipe: Recipe) -> Tensor:
        """Returns the picture after the chosen degradation, (3, H, W) float32 in [0, 1]."""
        return replay(self.of[recipe["chosen"]], image_CHW, recipe["recipe"])
