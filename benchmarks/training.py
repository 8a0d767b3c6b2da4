"""The training steps against plain loops, Stage I's first epoch, and each adapter against full fine-tuning."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn

from material import SMALL, session, training_session
from rounds import Row, Size, Target, count_row, interleaved
from texprior.config import with_overrides
from texprior.diffusion.precondition import loss as denoising_loss
from texprior.diffusion.process import Process
from texprior.flow.schedule import NoiseLevels
from texprior.models.build import Prior, build_adapter, build_predictor, build_prior
from texprior.models.sampling import noise_levels_of
from texprior.runtime.session import Session
from texprior.training.data import cut_patches, guided_pool, layer_scale, pair_pool, texture_pool
from texprior.training.loop import Loss, train_steps
from texprior.training.losses import LayerLoss, prediction_loss
from texprior.training.patches import Patches, Pool
from texprior.training.recipe import recipe_of
from texprior.training.trainee import Trainee

PlainLoss = Callable[[], Tensor]


class Case(NamedTuple):
    """A training, and the loss of the same network on one batch that lies ready."""

    stage: str
    trainee: Trainee
    loss: Loss
    network: nn.Module
    """A copy of the network, which the plain loop trains."""
    plain: PlainLoss
    patches: Patches


def steps_of(trainee: Trainee, loss: Loss) -> Iterator[object]:
    """Returns the endless loop of a training; each event is one step."""
    return train_steps(trainee, loss, Path("never written"), {})


def plain_step(network: nn.Module, loss: PlainLoss, lr: float = 1e-3) -> Callable[[], None]:
    """Returns a step of the plainest loop: forward, backward, and torch's fused AdamW."""
    parameters = [p for p in network.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=lr, fused=True)

    def step() -> None:
        loss().mean().backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    return step


def step_rows(size: Size) -> Iterator[Row]:
    """Compares the step of each training with the plain step."""
    for case in cases(training_session(size)):
        events = steps_of(case.trainee, case.loss)
        with closing(events):
            works = {"ours": partial(next, events), "plain": plain_step(case.network, case.plain)}
            times = interleaved(works, size.rounds(15), size.clock)
        s = case.trainee.settings
        what = f"training step of the {case.stage}, {s.batch} patches of {s.patch} px"
        yield times.row(what, "forward, backward, AdamW on a fixed batch", "ours", "plain", Target("<=", 1.05))


def cases(at: Session, amp: bool = False) -> Iterator[Case]:
    """Builds the three trainings on the experiment's photographs, all of them prepared.

    ``amp`` trains in bfloat16, if the device can.
    """
    experiment, trainings = at.experiment, at.experiment.training
    prior, predictor = build_prior(at.builder, 1.0, Path()), build_predictor(at.builder)
    yield _stage_one(at, prior, amp)

    pairs = pair_pool(at, trainings.predictor.patch)
    patches = cut_patches(at.builder, _filled(pairs), trainings.predictor)
    network, batch = copy.deepcopy(predictor), patches.batch(range(trainings.predictor.batch))
    loss = partial(prediction_loss, predictor, patches, amp)
    trainee = Trainee(predictor, trainings.predictor, recipe_of(at, trainings.predictor))

    def plain() -> Tensor:
        return network.loss(network(batch["degraded"]), batch["clean"])

    yield Case("predictor", trainee, loss, network, plain, patches)

    for frozen in (prior.network, predictor):
        frozen.requires_grad_(False).eval()
    pool = _filled(guided_pool(experiment, pairs, prior, predictor))
    yield _stage_two(at, prior, pool, amp)


def _stage_one(at: Session, prior: Prior, amp: bool = False) -> Case:
    settings, (dataset, keys) = at.experiment.training.prior, at.pictures("train")
    pool = texture_pool(dataset, keys, prior, settings.patch, at.experiment.data.cache_mb)
    scale = layer_scale(pool, "picture", "structure", 0)
    levels = _levels(at, prior, scale)
    loss = LayerLoss(at.experiment, prior, Process(scale), cut_patches(at.builder, pool, settings), amp, levels)
    network, (batch, noise, sigma) = copy.deepcopy(prior.network), loss.noised(range(settings.batch))
    layer, condition, code = loss.process.layer(batch["picture"], batch["structure"]), batch["structure"], batch["code"]

    def plain() -> Tensor:
        return denoising_loss(lambda x, c: network(x, c, condition, code), layer, noise, sigma)

    return Case(
        "prior", Trainee(prior.network, settings, recipe_of(at, settings)), loss.stage_one, network, plain, loss.patches
    )


def _stage_two(at: Session, prior: Prior, pool: Pool, amp: bool = False) -> Case:
    settings, adapter = at.experiment.training.adapter, build_adapter(at.builder, prior)
    process = Process(layer_scale(pool, "clean", "base", 0))
    levels = _levels(at, prior, process.scale)
    loss = LayerLoss(at.experiment, prior, process, cut_patches(at.builder, pool, settings), amp, levels)
    copied, (batch, noise, sigma) = copy.deepcopy(adapter), loss.noised(range(settings.batch))
    layer = process.layer(batch["clean"], batch["base"])

    def plain() -> Tensor:
        network = copied.adapted(prior.network, copied.features(batch["estimate"]))
        return denoising_loss(lambda x, c: network(x, c, batch["condition"], batch["code"]), layer, noise, sigma)

    return Case(
        "adapter",
        Trainee(adapter, settings, recipe_of(at, settings)),
        partial(loss.stage_two, adapter),
        copied,
        plain,
        loss.patches,
    )


def _levels(at: Session, prior: Prior, scale: float) -> NoiseLevels:
    return noise_levels_of(at.registry, at.experiment.diffusion, prior.process, scale)


def _filled(pool: Pool) -> Pool:
    """Prepares every photograph of a pool."""
    for index in range(len(pool)):
        pool[index]
    return pool


def epoch_rows(size: Size) -> Iterator[Row]:
    """Compares an epoch of Stage I whose photographs must be prepared with one whose photographs are in memory."""
    for per_visit in (1,) if size.quick else (1, 16):
        at = training_session(size, f"data.patches_per_photograph={per_visit}")
        count = len(at.pictures("train").keys)
        # one step is one epoch: every photograph is visited once
        step = {"batch": count * per_visit, "microbatch": count}
        settings = at.experiment.training.prior.model_copy(update=step)
        prior = build_prior(at.builder, 1.0, Path())
        loss_of = _stage_one_loss_of(at, prior)
        now = {"loss": loss_of()}
        events = steps_of(
            Trainee(prior.network, settings, recipe_of(at, settings)), lambda numbers, now=now: now["loss"](numbers)
        )

        with closing(events):
            works = {"first": partial(_first_epoch, now, loss_of, events), "later": partial(next, events)}
            times = interleaved(works, size.rounds(5 if per_visit == 1 else 3), size.clock)
        visits = f"{per_visit} patches a visit" if per_visit > 1 else "1 patch a visit"
        what = f"Stage I, first epoch of {count} photographs, {visits}"
        yield times.row(what, "a later epoch", "first", "later", Target("<=", 1.5))


def _first_epoch(now: dict[str, Loss], loss_of: Callable[[], Loss], events: Iterator[object]) -> None:
    now["loss"] = loss_of()
    next(events)


def _stage_one_loss_of(at: Session, prior: Prior) -> Callable[[], Loss]:
    """Returns a function that makes Stage I's loss on a pool in which nothing is prepared."""
    settings, (dataset, keys) = at.experiment.training.prior, at.pictures("train")

    def make() -> Loss:
        pool = texture_pool(dataset, keys, prior, settings.patch, at.experiment.data.cache_mb)
        patches = cut_patches(at.builder, pool, settings)
        return LayerLoss(at.experiment, prior, Process(0.1), patches, False, _levels(at, prior, 0.1)).stage_one

    return make


def adapter_rows(size: Size) -> Iterator[Row]:
    """Compares Stage II's step with each adapter with that of ``full``, which trains all weights of the denoiser."""
    at = training_session(size)
    prior, predictor = build_prior(at.builder, 1.0, Path()), build_predictor(at.builder)
    for frozen in (prior.network, predictor):
        frozen.requires_grad_(False).eval()
    pool = _filled(guided_pool(at.experiment, pair_pool(at, at.experiment.training.adapter.patch), prior, predictor))
    names = [entry.component.name for entry in at.registry.entries("adapter")]
    with ExitStack() as stack:
        works = {}
        for name in names:
            chosen = with_overrides(at.experiment, {"adapter": name}, at.registry)
            case = _stage_two(at.with_(experiment=chosen), prior, pool)
            if case.trainee.parameters():
                works[name] = partial(next, stack.enter_context(closing(steps_of(case.trainee, case.loss))))
        times = interleaved(works, size.rounds(7), size.clock)
    for name in works:
        # what trains every weight cannot cost less
        target = None if name in ("full", "scratch") else Target("<=", 0.8)
        yield times.row(f"Stage II step, adapter {name}", "full fine-tuning (adapter full)", name, "full", target)


def derived_rows(size: Size) -> Iterator[Row]:
    """Counts how often Stage II's training derives its inputs, over three epochs."""
    at = session(*SMALL, side=96)
    prior, predictor = build_prior(at.builder, 1.0, Path()), build_predictor(at.builder)
    for frozen in (prior.network, predictor):
        frozen.requires_grad_(False).eval()
    counts = {"predictor": 0, "encoder": 0}
    predictor.register_forward_hook(lambda *_: counts.update(predictor=counts["predictor"] + 1))
    prior.encoder.register_forward_hook(lambda *_: counts.update(encoder=counts["encoder"] + 1))
    pool = guided_pool(at.experiment, pair_pool(at, at.experiment.training.adapter.patch), prior, predictor)
    case = _stage_two(at, prior, pool)
    with closing(steps_of(case.trainee, case.loss)) as events:
        for _ in range(3 * -(-len(pool) // case.trainee.settings.batch)):
            next(events)
    for part, counted in counts.items():
        what = f"{part}: calls in three epochs of Stage II on {len(pool)} pictures"
        yield count_row(what, "one a picture", counted, len(pool), "calls")
