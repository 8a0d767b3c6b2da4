"""evaluate: scores of degraded, predicted and restored pictures, and the controls that must move them."""

from __future__ import annotations

import contextlib
import logging
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from texprior.errors import ConfigError, ImageError
from texprior.evaluation.metrics import build_metrics, scored_as_sets
from texprior.evaluation.scores import Score, Scores, at_chosen_strength
from texprior.flow.decompose import decompose
from texprior.flow.degrade import degraded_sample
from texprior.flow.measure import Gathered, ImageMetric, measure
from texprior.flow.recompose import recompose
from texprior.models.build import Model, with_structure_cache
from texprior.models.inputs import Inputs, inputs_of
from texprior.pipeline import restore
from texprior.runtime.session import Session

log = logging.getLogger(__name__)
Keep = Callable[[int, str, Mapping[str, Tensor]], None]
"""Called with a picture's place, its key, and its versions, (3, H, W) in [0, 1], such as ``restored``."""


class Prepared(NamedTuple):
    """A picture of the split with all that restoring it starts from; (1, 3, H, W) on the device."""

    key: str
    reference: Tensor
    degraded: Tensor
    inputs: Inputs


class Meters(NamedTuple):
    """What scores pictures, and what gathers them for the metrics that score sets."""

    images: Mapping[str, ImageMetric]
    gathered: Gathered


class Spent(NamedTuple):
    """What restoring one picture took."""

    calls: int
    elapsed_s: float


@dataclass
class Evaluated:
    """The scores of an evaluation, pictures for a contact sheet, and what could not be read."""

    scores: Scores
    sheet: list[dict[str, Tensor]]
    broken: dict[str, str] = field(default_factory=dict)
    spent: list[Spent] = field(default_factory=list)
    """What the last of the restored rows took, for each picture."""

    @property
    def costs(self) -> dict[str, float]:
        """``calls`` of the network and ``latency_s``, the mean time of a picture's sampling without its prediction."""
        if not self.spent:
            return {"calls": math.nan, "latency_s": math.nan}
        return {
            "calls": float(self.spent[-1].calls),
            "latency_s": sum(s.elapsed_s for s in self.spent) / len(self.spent),
        }


def evaluate(session: Session, model: Model, keep: Keep = lambda _number, _key, _versions: None) -> Evaluated:
    """Scores the experiment's evaluation split. A picture that cannot be read is named, the rest are done."""
    experiment = session.experiment
    choice = experiment.evaluation
    dataset, keys = session.pictures(choice.split)
    keys = keys[: choice.limit]
    degradation = session.build("degradation") if experiment.degradation else None
    images, sets, better = build_metrics(session)
    metrics = Meters(images, Gathered(sets))
    by = choice.choose_by or experiment.sweep.metric
    if len(choice.texture_strengths) > 1 and by not in better:
        raise ConfigError(f"evaluation.choose_by: '{by}' is not measured; the experiment measures {', '.join(better)}")
    prior = with_structure_cache(session, model.prior)
    scores: list[Score] = []
    sheet: list[dict[str, Tensor]] = []
    spent: list[Spent] = []
    broken: dict[str, str] = {}

    def prepare(key: str) -> Prepared:
        sample = dataset.load(key)
        degraded = degraded_sample(sample, degradation, choice.seed)[None].to(session.device)
        derived = inputs_of(degraded, model.experiment, model.predictor, prior, prior.encoder)
        return Prepared(key, sample.clean[None].to(session.device), degraded, derived)

    def another(done: int) -> Inputs:
        """What the nearest earlier picture that can be read starts from (its own, where there is no other)."""
        for key in [*reversed(keys[:done]), *reversed(keys[done:])]:
            with contextlib.suppress(ImageError):
                return prepare(key).inputs
        raise ImageError(f"{keys[done]}: no picture can be read")

    for done, key in enumerate(keys):
        session.progress("evaluate", done, len(keys), {})
        try:
            picture = prepare(key)
            rows, shown, took = _picture(session, model, picture, metrics)
            if choice.controls:
                rows += _controls(session, model, picture, another(done), metrics)
        except ImageError as error:
            broken[key] = str(error)
            log.warning("left out of the evaluation: %s", error)
            continue
        keep(done, key, shown)
        scores += rows
        spent.append(took)
        if len(sheet) < choice.pictures:
            sheet.append(shown)
    session.progress("evaluate", len(keys), len(keys), {})
    found = Scores(tuple(scored_as_sets(scores, metrics.gathered)), better)
    gathered_as = {(s.calls, s.texture_strength): s.method for s in scores if s.method.startswith("restored")}
    chosen = scored_as_sets(
        at_chosen_strength(found, by), metrics.gathered, lambda s: gathered_as[s.calls, s.texture_strength]
    )
    everything = replace(found, scores=(*found.scores, *chosen))
    return Evaluated(everything, sheet, broken, spent)


def _picture(
    session: Session, model: Model, picture: Prepared, metrics: Meters
) -> tuple[list[Score], dict[str, Tensor], Spent]:
    """The scores of one picture's versions, the versions that a contact sheet shows, and what the last row took."""
    experiment, choice = session.experiment, session.experiment.evaluation
    shown = {"degraded": picture.degraded, "predictor": picture.inputs.estimate}
    spent = Spent(0, 0.0)
    scores = [s for name, image in shown.items() for s in _scores(name, picture, image, metrics)]
    strengths = choice.texture_strengths or [experiment.sampling.texture_strength]
    for steps in choice.steps or [experiment.sampling.steps]:
        settings = experiment.sampling.model_copy(update={"steps": steps})
        restored = restore(model, picture.degraded, picture.key, settings, choice.seed, picture.inputs)
        shown["restored"], spent = restored.picture, Spent(restored.calls, restored.elapsed_s)
        for w in strengths:
            name = f"restored {restored.calls} calls" + (f" w {w:g}" if choice.texture_strengths else "")
            image = recompose(model.process, restored.base, restored.layer, w).picture
            scores += _scores(name, picture, image, metrics, restored.calls, w)
    shown["reference"] = picture.reference
    shown["texture layer"] = _visible(decompose(shown["restored"], model.prior.decomposition).texture)
    return scores, {name: image[0].cpu() for name, image in shown.items()}, spent


def _controls(session: Session, model: Model, picture: Prepared, other: Inputs, metrics: Meters) -> list[Score]:
    """A sampling that has a row of its own, with the adapter off, or with another picture's code or estimate in it."""
    experiment, own = session.experiment, picture.inputs
    choice = experiment.evaluation
    listed, usual = choice.steps, experiment.sampling.steps
    steps = usual if usual in listed or not listed else listed[-1]
    settings = experiment.sampling.model_copy(update={"steps": steps})
    size = picture.degraded.shape[-2:]
    foreign = torch.nn.functional.interpolate(other.estimate, size, mode="bilinear", antialias=True)
    variants = {
        "control adapter off": (own, False),
        "control foreign code": (own._replace(code=other.code), True),
        "control foreign estimate": (own._replace(estimate=foreign), True),
    }
    scores = []
    for name, (given, guided) in variants.items():
        image = restore(model, picture.degraded, picture.key, settings, choice.seed, given, guided)
        strength = experiment.sampling.texture_strength
        scores += _scores(f"{name} {image.calls} calls", picture, image.picture, metrics, image.calls, strength)
    return scores


def _scores(
    method: str,
    picture: Prepared,
    image: Tensor,
    metrics: Meters,
    calls: int = 0,
    strength: float = 0.0,
) -> list[Score]:
    """Scores of set metrics have no value before all pictures have been seen."""
    values = {key: float(v[0]) for key, v in measure(image, picture.reference, metrics.images, picture.key).items()}
    metrics.gathered.add(method, picture.key, image, picture.reference)
    values |= dict.fromkeys(metrics.gathered.metrics, math.nan)
    return [Score(method, picture.key, metric, value, calls, strength) for metric, value in values.items()]


def _visible(texture: Tensor) -> Tensor:
    """A texture layer around middle grey, amplified four times."""
    return (0.5 + 4 * texture).clamp(0, 1)


def write_evaluation(evaluated: Evaluated, folder: Path) -> None:
    """scores.csv and the contact sheet."""
    from texprior.evaluation.contact_sheet import contact_sheet

    evaluated.scores.write(folder / "scores.csv")
    if evaluated.sheet:
        contact_sheet(evaluated.sheet, folder / "sheet.png")
