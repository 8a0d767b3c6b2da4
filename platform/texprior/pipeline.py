"""Restores a picture with a trained model.

The whole platform is: image -> degrade -> predict -> decompose -> noise, denoise (prior) + adapt -> sample -> recompose
-> measure -> track. This module runs the steps from predict to recompose; ``training`` trains what they need.

A large picture is restored section by section, each through all steps, so that memory does not grow with the picture.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from texprior.config.schema import Sampling
from texprior.diffusion.keys import Draw, Key
from texprior.diffusion.precondition import broadcast
from texprior.flow.adapt import Features, Given, bytes_of, features_of, repeated, steered, strides_of
from texprior.flow.code import place_of, tokens_at
from texprior.flow.guide import FirstCall, guided_by, with_coarse_part
from texprior.flow.orient import ORIENTATIONS, Orientation
from texprior.flow.precision import autocast
from texprior.flow.prior import Network, checked_network, prior_denoise
from texprior.flow.process import entrance
from texprior.flow.recompose import Samples, recompose
from texprior.flow.sample import Denoise, LayerSampler, Noise, sample
from texprior.flow.tile import Part, Tile
from texprior.models.build import Model
from texprior.models.inputs import Inputs, given_of, noised_condition
from texprior.models.not_finite import refuse_not_finite
from texprior.models.sampling import calls_per_picture, learned_sigmas, require_possible, sampler_of
from texprior.models.sections import (
    Piece,
    is_local,
    pieces_of,
    samples_per_call,
    sections_of,
    tiles_of,
)
from texprior.models.views import View, view_of
from texprior.runtime.device_clock import device_time
from texprior.runtime.notebook import html_pictures

Tell = Callable[[int, int], None]
"""Gets the number of finished calls of the network on a tile of one sample, and their number in all."""


@dataclass(frozen=True)
class Restored:
    """A restored picture, or a section of one, and its intermediate results.

    All are (1, 3, H, W), and pictures are in [0, 1].
    """

    picture: Tensor
    spread: Tensor
    """Standard deviation over the samples; of several orientations, the root of the mean of their variances."""
    estimate: Tensor
    base: Tensor
    layer: Tensor
    """The mean of the sampled layers, in units of the process."""
    calls: int
    elapsed_s: float

    def __repr__(self) -> str:
        height, width = self.picture.shape[-2:]
        return f"Restored({width} x {height} px, {self.calls} calls, {self.elapsed_s:.3g} s)"

    def _repr_html_(self) -> str:
        """Shows estimate, restored picture and sampled layer side by side in a notebook."""
        strongest = float(self.layer.abs().max()) or 1.0
        shown = {"estimate": self.estimate, "restored": self.picture, "texture": 0.5 + self.layer / (2 * strongest)}
        return html_pictures(repr(self), {name: picture[0] for name, picture in shown.items()})


def restore(
    model: Model,
    degraded_BCHW: Tensor,
    key: Key,
    sampling: Sampling | None = None,
    seed: int = 0,
    inputs: Inputs | None = None,
    guided: bool = True,
    tell: Tell = lambda _done, _calls: None,
) -> Restored:
    """Restores a picture, (1, 3, H, W) in [0, 1], of any size.

    The noise depends only on (seed, key, sample), so that neither tiles nor the order of pictures change it. For
    controls, ``guided=False`` leaves the adapter out, and ``inputs`` replaces the inputs derived from the picture; in
    another orientation (``sampling.self_ensemble``) they are these inputs turned, not derived anew.
    """
    degraded = degraded_BCHW.to(_device(model))
    height, width = degraded.shape[-2:]

    def part(rows: slice, columns: slice) -> Tensor:
        return degraded[..., rows, columns]

    whole: dict[str, Tensor] = {}
    elapsed_s = 0.0
    for section, found in restore_sections(model, part, (height, width), key, sampling, seed, inputs, guided, tell):
        if found.picture.shape == degraded.shape:
            return found
        elapsed_s += found.elapsed_s
        for name in ("picture", "spread", "estimate", "base", "layer"):
            result: Tensor = getattr(found, name)
            whole.setdefault(name, result.new_empty(degraded.shape))[..., section.place[0], section.place[1]] = result
    return Restored(**whole, calls=found.calls, elapsed_s=elapsed_s)


@torch.no_grad()
def restore_sections(
    model: Model,
    part: Part,
    size: tuple[int, int],
    key: Key,
    sampling: Sampling | None = None,
    seed: int = 0,
    inputs: Inputs | None = None,
    guided: bool = True,
    tell: Tell = lambda _done, _calls: None,
) -> Iterator[tuple[Tile, Restored]]:
    """Restores a picture of ``size`` (height, width) that is read by ``part``; yields it section by section.

    Each section comes with its place in the picture. A picture with no side above 2048 px is one section, and so is
    every picture of a model whose adapter is not local. Otherwise as ``restore``.
    """
    settings, device = sampling or model.experiment.sampling, _device(model)
    require_possible(model.experiment.diffusion, settings, model.prior.process, model.process.scale)
    levels = learned_sigmas(
        model.registry, settings, model.experiment.diffusion, model.prior.process, model.process.scale
    )
    started, pieces = device_time(device), sections_of(model, settings, size)

    def on_device(rows: slice, columns: slice) -> Tensor:
        return part(rows, columns).to(device)

    def laid(orientation: Orientation) -> View:
        return view_of(model, on_device, size, orientation, inputs, in_parts=len(pieces) > 1)

    # all sections share what is derived from a whole picture; one section needs that of one orientation at a time
    views: Iterable[View] = map(laid, ORIENTATIONS[: settings.self_ensemble])
    views = list(views) if len(pieces) > 1 else views
    # built once: that saves and restores the state of every random generator
    sampler = sampler_of(model, settings)
    calls = calls_per_picture(sampler, settings)
    called = _counter(tell, sum(len(tiles_of(s, settings)) for s in pieces) * calls)
    for section in pieces:
        sums: dict[str, Tensor] = {}
        for number, view in enumerate(views):
            tile = view.tile(section)
            degraded, given, draw = view.of(tile)
            how, first = (settings, sampler, levels), number * settings.samples
            results = _restored(model, tile, degraded, given, key, *how, seed, draw, first, guided, called)
            results = {name: view.upright(result, tile, section) for name, result in results.items()}
            if settings.self_ensemble > 1:
                results["spread"] = results["spread"].square()
            sums = {name: sums[name] + result for name, result in results.items()} if sums else results
            # or two sections, or what is derived from two orientations, would be in memory
            del view, degraded, given, results
        if settings.self_ensemble > 1:
            sums = {name: total / settings.self_ensemble for name, total in sums.items()}
            sums["spread"] = sums["spread"].sqrt()
            sums["picture"] = model.process.picture(sums["base"], sums["layer"], settings.texture_strength)
        yield section, Restored(**sums, calls=calls, elapsed_s=device_time(device) - started)
        del sums
        started = device_time(device)


def _restored(
    model: Model,
    tile: Tile,
    degraded: Tensor,
    given: Inputs,
    key: Key,
    settings: Sampling,
    sampler: LayerSampler,
    levels: Tensor,
    seed: int,
    draw: Draw,
    first_sample: int,
    guided: bool,
    called: Callable[[int], None],
) -> dict[str, Tensor]:
    """Samples a tile of a picture, and returns the pictures of ``Restored`` by name, without the margin."""
    pieces = pieces_of(model, tile, settings, given.code)
    clear = given._replace(code=tokens_at(given.code, place_of(model.prior.encoder), *tile.seen))

    def inputs_at(level: float) -> Inputs:
        noised = noised_condition(clear.condition, model.experiment, seed, key, level=level, draw=draw)
        return clear._replace(condition=noised)

    def denoiser(given: Inputs, pieces: Sequence[Piece], adapted: bool) -> Denoise:
        seen = given_of(degraded, clear._replace(code=given.code), given.condition, model.experiment.process)
        return _denoiser(model, given, settings, seen if adapted else None, pieces, called)

    given, lacking = inputs_at(settings.condition_noise), settings.guidance_from
    if settings.guidance != 1 and lacking != "adapter":
        # two denoisers with features of an adapter are in memory at once
        settings = settings.model_copy(update={"features_mb": settings.features_mb // 2})
    denoise = denoiser(given, pieces, guided)
    if settings.guidance != 1:
        noisy = lacking == "condition"
        weak = inputs_at(model.experiment.diffusion.condition_noise_max) if noisy else given
        without = pieces
        if lacking == "code":
            weak = weak._replace(code=torch.zeros_like(weak.code))
            without = [piece._replace(code=torch.zeros_like(piece.code)) for piece in pieces]
        unguided = denoiser(weak, without, guided and lacking != "adapter")
        denoise = guided_by(denoise, unguided, settings.guidance)

    # a few samples at once, so that memory does not grow with their number
    samples, per_call = Samples(), samples_per_call(tile, settings)
    known = given.estimate if settings.start == "estimate" else given.base
    for first in range(0, settings.samples, per_call):
        these = range(first, min(first + per_call, settings.samples))

        def noise(step: int, these: range = these) -> Tensor:
            drawn = [draw(given.base.shape, seed, key, first_sample + k, step) for k in these]
            return torch.cat(drawn).to(given.base.device)

        start = model.process.warm_start(known, given.base, noise(-1), float(levels[0]))
        for layer in _layers(model, given, settings, denoise, sampler, start, levels, noise).chunk(len(these)):
            samples.add(layer)

    if not samples.mean.isfinite().all():
        alone = denoiser(given, pieces, False)
        refuse_not_finite(model, degraded, given, alone, denoise, sampler, start, levels[0].to(start.device), key)
    found = recompose(model.process, given.base, samples, settings.texture_strength)

    results = {"picture": found.picture, "spread": found.spread, "estimate": given.estimate, "base": given.base}
    results["layer"] = samples.mean
    return {name: result[..., tile.kept[0], tile.kept[1]] for name, result in results.items()}


def _layers(
    model: Model,
    given: Inputs,
    settings: Sampling,
    denoise: Denoise,
    sampler: LayerSampler,
    start: Tensor,
    levels: Tensor,
    noise: Noise,
) -> Tensor:
    """Samples layers, and gives them the coarse part that ``sampling.coarse_from`` names."""
    if settings.coarse_from == "sample":
        return sample(denoise, sampler, start, levels, noise)
    first_call = FirstCall(denoise)
    layers = sample(first_call, sampler, start, levels, noise)
    of_estimate = settings.coarse_from == "estimate"
    coarse = model.process.layer(given.estimate, given.base) if of_estimate else first_call.result(sampler)
    return with_coarse_part(layers, coarse, settings.coarse_px)


def _device(model: Model) -> torch.device:
    return next(model.prior.network.parameters()).device


def _counter(tell: Tell, total: int) -> Callable[[int], None]:
    """Returns a function that gets the samples of each call, and tells the calls so far as if each had one."""
    done = 0

    def called(samples: int) -> None:
        nonlocal done
        done = min(done + samples, total)
        tell(done, total)

    return called


def _features_by_tile(
    model: Model, seen: Given, pieces: Sequence[Piece], features_mb: int
) -> Callable[[int, Piece], Features]:
    """Returns a function from a tile with its code, and its number, to the adapter's features.

    Computes the features here, because they depend only on the condition: once per tile. If they need more memory than
    ``features_mb``, the last tiles compute them again at every call. An adapter that is not declared local computes
    them once for the whole picture, and each tile gets its part.
    """
    adapter, room = model.adapter, features_mb * 2**20
    if len(pieces) > 1 and not is_local(model):
        whole, strides = features_of(adapter, seen), strides_of(model.prior.network)
        height, width = seen.estimate.shape[-2:]
        return lambda _i, piece: adapter.of_tile(whole, piece.tile, (height, width), strides)

    def of_piece(piece: Piece) -> Features:
        return features_of(adapter, seen.cut(piece.tile)._replace(code=piece.code))

    # keep features while there is room; a picture of one tile always keeps them, since its call needs them anyway
    kept: dict[int, Features] = {}
    for i, piece in enumerate(pieces):
        features = of_piece(piece)
        room -= bytes_of(features)
        if room < 0 and len(pieces) > 1:
            break
        kept[i] = features
    return lambda i, piece: kept[i] if i in kept else of_piece(piece)


@torch.no_grad()
def _denoiser(
    model: Model,
    given: Inputs,
    settings: Sampling,
    seen: Given | None,
    pieces: Sequence[Piece],
    called: Callable[[int], None],
) -> Denoise:
    """Returns D of a section, computed in tiles; calls ``called`` after each. None leaves the adapter out."""
    adapter, prior = model.adapter, model.prior.network
    device, half = given.base.device, settings.amp
    with autocast(device, half):
        features_at = _features_by_tile(model, seen, pieces, settings.features_mb) if seen else None

    def network_of(i: int, piece: Piece, samples: int) -> Network:
        if features_at is None:
            return checked_network(prior, prior)
        return steered(adapter, prior, repeated(features_at(i, piece), samples))

    def denoise(x: Tensor, sigma: Tensor) -> Tensor:
        result = torch.empty_like(x)
        for i, piece in enumerate(pieces):
            tile = piece.tile
            part, level, pictures = tile.cut(x), broadcast(sigma, x), (given.condition, given.base)
            condition, base, code = (repeated(each, len(x)) for each in (*map(tile.cut, pictures), piece.code))
            enter = entrance(model.prior.process, base, model.process.scale)
            # only products are in bfloat16: x, sigma and what preconditioning makes of them stay in float32
            with autocast(device, half):
                denoised = prior_denoise(network_of(i, piece, len(x)), part, level, condition, code, enter)
            tile.put(result, denoised)
            called(len(x))
        return result

    return denoise
