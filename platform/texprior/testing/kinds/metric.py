"""Checks the rules of metrics with scope image; those with scope set are in sets.py."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor

from texprior.flow.contract import require_tensor, require_type
from texprior.flow.measure import ImageMetric, KnowsReference, SetMetric, direction, needs_reference
from texprior.plugin import Component, Metric
from texprior.testing.catalogue import When, check
from texprior.testing.material import gap, gaussian, photographs
from texprior.testing.outcomes import NotRun, require
from texprior.testing.probe import PROBES, Inputs, Probe, unmoved
from texprior.testing.subject import Subject
from texprior.testing.values import choices, is_tuned, samples

SIZE = (192, 224)
"""Height and width of the test pictures, px: large enough for multi-scale metrics (MS-SSIM needs 161 px)."""
LEVELS = (0.02, 0.06, 0.2)
"""Standard deviations of the noise. A metric must react to each increase in the same direction."""
BATCH_TOLERANCE = 1e-5
"""The largest relative difference between a batch and single pictures: convolutions round differently by batch."""


def _record(subject: Subject) -> Metric:
    assert isinstance(subject.record, Metric)
    return subject.record


def _per_image(record: Component) -> bool:
    return isinstance(record, Metric) and record.scope == "image"


def _full_reference(record: Component) -> bool:
    return isinstance(record, Metric) and record.reference and record.scope == "image"


def _no_reference(record: Component) -> bool:
    return isinstance(record, Metric) and not record.reference and record.scope == "image"


SET = When("`scope` is set", lambda record: not _per_image(record))
IMAGE = When("`scope` is image", _per_image)
FULL = When("`scope` is image, `reference` is true", _full_reference)
NO_REFERENCE = When("`scope` is image, `reference` is false", _no_reference)


def noisy(level: float) -> Tensor:
    """Returns the photographs with white noise of a standard deviation.

    They are (2, 3, 192, 224), clipped to [0, 1].
    """
    return (photographs(2, *SIZE) + level * gaussian(2, 3, *SIZE, key="noise")).clamp(0, 1)


def _inputs() -> Inputs:
    return {"image": noisy(0.05), "reference": photographs(2, *SIZE)}


def _work(metric: ImageMetric | SetMetric, inputs: Inputs) -> tuple[Tensor, ...]:
    image, reference = inputs["image"], inputs["reference"]
    if not hasattr(metric, "contributions"):
        found = metric(image, reference)
        require_type(metric, found, Tensor, "what it returns")
        return (found,)
    # hasattr does not narrow a type to a Protocol
    of_set = cast(SetMetric, metric)
    seen = of_set.features(pieces(image)), of_set.features(pieces(reference))
    return (*seen, of_set.contributions(*seen))


def pieces(image_BCHW: Tensor) -> Tensor:
    """Cuts each picture into four quarters, (4 B, 3, H/2, W/2), to make a set."""
    halves = torch.stack(image_BCHW.chunk(2, -2), 1)
    return torch.cat(halves.chunk(2, -1), 1).flatten(0, 1)


def _methods(record: Component) -> tuple[str, ...]:
    return ("__call__",) if _per_image(record) else ("features", "contributions")


PROBES["metric"] = Probe(_inputs, _work, methods=_methods, attributes=("key",), move=unmoved)


def scores(subject: Subject, level: float) -> Tensor:
    """Returns the scores of the photographs with noise, unchanged. Each level is computed once."""
    known: dict[float, Tensor] = subject.memory.setdefault("scores", {})
    if level not in known:
        metric: ImageMetric = subject.shared()
        known[level] = metric(noisy(level), photographs(2, *SIZE))
    return known[level]


def badness(subject: Subject, found: Tensor) -> Tensor:
    """Returns numbers that grow as a picture gets worse.

    The direction in which a score gets worse is what the metric declares.
    """
    better = direction(subject.shared(), _record(subject))
    values = found.detach().double().cpu()
    return {"higher": -values, "lower": values, "one": (values - 1).abs()}[better]


@check("metric.scores", "metric", when=IMAGE)
def one_score_per_image(subject: Subject) -> None:
    """Two pictures get two finite scores, in a floating-point tensor of shape (B,).

    Fix: reduce only over the dimensions of one picture, ``.flatten(1).mean(1)``; protect logarithms and divisions from
    0.
    """
    for level in LEVELS:
        found = scores(subject, level)
        require(
            isinstance(found, Tensor) and found.is_floating_point(),
            f"it returns {type(found).__name__} instead of a floating-point tensor",
        )
        require(tuple(found.shape) == (2,), f"two pictures get scores of shape {tuple(found.shape)}")
        require(torch.isfinite(found).all(), f"noise of {level}: a score is not finite")


@check("metric.batch", "metric", when=IMAGE)
def batch(subject: Subject) -> None:
    """A score depends only on its own picture: it is the same in any batch and order, within 1e-5.

    Fix: do not use statistics over the batch (maximum, mean, normalisation); keep no state between calls.
    """
    metric, image, reference = subject.shared(), noisy(0.05), photographs(2, *SIZE)
    # two pictures of different quality, so that statistics over the batch change the scores
    image[1] = noisy(0.2)[1]
    together = metric(image, reference)
    swapped = metric(image.flip(0), reference.flip(0)).flip(0)
    alone = torch.cat([metric(image[i : i + 1], reference[i : i + 1]) for i in range(2)])
    limit = BATCH_TOLERANCE * max(1.0, float(together.detach().abs().max()))
    for name, other in (("alone", alone), ("in another order", swapped)):
        require(gap(together, other) <= limit, f"{name} the scores differ by {gap(together, other):.2g}")


@check("metric.identity", "metric", when=FULL)
def identity(subject: Subject) -> None:
    """The reference itself scores best: better than with little noise, blurred, shifted by a pixel, or darker. Its
    score is 1 if ``better`` is ``one``.

    Fix: compare with the reference in the arguments, by a distance that is 0 for equal pictures.
    """
    record, metric, reference = _record(subject), subject.shared(), photographs(2, *SIZE)
    if not needs_reference(metric, record):
        raise NotRun("with these options it needs no reference")

    itself = scores(subject, 0.0)
    blurred = torch.nn.functional.avg_pool2d(reference, 3, 1, 1, count_include_pad=False)
    others = {"noise": noisy(0.02), "blur": blurred, "shift": reference.roll(1, -1), "darker": 0.9 * reference}
    best = badness(subject, itself)
    for name, image in others.items():
        found = metric(image, reference)
        better = direction(metric, record)
        require(
            (best <= badness(subject, found)).all(),
            f'better="{better}", but the reference scores {_shown(itself)}, and with {name} {_shown(found)}',
        )
    require(
        direction(metric, record) != "one" or gap(itself, torch.ones(2)) <= 1e-6,
        f"the reference scores {_shown(itself)} instead of 1",
    )


@check("metric.direction", "metric", when=IMAGE)
def declared_direction(subject: Subject) -> None:
    """A photograph scores better than with noise of standard deviation 0.2, according to the declared ``better``.

    Fix: declare ``better="higher"``, ``"lower"`` or ``"one"`` according to the score, or change the sign of the score.
    """
    better = direction(subject.shared(), _record(subject))
    clean, spoilt = scores(subject, 0.0), scores(subject, LEVELS[-1])
    holds = (badness(subject, clean) < badness(subject, spoilt)).all()
    require(holds, f'better="{better}", but the photographs score {_shown(clean)}, with noise {_shown(spoilt)}')


@check("metric.noise", "metric", when=IMAGE)
def worsens(subject: Subject) -> None:
    """More noise always moves the score in the same direction, at 0.02, 0.06 and 0.2.

    Fix: look for a clamp, a saturation or a wrong sign inside the formula.
    """
    one = direction(subject.shared(), _record(subject)) == "one"
    levels = [scores(subject, level) for level in LEVELS]
    values = torch.stack([badness(subject, v) if one else v.detach().double().cpu() for v in levels])
    change = values.diff(dim=0)
    one_way = (change > 0).all() or (change < 0).all()
    require(one_way, f"noise of {LEVELS} scores {'; '.join(_shown(v) for v in levels)}")


@check("metric.reference", "metric", when=NO_REFERENCE)
def reference_unused(subject: Subject) -> None:
    """A metric that needs no reference accepts None, and ignores a reference that is passed.

    Fix: declare ``reference=True`` if the metric uses a reference.
    """
    metric, image = subject.shared(), noisy(0.05)
    if needs_reference(metric, _record(subject)):
        raise NotRun("with these options it needs a reference")
    without, with_one = metric(image, None), metric(image, photographs(2, *SIZE))
    require(gap(without, with_one) == 0, f"a reference changes the scores by {gap(without, with_one):.2g}")


@check("metric.against", "metric", when=FULL)
def prepared_reference(subject: Subject) -> None:
    """If the metric has the method ``against``, what it returns scores one version after another as calls with the
    reference do, within 1e-5.

    Fix: compute in ``against`` only what depends on the reference alone, and keep no state between the versions.
    """
    metric, reference = subject.shared(), photographs(2, *SIZE)
    if not isinstance(metric, KnowsReference):
        raise NotRun("it has no method against")
    scoring = metric.against(reference)
    for level in (LEVELS[-1], LEVELS[0]):
        expected, found = scores(subject, level), scoring(noisy(level))
        require_tensor(metric, found, (2,), expected, "the scores of what against returns", any_float=True)
        limit = BATCH_TOLERANCE * max(1.0, float(expected.detach().abs().max()))
        require(
            gap(expected, found) <= limit, f"with noise of {level} it scores {_shown(found)}, not {_shown(expected)}"
        )


@check("metric.key", "metric")
def key(subject: Subject) -> None:
    """``key`` names the metric and the options that its scores depend on: options that change the scores change the
    key.

    Fix: put the option into the key, such as ``f"psnr_{options.space}"``.
    """
    base = subject.shared()
    require(
        isinstance(base.key, str) and base.key and " " not in base.key,
        f"key is {base.key!r}: it must be a text without spaces",
    )
    seen = {base.key: _work(base, _inputs())[-1].detach()}
    for changes in [*(samples(subject.model, 3) if is_tuned(subject.model) else []), *choices(subject.model)]:
        if not subject.accepts(changes):
            continue
        other = subject.build(changes)
        found = _work(other, _inputs())[-1].detach()
        known = seen.setdefault(other.key, found)
        require(gap(known, found) <= 1e-6, f"{changes} changes the scores under the same key '{other.key}'")


def _shown(values: Tensor) -> str:
    return "/".join(f"{v:.4g}" for v in values.tolist())
