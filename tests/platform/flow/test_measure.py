"""Scores of pictures and of sets: what one metric cannot see leaves the others alone."""

import logging

import pytest
import torch

from texprior.errors import ConfigError, ContractError, ImageError
from texprior.flow.measure import Gathered, against, direction, measure, needs_reference
from texprior.plugin import Metric
from texprior.plugin.origin import Origin, remember_origin


class Brightness:
    """The mean, in half precision; pictures below 8 px cannot be scored."""

    key = "brightness"

    def __call__(self, image_BCHW, reference_BCHW):
        if image_BCHW.shape[-1] < 8:
            raise ImageError("brightness: too small")
        return image_BCHW.mean((1, 2, 3)).half()


class Width:
    key = "width"

    def __call__(self, image_BCHW, reference_BCHW):
        assert not torch.is_grad_enabled()
        return torch.full((len(image_BCHW),), image_BCHW.shape[-1])


class MeanOffset:
    """How much brighter a set is than its references: a mean, whose pseudo-values are the pictures' own differences."""

    key = "mean_offset"

    def features(self, image_BCHW):
        if image_BCHW.shape[-1] < 8:
            raise ImageError("mean_offset: too small")
        return image_BCHW.mean((2, 3))

    def contributions(self, features_NF, reference_NF):
        other = 0 if reference_NF is None else reference_NF
        return (features_NF - other).mean(1)


METRICS = {"brightness": Brightness(), "width": Width()}


def picture(level, size=8):
    return torch.full((1, 3, size, size), level)


def test_scores_are_double_precision_on_the_cpu_and_without_gradient():
    image = picture(0.5).requires_grad_()
    scores = measure(torch.cat([image, image]), None, METRICS)
    assert {key: (value.dtype, value.tolist()) for key, value in scores.items()} == {
        "brightness": (torch.float64, [0.5, 0.5]),
        "width": (torch.float64, [8.0, 8.0]),
    }


def test_a_metric_that_cannot_score_a_picture_leaves_the_others_alone(caplog):
    caplog.set_level(logging.WARNING, "texprior")
    for _ in range(2):  # versions of the same picture
        scores = measure(torch.cat([picture(0.5, 7)] * 2), None, METRICS, "tiny.png")
        assert scores["brightness"].isnan().tolist() == [True, True]
        assert scores["width"].tolist() == [7.0, 7.0]
    assert [r.getMessage() for r in caplog.records] == ["no score of brightness for tiny.png: brightness: too small"]
    measure(picture(0.5, 7), None, METRICS, "other.png")
    assert len(caplog.records) == 2


def test_other_errors_are_not_hidden():
    class Picky:
        def __call__(self, image_BCHW, reference_BCHW):
            raise ConfigError("needs a reference")

    with pytest.raises(ConfigError, match="needs a reference"):
        measure(picture(0.5), None, {"picky": Picky(), **METRICS})


def test_a_metric_may_say_itself_what_its_record_cannot_know():
    record, metric = Metric("brightness", "x:Y", better="lower", reference=True), Brightness()
    assert (direction(metric, record), needs_reference(metric, record)) == ("lower", True)
    metric.better, metric.reference = "higher", False
    assert (direction(metric, record), needs_reference(metric, record)) == ("higher", False)


def test_sets_are_gathered_by_method_and_scored_as_wholes(caplog):
    caplog.set_level(logging.WARNING, "texprior")
    gathered = Gathered({"mean_offset": MeanOffset()})
    for name, level in (("a", 0.25), ("b", 0.75)):
        gathered.add("degraded", name, picture(level), picture(0.5))
        gathered.add("restored", name, picture(level + 0.125), picture(0.5))
    gathered.add("degraded", "tiny", picture(0.5, 4), picture(0.5, 4))
    assert {place: gathered.score(place[1], rows) for place, rows in gathered.seen.items()} == {
        ("degraded", "mean_offset"): {"a": -0.25, "b": 0.25},
        ("restored", "mean_offset"): {"a": -0.125, "b": 0.375},
    }
    assert [r.getMessage() for r in caplog.records] == ["no score of mean_offset for tiny: mean_offset: too small"]


def test_a_set_without_references_is_scored_by_itself():
    gathered = Gathered({"mean_offset": MeanOffset()})
    gathered.add("restored", "a", picture(0.25), None)
    assert gathered.score("mean_offset", gathered.seen["restored", "mean_offset"]) == {"a": 0.25}


class Offset:
    """The mean offset from the reference, whose mean it counts."""

    key = "offset"

    def __init__(self):
        self.prepared = 0

    def __call__(self, image_BCHW, reference_BCHW):
        return self.against(reference_BCHW)(image_BCHW)

    def against(self, reference_BCHW):
        self.prepared += 1
        if reference_BCHW.shape[-1] < 8:
            raise ImageError("offset: too small")
        mean = reference_BCHW.mean((1, 2, 3))
        return lambda image_BCHW: image_BCHW.mean((1, 2, 3)) - mean


def test_a_metric_that_can_prepares_a_reference_once():
    """Others are called as before, with the reference."""
    offset, reference = Offset(), picture(0.25)
    versions = against({"offset": offset, **METRICS}, reference)
    assert versions["width"] is METRICS["width"]
    found = [measure(picture(level), reference, versions)["offset"].item() for level in (0.5, 0.75, 0.25)]
    assert (found, offset.prepared) == ([0.25, 0.5, 0.0], 1)


def test_a_reference_that_cannot_be_prepared_has_no_score(caplog):
    caplog.set_level(logging.WARNING, "texprior")
    tiny = picture(0.25, 7)
    versions = against({"offset": Offset(), **METRICS}, tiny)
    scores = [measure(picture(level, 7), tiny, versions, "small.png") for level in (0.5, 0.75)]
    assert all(s["offset"].isnan().all() and s["width"].item() == 7 for s in scores)
    assert "no score of offset for small.png: offset: too small" in [r.getMessage() for r in caplog.records]


def test_a_scoring_of_the_wrong_shape_names_the_metric():
    class Scalar(Offset):
        def against(self, reference_BCHW):
            return lambda image_BCHW: image_BCHW.mean()

    reference, metric = picture(0.25), Scalar()
    remember_origin(metric, Origin("metric", "acme/offset", "1.2"))
    with pytest.raises(ContractError, match=r"metric 'acme/offset' \(version 1.2\).* shape \(\); expected \(1,\)"):
        measure(reference, reference, against({"offset": metric}, reference))


def test_sets_use_the_features_of_a_reference_for_every_method():
    class Counted(MeanOffset):
        seen = 0

        def features(self, image_BCHW):
            self.seen += 1
            return super().features(image_BCHW)

    metric = Counted()
    gathered = Gathered({"mean_offset": metric})
    for method in ("degraded", "predictor", "restored"):
        for name, level in (("a", 0.25), ("b", 0.75)):
            gathered.add(method, name, picture(level), picture(level / 2))
    assert metric.seen == 2 * 3 + 2
    assert gathered.score("mean_offset", gathered.seen["restored", "mean_offset"]) == {"a": 0.125, "b": 0.375}
