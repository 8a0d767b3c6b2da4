"""Scores degraded, predicted and restored pictures, and the controls that must change the scores."""

from __future__ import annotations

import contextlib
import logging
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from texprior.config.schema import Experiment
from texprior.errors import ConfigError, ImageError
from texprior.evaluation.judged import Judged, Spent
from texprior.evaluation.metrics import Metrics, build_metrics, scored_as_sets
from texprior.evaluation.prepared import Prepared, PreparedOnce
from texprior.evaluation.scores import Score, Scores, at_chosen_strength
from texprior.flow.code import fitted
from texprior.flow.contract import require_finite
from texprior.flow.decompose import decompose
from texprior.flow.degrade import degraded_sample
from texprior.flow.kinds import DEGRADATION
from texprior.flow.measure import Gathered, ImageMetric, against, measure
from texprior.models.build import Model, with_structure_cache
from texprior.models.inputs import Inputs, inputs_of
from texprior.pipeline import restore
from texprior.runtime.session import Session

log = logging.getLogger(__name__)
Keep = Callable[[int, str, Mapping[str, Tensor]], None]
"""Gets a picture's number, its key, and its versions, (3, H, W) in [0, 1], such as ``restored``."""


class Meters(NamedTuple):
    """What scores pictures, and what gathers them for the metrics that score sets."""

    images: Mapping[str, ImageMetric]
    gathered: Gathered


@dataclass
class Evaluated:
    """The scores of an evaluation and pictures for a contact sheet.

    It also lists the pictures that could not be read.
    """

    scores: Scores
    sheet: list[dict[str, Tensor]]
    broken: dict[str, str] = field(default_factory=dict)
    spent: list[Spent] = field(default_factory=list)
    """The cost of the last restored row, for each picture."""

    @property
    def costs(self) -> dict[str, float]:
        """``calls`` of the network and ``latency_s``.

        ``latency_s`` is the mean time of a picture's sampling without its prediction.
        """
        if not self.spent:
            return {"calls": math.nan, "latency_s": math.nan}
        return {
            "calls": float(self.spent[-1].calls),
            "latency_s": sum(s.elapsed_s for s in self.spent) / len(self.spent),
        }


class Judge:
    """Restores and scores pictures of the experiment's evaluation split, by their places in it.

    What it finds on a picture does not depend on the pictures before.
    """

    def __init__(self, session: Session, model: Model) -> None:
        choice = session.experiment.evaluation
        self.session, self.model = session, model
        self.keys = session.pictures(choice.split).keys[: choice.limit]
        self.metrics = build_metrics(session)
        self._prepare = PreparedOnce(_preparation(session, model))
        self._warm = False

    def __call__(self, number: int) -> Judged:
        """Returns what is found on a picture; ``broken`` says why, if it cannot be used."""
        key, gathered = self.keys[number], Gathered(self.metrics.sets)
        controls = self.session.experiment.evaluation.controls
        try:
            picture = self._prepare(key)
            metrics = Meters(against(self.metrics.images, picture.reference), gathered)
            if not self._warm:
                _warm_up(self.session, self.model, picture)
                self._warm = True
            scores, shown, spent = _picture(self.session, self.model, picture, metrics)
            if controls:
                other = _another(self._prepare, self.keys, number)
                scores += _controls(self.session, self.model, picture, other, metrics)
        except ImageError as error:
            return Judged(number, key, broken=str(error))
        # the next picture's controls need the inputs of this one
        self._prepare.forget(self.keys[: number if controls else number + 1])
        return Judged(number, key, scores, gathered.seen, shown, spent)


Share = Callable[[Judge], Iterable[Judged]]
"""Returns what a judge finds on each picture, in their order, as it comes; other processes may do a part of the work.

In a process that only helps another one it returns nothing."""


def judge_here(judge: Judge) -> Iterable[Judged]:
    """Judges each picture in this process."""
    return map(judge, range(len(judge.keys)))


def evaluate(
    session: Session,
    model: Model,
    keep: Keep = lambda _number, _key, _versions: None,
    share: Share = judge_here,
) -> Evaluated:
    """Scores the experiment's evaluation split.

    Reports a picture that cannot be read, and scores the others. ``keep`` gets the versions of every picture; where
    other processes work, only of those on the contact sheet. Raises ConfigError for a metric to choose by that is not
    measured.
    """
    # what is scored, and by what
    choice, judge = session.experiment.evaluation, Judge(session, model)
    better = judge.metrics.better
    by = judge.metrics.key_of(choice.choose_by or session.experiment.sweep.metric, "evaluation.choose_by")
    if len(choice.texture_strengths) > 1 and by not in better:
        raise ConfigError(f"evaluation.choose_by: '{by}' is not measured; the experiment measures {', '.join(better)}")

    # picture by picture
    found, gathered = collect(session, judge.metrics, len(judge.keys), share(judge), keep)

    # the texture strength that each half of the pictures chooses for the other
    scores = found.scores.scores
    gathered_as = {(s.calls, s.texture_strength): s.method for s in scores if s.method.startswith("restored")}
    chosen = scored_as_sets(
        at_chosen_strength(found.scores, by), gathered, lambda s: gathered_as[s.calls, s.texture_strength]
    )
    found.scores = Scores((*scores, *chosen), better)
    return found


def collect(
    session: Session, metrics: Metrics, pictures: int, judging: Iterable[Judged], keep: Keep
) -> tuple[Evaluated, Gathered]:
    """Collects what is found on each picture, with the scores of metrics that need all of them.

    Also returns what was gathered for these metrics.
    """
    scores, gathered, choice = list[Score](), Gathered(metrics.sets), session.experiment.evaluation
    found = Evaluated(Scores((), metrics.better), [])
    session.progress("evaluate", 0, pictures, {})
    for judged in judging:
        session.progress("evaluate", judged.number + 1, pictures, {})
        if judged.broken:
            found.broken[judged.key] = judged.broken
            log.warning("left out of the evaluation: %s", judged.broken)
            continue
        keep(judged.number, judged.key, judged.shown)
        scores += judged.scores
        gathered.take(judged.features)
        found.spent.append(judged.spent)
        if len(found.sheet) < choice.pictures:
            found.sheet.append(dict(judged.shown))
    found.scores = Scores(tuple(scored_as_sets(scores, gathered)), metrics.better)
    return found, gathered


def _preparation(session: Session, model: Model) -> Callable[[str], Prepared]:
    """A function that prepares a picture of the split by its key."""
    load, room_mb = pair_loader(session), session.experiment.data.disk_cache_mb
    prior = with_structure_cache(model.prior, session.registry, session.cache_folder, room_mb)

    def prepare(key: str) -> Prepared:
        reference, degraded = load(key)
        derived = inputs_of(degraded, model.experiment, model.predictor, prior, prior.encoder)
        return Prepared(key, reference, degraded, derived)

    return prepare


def pair_loader(session: Session) -> Callable[[str], tuple[Tensor, Tensor]]:
    """Returns a function from a picture's key to its reference and its degraded version, (1, 3, H, W).

    Both are on the device.
    """
    experiment, choice = session.experiment, session.experiment.evaluation
    dataset = session.pictures(choice.split).dataset
    degradation = session.build(DEGRADATION) if experiment.degradation else None

    def load(key: str) -> tuple[Tensor, Tensor]:
        sample = dataset.load(key)
        picture = degraded_sample(sample, degradation, choice.seed, bits=experiment.data.degraded_bits)
        if degradation is not None:
            # the photograph itself was finite when it was read, so it must not be called the picture's fault later
            require_finite(degradation, picture, f"the degraded picture of '{key}'")
        return sample.clean[None].to(session.device), picture[None].to(session.device)

    return load


def _warm_up(session: Session, model: Model, picture: Prepared) -> None:
    """Restores the first picture once on a GPU, and drops the result."""
    # a GPU loads its kernels and chooses its algorithms in the first calls, which are no part of the latency
    if session.device.type != "cpu":
        settings, seed = session.experiment.sampling, session.experiment.evaluation.seed
        restore(model, picture.degraded, picture.key, settings, seed, picture.derived(settings))


def _another(prepare: Callable[[str], Prepared], keys: Sequence[str], done: int) -> Inputs:
    """Returns the inputs of another picture: the nearest earlier one that can be read, else a later one."""
    for key in [*reversed(keys[:done]), *reversed(keys[done:])]:
        with contextlib.suppress(ImageError):
            return prepare(key).inputs
    raise ImageError(f"{keys[done]}: no picture can be read")


def judged_plainly(experiment: Experiment, split: str) -> Experiment:
    """Returns an experiment whose evaluation has one row of restored pictures.

    The evaluation is on the given split and has no controls. Sweeps and ablations compare that row, so nothing else may
    be chosen on the pictures.
    """
    plain = {"split": split, "steps": [], "texture_strengths": [], "controls": False, "choose_by": None}
    evaluation = experiment.evaluation.model_copy(update=plain)
    return experiment.model_copy(update={"evaluation": evaluation})


def _picture(
    session: Session, model: Model, picture: Prepared, metrics: Meters
) -> tuple[list[Score], dict[str, Tensor], Spent]:
    """The scores of one picture's versions, the versions that a contact sheet shows, and the cost of the last row."""
    experiment, choice = session.experiment, session.experiment.evaluation
    shown = {"degraded": picture.degraded, "predictor": picture.inputs.estimate}
    spent = Spent(0, 0.0)
    pair = picture.key, picture.reference
    scores = [s for name, image in shown.items() for s in version_scores(name, *pair, image, metrics)]
    strengths = choice.texture_strengths or [experiment.sampling.texture_strength]
    for steps in choice.steps or [experiment.sampling.steps]:
        settings = experiment.sampling.model_copy(update={"steps": steps})
        restored = restore(model, picture.degraded, picture.key, settings, choice.seed, picture.derived(settings))
        shown["restored"], spent = restored.picture, Spent(restored.calls, restored.elapsed_s)
        for w in strengths:
            name = f"restored {restored.calls} calls" + (f" w {w:g}" if choice.texture_strengths else "")
            image = model.process.picture(restored.base, restored.layer, w)
            scores += version_scores(name, *pair, image, metrics, restored.calls, w)
    shown["reference"] = picture.reference
    shown["texture layer"] = _visible(decompose(shown["restored"], model.prior.decomposition).texture)
    return scores, {name: image[0].cpu() for name, image in shown.items()}, spent


def _controls(session: Session, model: Model, picture: Prepared, other: Inputs, metrics: Meters) -> list[Score]:
    """Scores of controls: the adapter off, another picture's semantic code, another picture's estimate.

    Their number of steps is one that has a row of its own, so that they can be compared. Foreign inputs replace those
    of the upright picture, which are turned with it in other orientations. Only the adapter sees the foreign estimate:
    a warm start or a coarse part (``sampling.start``, ``.coarse_from``) stays the picture's own.
    """
    experiment, own = session.experiment, picture.inputs
    choice = experiment.evaluation
    listed, usual = choice.steps, experiment.sampling.steps
    steps = usual if usual in listed or not listed else listed[-1]
    settings = experiment.sampling.model_copy(update={"steps": steps})
    size = picture.degraded.shape[-2:]
    foreign = torch.nn.functional.interpolate(other.estimate, size, mode="bilinear", antialias=True)
    variants = {
        "control adapter off": (picture.derived(settings), False),
        "control foreign code": (own._replace(code=fitted(other.code, own.code)), True),
        "control foreign estimate": (own._replace(shown=foreign), True),
    }
    scores = []
    for name, (given, guided) in variants.items():
        image = restore(model, picture.degraded, picture.key, settings, choice.seed, given, guided)
        strength = experiment.sampling.texture_strength
        named = f"{name} {image.calls} calls", picture.key, picture.reference
        scores += version_scores(*named, image.picture, metrics, image.calls, strength)
    return scores


def version_scores(
    method: str,
    key: str,
    reference: Tensor,
    image: Tensor,
    metrics: Meters,
    calls: int = 0,
    strength: float = 0.0,
) -> list[Score]:
    """Returns the scores of one version of a picture.

    Those of set metrics have no value before all pictures were seen.
    """
    values = {name: float(v[0]) for name, v in measure(image, reference, metrics.images, key).items()}
    metrics.gathered.add(method, key, image, reference)
    values |= dict.fromkeys(metrics.gathered.metrics, math.nan)
    return [Score(method, key, metric, value, calls, strength) for metric, value in values.items()]


def _visible(texture: Tensor) -> Tensor:
    """A texture layer around middle grey, amplified four times."""
    return (0.5 + 4 * texture).clamp(0, 1)


def write_evaluation(evaluated: Evaluated, folder: Path) -> None:
    """Writes scores.csv and the contact sheet."""
    from texprior.evaluation.contact_sheet import contact_sheet

    evaluated.scores.write(folder / "scores.csv")
    if evaluated.sheet:
        contact_sheet(evaluated.sheet, folder / "sheet.png")
