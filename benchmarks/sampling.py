"""The sampling loop against bare network calls, and against the loop of diffusers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib.util import find_spec

import torch
from torch import Tensor

from material import TINY, photographs, session, untrained_model
from rounds import Row, Size, Target, count_row, interleaved
from texprior.models.build import Model
from texprior.models.inputs import Inputs, inputs_of
from texprior.pipeline import restore

STEPS = (4, 50)


def loop_rows(size: Size) -> Iterator[Row]:
    """Compares ``pipeline.restore``, with the inputs given, with the calls of the adapted network alone.

    Both compute the adapter's features once.
    """
    networks = {"tiny": TINY} if size.quick else {"tiny": TINY, "default": ()}
    for name, overrides in networks.items():
        at = session(*overrides)
        model, degraded = untrained_model(at), photographs(at, 1, 64 if size.quick else 128)
        given = inputs_of(degraded, at.experiment, model.predictor, model.prior, model.prior.encoder)
        for steps in STEPS:
            # in float32, as the bare calls
            settings = at.experiment.sampling.model_copy(update={"steps": steps, "amp": False})
            works: dict[str, Callable[[], object]] = {
                "ours": lambda m=model, d=degraded, s=settings, g=given: restore(m, d, "p", s, inputs=g),
                "bare": lambda m=model, g=given, n=steps: bare_calls(m, g, n),
            }
            if find_spec("diffusers"):
                works["diffusers"] = lambda m=model, g=given, n=steps: diffusers_loop(m, g, n)
            times = interleaved(works, size.rounds(25 if steps == 4 else 7), size.clock)
            what = f"sampling loop, {name} network, {steps} calls"
            yield times.row(what, f"{steps} bare network calls", "ours", "bare", Target("<=", 1.02))
            if "diffusers" in works:
                yield times.row(what, "diffusers' DDIM loop, same network", "ours", "diffusers", Target("<=", 1))


@torch.no_grad()
def bare_calls(model: Model, given: Inputs, steps: int) -> Tensor:
    """Calls the adapted network a number of times, with nothing in between."""
    network = model.adapter.adapted(model.prior.network, model.adapter.features(given.estimate))
    x, level = torch.randn_like(given.base), torch.zeros(1)
    for _ in range(steps):
        x = network(x, level, given.condition, given.code)
    return x


@torch.no_grad()
def diffusers_loop(model: Model, given: Inputs, steps: int) -> Tensor:
    """Samples with diffusers' DDIM, from the same adapted network."""
    from diffusers.schedulers import DDIMScheduler

    network = model.adapter.adapted(model.prior.network, model.adapter.features(given.estimate))
    scheduler, x = DDIMScheduler(clip_sample=False), torch.randn_like(given.base)
    scheduler.set_timesteps(steps)
    for t in scheduler.timesteps:
        x = scheduler.step(network(x, t[None].float(), given.condition, given.code), t, x).prev_sample
    return x


def count_rows(size: Size) -> Iterator[Row]:
    """Counts what must run once for each restored picture, whatever the number of steps."""
    at = session(*TINY)
    pictures = photographs(at, 2 if size.quick else 4, 64)
    for steps in STEPS:
        model, counts = untrained_model(at), dict.fromkeys(("predictor", "encoder", "decomposition", "features"), 0)
        _count(model, counts)
        for i, picture in enumerate(pictures):
            settings = at.experiment.sampling.model_copy(update={"steps": steps})
            restore(model, picture[None], str(i), settings)
        for part, counted in counts.items():
            what = f"{part}: calls for {len(pictures)} restored pictures, {steps} steps"
            yield count_row(what, "one a picture", counted, len(pictures), "calls")


def _count(model: Model, counts: dict[str, int]) -> None:
    """Counts the calls of a model's parts; the adapter's features by a wrapper of its method."""

    def counted(part: str, call: Callable[[Tensor], object]) -> Callable[[Tensor], object]:
        def wrapper(given: Tensor) -> object:
            counts[part] += 1
            return call(given)

        return wrapper

    for part, network in (("predictor", model.predictor), ("encoder", model.prior.encoder)):
        network.forward = counted(part, network.forward)
    model.adapter.features = counted("features", model.adapter.features)
    decomposition = model.prior.decomposition
    decomposition.structure = counted("decomposition", decomposition.structure)
