"""Derives the inputs of Stage II from a degraded picture, for training and restoration."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from texprior.config.schema import Experiment, ProcessChoice
from texprior.diffusion.keys import Draw, Key, normal
from texprior.flow.adapt import Given
from texprior.flow.condition import blurred, noised, with_level
from texprior.flow.decompose import grid_of, margin_of, structure_of
from texprior.flow.predict import InitialPredictor, predict
from texprior.flow.prior import SemanticEncoder, encode, encode_parts
from texprior.flow.process import base_of_task
from texprior.flow.tile import Part, in_tiles
from texprior.models.build import Model, Prior


class Inputs(NamedTuple):
    """Inputs of Stage II for degraded pictures.

    They are derived before sampling. Pictures are (B, 3, H, W).
    """

    estimate: Tensor
    """The predictor's estimate y_eps, in [0, 1]."""
    base: Tensor
    """The picture that the sampled layer is added to."""
    condition: Tensor
    """The picture that is concatenated to x_t."""
    code: Tensor
    """The semantic code of the picture that ``process.code`` names, y_d by default; (B, N, width).

    If the encoder has a map, it is that of the whole picture, (B, width, h, w).
    """
    shown: Tensor | None = None
    """The estimate that the adapter sees, if it is another picture than ``estimate``: that of a control."""


@torch.no_grad()
def inputs_of(
    degraded_BCHW: Tensor, experiment: Experiment, predictor: InitialPredictor, prior: Prior, encoder: SemanticEncoder
) -> Inputs:
    """Predicts, decomposes and encodes whole pictures, as the experiment's ``process`` section says."""
    found = _pictures(degraded_BCHW, experiment, predictor, prior)
    return Inputs(found.estimate, found.base, found.condition, encode(found.encoded, encoder))


class _Pictures(NamedTuple):
    """The inputs that are pictures, and the one that is encoded."""

    estimate: Tensor
    base: Tensor
    condition: Tensor
    encoded: Tensor


def _pictures(degraded_BCHW: Tensor, experiment: Experiment, predictor: InitialPredictor, prior: Prior) -> _Pictures:
    choice, tiling = experiment.process, experiment.sampling
    # A filter or an encoder may need the whole picture (ADR 2, ADR 21).
    estimate = in_tiles(lambda tile: predict(tile, predictor), degraded_BCHW, tiling.tile, tiling.halo)
    structure = structure_of(estimate, prior.decomposition) if _needs_structure(choice) else estimate
    base = base_of_task(prior.process, degraded_BCHW, estimate)
    if base is None:
        base = structure if choice.base == "estimate-structure" else estimate
    condition = {"initial-structure": structure, "initial": estimate, "degraded": degraded_BCHW}[choice.concat]
    looked_at = {"degraded": degraded_BCHW, "estimate": estimate, "structure": structure}[choice.code]
    return _Pictures(estimate, base, blurred(condition, experiment.diffusion.condition_blur), looked_at)


def _needs_structure(choice: ProcessChoice) -> bool:
    """Returns whether an input uses the decomposition, which may take seconds per picture."""
    return bool({"estimate-structure", "initial-structure", "structure"} & {choice.base, choice.concat, choice.code})


@dataclass(frozen=True)
class PartwiseInputs:
    """Derives the inputs of one part of a large picture after the other, without ever holding the whole."""

    part: Part
    """Reads the degraded picture, (1, 3, H, W)."""
    size: tuple[int, int]
    """Height and width of the picture, px."""
    model: Model

    def possible(self) -> bool:
        """Returns whether the inputs of a part depend only on what is near, apart from the code of y_d."""
        choice, prior = self.model.experiment.process, self.model.prior
        bounded = not _needs_structure(choice) or margin_of(prior.decomposition) is not None
        return bounded and (choice.code == "degraded" or prior.encoder.tokens == 0)

    def code(self) -> Tensor:
        """Encodes the whole picture; (1, N, width), or a map."""
        return encode_parts(self.part, *self.size, self.model.prior.encoder)

    @torch.no_grad()
    def of(self, place: tuple[slice, slice], code: Tensor) -> Inputs:
        """Predicts and decomposes a part, (rows, columns), with what is around it."""
        model = self.model
        around = tuple(self._widened(p, length) for p, length in zip(place, self.size, strict=True))
        found = _pictures(self.part(around[0], around[1]), model.experiment, model.predictor, model.prior)
        inside = [slice(p.start - a.start, p.stop - a.start) for p, a in zip(place, around, strict=True)]
        pictures = (found.estimate, found.base, found.condition)
        # one copy of what is the same picture; a view would keep all that is around in memory
        cut = {id(picture): picture[..., inside[0], inside[1]].contiguous() for picture in pictures}
        estimate, base, condition = (cut[id(picture)] for picture in pictures)
        return Inputs(estimate, base, condition, code)

    def _widened(self, place: slice, length: int) -> slice:
        """Widens a part by what its inputs depend on, to the grids of decomposition and predictor."""
        model = self.model
        reach, grid = int(4 * model.experiment.diffusion.condition_blur + 0.5), model.predictor.stride
        if _needs_structure(model.experiment.process):
            reach += margin_of(model.prior.decomposition) or 0
            grid = math.lcm(grid, grid_of(model.prior.decomposition))
        return slice(max(0, place.start - reach) // grid * grid, min(length, place.stop + reach))


def given_of(degraded_BCHW: Tensor, inputs: Inputs, noised_BCHW: Tensor, choice: ProcessChoice) -> Given:
    """Returns what an adapter may see; ``noised`` is the condition with its noise, and perhaps its level."""
    structure = inputs.condition if choice.concat == "initial-structure" else None
    seen = inputs.estimate if inputs.shown is None else inputs.shown
    return Given(degraded_BCHW, seen, noised_BCHW[:, :3], inputs.code, structure)


def noised_condition(
    condition_BCHW: Tensor, experiment: Experiment, seed: int, *key: Key, level: float = 0.0, draw: Draw = normal
) -> Tensor:
    """Adds the noise that the prior was trained with to the condition of whole pictures.

    The noise is a function of (seed, key). ``level`` is its standard deviation if the prior is told the level
    (``diffusion.condition_noise_max``); the result then has the level as a fourth channel. ``draw`` gives a part of a
    picture its part of the numbers.
    """
    told = experiment.diffusion.condition_noise_max > 0
    std = level if told else experiment.diffusion.condition_noise
    condition = condition_BCHW
    if std:
        drawn = draw(condition.shape, seed, "condition", *key).to(condition.device)
        condition = noised(condition, std, drawn)
    return with_level(condition, torch.full((len(condition),), level)) if told else condition
