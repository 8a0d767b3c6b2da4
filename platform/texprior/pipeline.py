"""Restores a picture with a trained model.

The whole platform is: image -> degrade -> predict -> decompose -> noise, denoise (prior) + adapt -> sample -> recompose
-> measure -> track. This module runs the steps from predict to recompose; ``training`` trains what they need.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from texprior.config.schema import Sampling
from texprior.diffusion.keys import Key, normal
from texprior.diffusion.precondition import broadcast
from texprior.flow.adapt import Features, bytes_of
from texprior.flow.prior import Network, prior_denoise
from texprior.flow.recompose import recompose
from texprior.flow.sample import Denoise, sample
from texprior.flow.tile import Tile, tiles
from texprior.models.build import Model
from texprior.models.inputs import Inputs, inputs_of, noised_condition
from texprior.models.sampling import sampler_of, sigmas_of
from texprior.runtime.device_clock import device_time


@dataclass(frozen=True)
class Restored:
    """One restored picture and its intermediate results; (1, 3, H, W), pictures in [0, 1]."""

    picture: Tensor
    spread: Tensor
    estimate: Tensor
    base: Tensor
    layer: Tensor
    """The sampled layer, (K, 1, 3, H, W), in units of the process."""
    calls: int
    elapsed_s: float


def restore(
    model: Model,
    degraded_BCHW: Tensor,
    key: Key,
    sampling: Sampling | None = None,
    seed: int = 0,
    inputs: Inputs | None = None,
    guided: bool = True,
) -> Restored:
    """Restores a picture, (1, 3, H, W) in [0, 1], of any size.

    The noise depends only on (seed, key, sample), so that neither tiles nor the order of pictures change it. For
    controls, ``guided=False`` leaves the adapter out, and ``inputs`` replaces the inputs derived from the picture.
    """
    # decompose and encode the whole picture first, so that all tiles share one structure and one code
    settings, device = sampling or model.experiment.sampling, next(model.prior.network.parameters()).device
    started = device_time(device)
    degraded = degraded_BCHW.to(device)
    given = inputs or inputs_of(degraded, model.experiment, model.predictor, model.prior, model.prior.encoder)
    given = given._replace(condition=noised_condition(given.condition, model.experiment, seed, key))

    sampler = sampler_of(model, settings)
    levels = sigmas_of(settings, model.experiment.diffusion)
    denoise = _denoiser(model, given, settings, guided)

    # one sample after the other, so that the network's memory does not grow with their number
    layers = []
    for k in range(settings.samples):
        noise = partial(_noise, degraded, seed, key, k)
        known = given.estimate if settings.start == "estimate" else given.base
        start = model.process.warm_start(known, given.base, noise(-1), float(levels[0]))
        layers.append(sample(denoise, sampler, start, levels, noise))

    layer = torch.stack(layers)
    picture, spread = recompose(model.process, given.base, layer, settings.texture_strength)
    calls = sampler.calls(settings.steps) * settings.samples
    return Restored(picture, spread, given.estimate, given.base, layer, calls, device_time(device) - started)


def _noise(like: Tensor, seed: int, key: Key, k: int, step: int) -> Tensor:
    """Returns the noise of a step of the k-th sample; step -1 is the start."""
    return normal(like.shape, seed, key, k, step).to(like.device)


@torch.no_grad()
def _denoiser(model: Model, given: Inputs, settings: Sampling, guided: bool) -> Denoise:
    """Returns D of a whole picture, computed in tiles.

    Computes the adapter's features here, once per tile, because they depend only on the condition. If they need more
    memory than ``features_mb``, the last tiles compute them again at every call.
    """
    adapter, room = model.adapter, settings.features_mb * 2**20
    height, width = given.base.shape[-2:]
    pieces = tiles(height, width, settings.tile, settings.halo)

    # keep features while there is room; a picture of one tile always keeps them, since its call needs them anyway
    kept: dict[int, Features] = {}
    for i, tile in enumerate(pieces if guided else []):
        features = adapter.features(tile.cut(given.estimate))
        room -= bytes_of(features)
        if room < 0 and len(pieces) > 1:
            break
        kept[i] = features

    def network_of(i: int, tile: Tile) -> Network:
        if not guided:
            return model.prior.network
        features = kept[i] if i in kept else adapter.features(tile.cut(given.estimate))
        return adapter.adapted(model.prior.network, features)

    def denoise(x: Tensor, sigma: Tensor) -> Tensor:
        result = torch.empty_like(x)
        for i, tile in enumerate(pieces):
            part, condition = tile.cut(x), tile.cut(given.condition)
            level, network = broadcast(sigma, part), network_of(i, tile)
            tile.put(result, prior_denoise(network, part, level, condition, given.code))
        return result

    return denoise
