"""Restores a picture with a trained model.

The whole platform is: image -> degrade -> predict -> decompose -> noise, denoise (prior) + adapt -> sample -> recompose
-> measure -> track. This module runs the steps from predict to recompose; ``training`` trains what they need.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from texprior.config.schema import Sampling
from texprior.diffusion.keys import Key, normal
from texprior.diffusion.precondition import broadcast
from texprior.flow.adapt import Features, bytes_of, features_of, steered, strides_of
from texprior.flow.prior import Network, checked_network, prior_denoise
from texprior.flow.recompose import recompose
from texprior.flow.sample import Denoise, network_calls, sample
from texprior.flow.tile import Tile, tiles
from texprior.models.build import Model
from texprior.models.inputs import Inputs, inputs_of, noised_condition
from texprior.models.not_finite import refuse_not_finite
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

    def __repr__(self) -> str:
        height, width = self.picture.shape[-2:]
        return f"Restored({width} x {height} px, {self.calls} calls, {self.elapsed_s:.3g} s)"


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
    if not layer.isfinite().all():
        alone = _denoiser(model, given, settings, guided=False)
        refuse_not_finite(model, degraded, given, alone, denoise, sampler, start, levels[0].to(device), key)
    picture, spread = recompose(model.process, given.base, layer, settings.texture_strength)
    calls = network_calls(sampler, settings.steps) * settings.samples
    return Restored(picture, spread, given.estimate, given.base, layer, calls, device_time(device) - started)


def _noise(like: Tensor, seed: int, key: Key, k: int, step: int) -> Tensor:
    """Returns the noise of a step of the k-th sample; step -1 is the start."""
    return normal(like.shape, seed, key, k, step).to(like.device)


def _features_by_tile(
    model: Model, estimate_BCHW: Tensor, pieces: Sequence[Tile], features_mb: int
) -> Callable[[int, Tile], Features]:
    """Returns a function from a tile, and its number, to the adapter's features.

    Computes the features here, because they depend only on the condition: once per tile. If they need more memory than
    ``features_mb``, the last tiles compute them again at every call. An adapter that is not declared local computes
    them once for the whole picture, and each tile gets its part.
    """
    adapter, room = model.adapter, features_mb * 2**20
    record = model.registry.find("adapter", model.experiment.adapter.name).component
    if len(pieces) > 1 and not getattr(record, "local", False):
        whole, strides = features_of(adapter, estimate_BCHW), strides_of(model.prior.network)
        height, width = estimate_BCHW.shape[-2:]
        return lambda _i, tile: adapter.of_tile(whole, tile, (height, width), strides)

    # keep features while there is room; a picture of one tile always keeps them, since its call needs them anyway
    kept: dict[int, Features] = {}
    for i, tile in enumerate(pieces):
        features = features_of(adapter, tile.cut(estimate_BCHW))
        room -= bytes_of(features)
        if room < 0 and len(pieces) > 1:
            break
        kept[i] = features
    return lambda i, tile: kept[i] if i in kept else features_of(adapter, tile.cut(estimate_BCHW))


@torch.no_grad()
def _denoiser(model: Model, given: Inputs, settings: Sampling, guided: bool) -> Denoise:
    """Returns D of a whole picture, computed in tiles."""
    adapter, prior = model.adapter, model.prior.network
    height, width = given.base.shape[-2:]
    pieces = tiles(height, width, settings.tile, settings.halo)
    features_at = _features_by_tile(model, given.estimate, pieces, settings.features_mb) if guided else None

    def network_of(i: int, tile: Tile) -> Network:
        if features_at is None:
            return checked_network(prior, prior)
        return steered(adapter, prior, features_at(i, tile))

    def denoise(x: Tensor, sigma: Tensor) -> Tensor:
        result = torch.empty_like(x)
        for i, tile in enumerate(pieces):
            part, condition = tile.cut(x), tile.cut(given.condition)
            level, network = broadcast(sigma, part), network_of(i, tile)
            tile.put(result, prior_denoise(network, part, level, condition, given.code))
        return result

    return denoise
