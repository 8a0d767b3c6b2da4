"""Derives the inputs of Stage II from a degraded picture, for training and restoration."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from texprior.config.schema import Experiment
from texprior.diffusion.keys import Key, normal
from texprior.flow.condition import blurred, noised
from texprior.flow.decompose import decompose
from texprior.flow.predict import InitialPredictor, predict
from texprior.flow.prior import SemanticEncoder, encode
from texprior.flow.tile import in_tiles
from texprior.models.build import Prior


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
    """The semantic code of the picture that ``process.code`` names, y_d by default; (B, N, width)."""


@torch.no_grad()
def inputs_of(
    degraded_BCHW: Tensor, experiment: Experiment, predictor: InitialPredictor, prior: Prior, encoder: SemanticEncoder
) -> Inputs:
    """Predicts, decomposes and encodes whole pictures, as the experiment's ``process`` section says."""
    choice, tiling = experiment.process, experiment.sampling
    # Only the predictor works in tiles, to bound its memory. A filter or an encoder may need the whole picture (ADR 2).
    estimate = in_tiles(lambda tile: predict(tile, predictor), degraded_BCHW, tiling.tile, tiling.halo)
    # A decomposition may take seconds per picture, so it runs only if one of the three inputs uses it.
    needs_structure = {"estimate-structure", "initial-structure", "structure"} & {
        choice.base,
        choice.concat,
        choice.code,
    }
    structure = decompose(estimate, prior.decomposition).structure if needs_structure else estimate
    base = structure if choice.base == "estimate-structure" else estimate
    condition = {"initial-structure": structure, "initial": estimate, "degraded": degraded_BCHW}[choice.concat]
    looked_at = {"degraded": degraded_BCHW, "estimate": estimate, "structure": structure}[choice.code]
    return Inputs(estimate, base, blurred(condition, experiment.diffusion.condition_blur), encode(looked_at, encoder))


def noised_condition(condition_BCHW: Tensor, experiment: Experiment, seed: int, *key: Key) -> Tensor:
    """Adds the noise that the prior was trained with to the condition of whole pictures.

    The noise is a function of (seed, key).
    """
    std = experiment.diffusion.condition_noise
    if not std:
        return condition_BCHW
    return noised(condition_BCHW, std, normal(condition_BCHW.shape, seed, "condition", *key).to(condition_BCHW.device))
