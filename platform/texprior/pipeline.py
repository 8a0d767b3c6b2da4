"""The platform in one sentence: image -> degrade -> predict -> decompose -> noise, denoise (prior) + adapt -> sample ->
recompose -> measure -> track. Here are its verbs: train_prior, train_predictor, train_adapter, restore.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from texprior import cards, models
from texprior.diffusion import sigmas as schedules
from texprior.diffusion.keys import Key, normal
from texprior.diffusion.precondition import broadcast
from texprior.diffusion.process import Process
from texprior.errors import Interrupted
from texprior.flow.image import PictureSet
from texprior.flow.predict import InitialPredictor
from texprior.flow.prior import prior_denoise, unguided
from texprior.flow.recompose import recompose
from texprior.flow.sample import Denoise, sample
from texprior.flow.tile import tiles
from texprior.models import Model, Prior
from texprior.pool import Patches, Pool
from texprior.schema import Sampling, Training
from texprior.session import Session, component_tags, data_digest
from texprior.stages import (
    Inputs,
    LayerLoss,
    guided_pool,
    inputs_of,
    layer_scale,
    pair_pool,
    prediction_loss,
    texture_pool,
)
from texprior.store import about_tensors, sha256
from texprior.track import Run
from texprior.train import Finished, Loss, Saved, Step, Trainee, train

CHECKPOINT = "checkpoint.safetensors"
PRIOR_PARTS = ("seed", "decomposition", "encoder", "denoiser", "diffusion")
PREDICTOR_PARTS = ("seed", "degradation", "predictor", "data.variants")
TILING = ("sampling.tile", "sampling.halo")
ADAPTER_PARTS = ("seed", "degradation", "adapter", "process", "diffusion", "data.variants", *TILING)


@dataclass(frozen=True)
class Trained:
    """A finished training: its folder, and the photographs that could not be read."""

    folder: Path
    broken: dict[str, str]


def train_prior(session: Session) -> Trained:
    """Stage I: trains the denoiser on the texture layer of clean photographs; returns the prior's folder."""
    experiment, settings = session.experiment, session.experiment.training.prior
    dataset, keys = session.pictures("train")
    trajectory, folder = _prior_place(session, keys)
    if _is_done(session, folder / models.PRIOR, settings):
        session.say(f"prior: {folder} is trained already")
        return Trained(folder, {})
    prior = models.build_prior(session, 1.0, folder)
    pool = texture_pool(dataset, keys, prior, settings.patch, experiment.data.cache_mb)
    scale = layer_scale(pool, "picture", "structure", experiment.seed)
    loss = LayerLoss(experiment, prior, Process(scale), Patches(pool, settings.patch, experiment.seed), settings.amp)
    trainee = Trainee(prior.network, settings)

    def finish(run: Run, done: Finished) -> None:
        about = {
            "scale": scale,
            "images_seen": done.images_seen,
            **_stop(settings, done),
            "seed": experiment.seed,
            **_versions(),
        }
        card = cards.prior_card(session, trainee.network, about, done)
        models.save_prior(folder, experiment, trainee.averaged(), about, card)
        run.summary["texture_std"] = scale

    _fit(session, "prior", folder, trajectory, trainee, loss.stage_one, finish)
    return Trained(folder, pool.broken)


def prior_folder(session: Session) -> Path:
    """Where Stage I puts the prior of this experiment, trained or not."""
    return _prior_place(session, session.pictures("train")[1])[1]


def _prior_place(session: Session, keys: list[str]) -> tuple[str, Path]:
    settings = session.experiment.training.prior
    trajectory = _trajectory(session, PRIOR_PARTS, settings, data_digest(session.experiment.data, keys))
    return trajectory, session.folder / _name("prior", trajectory, settings)


def train_predictor(session: Session) -> Trained:
    """Stage II, first part: trains the initial predictor with its own loss; returns its folder."""
    experiment, settings = session.experiment, session.experiment.training.predictor
    dataset, keys = session.pictures("train")
    trajectory = _trajectory(session, PREDICTOR_PARTS, settings, data_digest(experiment.data, keys))
    folder = session.folder / _name("predictor", trajectory, settings)
    if _is_done(session, folder / models.PREDICTOR, settings):
        session.say(f"predictor: {folder} is trained already")
        return Trained(folder, {})
    predictor = models.placed(session.build("predictor"), session.device)
    pool = pair_pool(session, dataset, keys, settings.patch)
    patches = Patches(pool, settings.patch, experiment.seed)
    trainee = Trainee(predictor, settings)

    def finish(_run: Run, done: Finished) -> None:
        about = {"images_seen": done.images_seen, **_stop(settings, done), "seed": experiment.seed, **_versions()}
        models.save_predictor(folder, experiment, trainee.averaged(), about)

    loss = partial(prediction_loss, predictor, patches, settings.amp)
    _fit(session, "predictor", folder, trajectory, trainee, loss, finish)
    return Trained(folder, pool.broken)


def train_adapter(session: Session, prior_folder: Path, predictor_folder: Path) -> Trained:
    """Stage II, second part: trains the adapter on the frozen prior; returns the model's folder."""
    prior = models.load_prior(prior_folder, session.registry, session)
    session = session.with_(experiment=prior.describe(session.experiment))
    experiment, settings = session.experiment, session.experiment.training.adapter
    dataset, keys = session.pictures("train")
    parents = [prior.sha256, sha256(predictor_folder / models.PREDICTOR), data_digest(experiment.data, keys)]
    trajectory = _trajectory(session, ADAPTER_PARTS, settings, *parents)
    folder = session.folder / _name("model", trajectory, settings)
    if _is_done(session, folder / models.ADAPTER, settings):
        session.say(f"model: {folder} is trained already")
        return Trained(folder, {})
    adapter = models.build_adapter(session, prior)
    predictor = models.load_predictor(predictor_folder, session)
    pool = _shared_pool(session, dataset, keys, prior, predictor, parents)
    measured = layer_scale(pool, "clean", "base", experiment.seed)
    scale = measured if experiment.process.residual_scale == "measured" else prior.scale
    session.say(f"residual: standard deviation {measured:.4f}, {measured / prior.scale:.2f} of the prior's texture")
    patches = Patches(pool, settings.patch, experiment.seed)
    loss = LayerLoss(experiment, prior, Process(scale), patches, settings.amp)
    trainee = Trainee(adapter, settings)

    def finish(run: Run, done: Finished) -> None:
        about = {
            "residual_scale": scale,
            "residual_std": measured,
            "prior_sha256": prior.sha256,
            "prior_path": os.path.relpath(prior.folder.resolve(), folder.resolve()),
            "images_seen": done.images_seen,
            **_stop(settings, done),
            "seed": experiment.seed,
            **_versions(),
        }
        card = cards.model_card(session, adapter, prior, about, done)
        models.save_model(folder, experiment, trainee.averaged(), predictor_folder, about, card)
        run.summary |= {"residual_std": measured, "trainable_parameters": cards.count(adapter)}

    _fit(session, "adapter", folder, trajectory, trainee, partial(loss.stage_two, adapter), finish)
    return Trained(folder, pool.broken)


def _shared_pool(
    session: Session,
    dataset: PictureSet,
    keys: list[str],
    prior: Prior,
    predictor: InitialPredictor,
    parents: list[str],
) -> Pool:
    """What Stage II derives from the training pictures, kept for the trials of a sweep that differ in other things."""
    patch = session.experiment.training.adapter.patch
    key = (*parents, patch, session.experiment.hash("seed", "degradation", "process", "data", *TILING))
    if key not in session.memory:
        session.memory.clear()
        pairs = pair_pool(session, dataset, keys, patch)
        session.memory[key] = guided_pool(session.experiment, pairs, prior, predictor)
    pool: Pool = session.memory[key]
    return pool


@dataclass(frozen=True)
class Restored:
    """One restored picture and what it came from; (1, 3, H, W), pictures in [0, 1]."""

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

    Its noise is a function of (seed, key, sample), so that neither tiles nor the order of pictures change it.
    ``guided=False`` leaves the adapter out; ``inputs`` replaces what is derived from the picture (both for controls).
    """
    started, settings = time.monotonic(), sampling or model.experiment.sampling
    device = next(model.prior.network.parameters()).device
    degraded = degraded_BCHW.to(device)
    given = inputs or inputs_of(degraded, model.experiment, model.predictor, model.prior, model.prior.encoder)
    sampler = models.sampler_of(model, settings)
    levels = sigmas_of(settings)
    denoise = _denoiser(model, given, settings, guided)
    layers = []
    for k in range(settings.samples):
        noise = partial(_noise, degraded, seed, key, k)
        known = given.estimate if settings.start == "estimate" else given.base
        start = model.process.warm_start(known, given.base, noise(-1), float(levels[0]))
        layers.append(sample(denoise, sampler, start, levels, noise))
    layer = torch.stack(layers)
    picture, spread = recompose(model.process, given.base, layer, settings.texture_strength)
    calls = sampler.calls(settings.steps) * settings.samples
    return Restored(picture, spread, given.estimate, given.base, layer, calls, time.monotonic() - started)


def sigmas_of(settings: Sampling) -> Tensor:
    """The noise levels that the sampling visits, decreasing to 0, (steps + 1,)."""
    if settings.schedule == "ddpm-linear":
        return schedules.ddpm_linear(settings.steps)
    return schedules.karras(settings.steps, settings.sigma_min, settings.sigma_max, settings.rho)


def _noise(like: Tensor, seed: int, key: Key, k: int, step: int) -> Tensor:
    """Noise of a step of the k-th sample; step -1 is the start."""
    return normal(like.shape, seed, key, k, step).to(like.device)


@torch.no_grad()
def _denoiser(model: Model, given: Inputs, settings: Sampling, guided: bool) -> Denoise:
    """D of a whole picture, computed in tiles; what depends only on the condition is computed here, once."""
    views = []
    height, width = given.base.shape[-2:]
    for tile in tiles(height, width, settings.tile, settings.halo):
        guide = model.adapter.guide(model.adapter.features(tile.cut(given.estimate))) if guided else unguided
        views.append((tile, tile.cut(given.condition), guide))

    def denoise(x: Tensor, sigma: Tensor) -> Tensor:
        result = torch.empty_like(x)
        for tile, condition, guide in views:
            part = tile.cut(x)
            tile.put(
                result,
                prior_denoise(model.prior.network, part, broadcast(sigma, part), condition, given.code, guide),
            )
        return result

    return denoise


def _fit(
    session: Session,
    stage: str,
    folder: Path,
    trajectory: str,
    trainee: Trainee,
    loss: Loss,
    finish: Callable[[Run, Finished], None],
) -> None:
    """Runs the training loop from the furthest checkpoint of the same trajectory, and tells everyone."""
    settings = trainee.settings
    checkpoint = folder / CHECKPOINT
    if session.fresh:  # what is there is not what an interrupted fresh start goes on from
        for stale in folder.glob("*.safetensors"):
            stale.unlink()
    start = None if session.fresh else _furthest(folder, trajectory, settings)
    if start is not None:
        trainee.load(start)
        session.say(f"{stage}: going on from {start} at {trainee.images_seen} images")
    info = session.run_info(folder.name, folder.name, stage, resume=not session.fresh)
    with session.tracker.run(info) as run:
        window: list[Step] = []
        for event in train(trainee, loss, checkpoint, {"trajectory": trajectory}):
            if isinstance(event, Step):
                window.append(event)
                last = event.images_seen // settings.log_every_images
                if last > (event.images_seen - settings.batch) // settings.log_every_images:
                    run.step(event.images_seen, **_summary(stage, window))
                    window = []
                shown = {"loss": event.loss, "images/s": event.images_per_s}
                session.progress(stage, event.images_seen, settings.budget.images, shown)
            elif isinstance(event, Saved):
                continue
            elif event.why == "interrupted":
                without_fresh = " without --fresh" if session.fresh else ""
                raise Interrupted(
                    f"{stage}: interrupted after {event.images_seen} of {settings.budget.images} images; "
                    f"saved in {checkpoint}; the same command{without_fresh} goes on from there"
                )
            else:
                finish(run, event)
                run.summary |= {"images_seen": event.images_seen, "elapsed_s": event.elapsed_s}


def _summary(stage: str, window: Sequence[Step]) -> dict[str, float]:
    n = len(window)
    return {
        f"{stage}.loss": sum(s.loss for s in window) / n,
        f"{stage}.grad_norm": sum(s.grad_norm for s in window) / n,
        f"{stage}.lr": window[-1].lr,
        f"{stage}.images_per_s": n / sum(1 / s.images_per_s for s in window),
    }


def _is_done(session: Session, weights: Path, settings: Training) -> bool:
    """Whether a training of this budget is there; one that a time limit stopped counts for such a limit only."""
    if session.fresh or not weights.is_file():
        return False
    about, limit = about_tensors(weights), settings.budget.seconds
    if int(about["images_seen"]) >= settings.budget.images:
        return True
    return limit is not None and float(about.get("stopped_after_s", 0)) >= limit


def _stop(settings: Training, done: Finished) -> dict[str, Any]:
    """The time limit that stopped a training, if one did (the time itself would make equal weights unequal files)."""
    return {"stopped_after_s": settings.budget.seconds} if done.why == "seconds" else {}


def _furthest(folder: Path, trajectory: str, settings: Training) -> Path | None:
    """The checkpoint of this training, or of one that differs only in its budget, with the most images."""
    best: tuple[int, Path] | None = None
    for path in [folder / CHECKPOINT, *sorted(folder.parent.glob(f"*-{trajectory}-*/{CHECKPOINT}"))]:
        if path.is_file():
            seen = int(about_tensors(path)["images_seen"])
            if seen < settings.budget.images + settings.batch and (best is None or seen > best[0]):
                best = (seen, path)
    return best[1] if best else None


def _trajectory(session: Session, parts: tuple[str, ...], settings: Training, *parents: str) -> str:
    """What decides every step of a training; with a constant learning rate the budget only says where it ends."""
    import hashlib
    import json

    irrelevant = {"checkpoint_every_s", "log_every_images"} | ({"budget"} if settings.decay == "constant" else set())
    text = json.dumps([session.experiment.hash(*parts), settings.model_dump(mode="json", exclude=irrelevant), parents])
    files = _files_in_use(session)
    text += json.dumps(files) if files else ""
    return hashlib.sha256(text.encode()).hexdigest()[:10]


def _files_in_use(session: Session) -> list[str]:
    """The components that come from single files, with the hashes of their content: an edit is another training."""
    used = component_tags(session.experiment, session.registry)
    loose = {p.distribution for p in session.registry.plugins if not p.installed}
    return sorted(tag for tag in used.values() if tag.partition("/")[0] in loose)


def _name(what: str, trajectory: str, settings: Training) -> str:
    return f"{what}-{trajectory}-{settings.budget.images}"


def _versions() -> dict[str, Any]:
    from texprior import __version__

    return {"texprior": __version__, "torch": torch.__version__}
