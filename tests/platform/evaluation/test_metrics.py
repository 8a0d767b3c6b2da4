"""The metrics of an experiment, and the scores of sets among the scores of pictures."""

import math

import pytest
import torch

from texprior import config
from texprior.errors import ConfigError
from texprior.evaluation.metrics import build_metrics, scored_as_sets
from texprior.evaluation.scores import Score
from texprior.flow.measure import Gathered
from texprior.registry import Registry
from texprior.runtime.session import Session


def session(*metrics):
    registry = Registry.discover()
    return Session(config.resolve({"name": "x", "metrics": list(metrics), "events": []}, registry), registry)


def test_variants_of_a_metric_stand_side_by_side():
    metrics = build_metrics(
        session(
            {"psnr": {"space": "rgb"}},
            {"psnr": {"space": "y"}},
            {"kernel_distance_mobilenet_v2": {"stages": 3}},
            {"band_psnr": {"band": "structure"}},
            "band_psnr",
            "niqe",
        )
    )
    assert list(metrics.images) == [
        "psnr_rgb",
        "psnr_y",
        "psnr_structure_rgb_gauss2",
        "psnr_texture_rgb_gauss2",
        "niqe",
    ]
    assert list(metrics.sets) == ["kernel_distance_mobilenet_v2_3"]
    assert list(metrics.better) == [*list(metrics.images)[:2], *metrics.sets, *list(metrics.images)[2:]]
    assert metrics.better["kernel_distance_mobilenet_v2_3"] == metrics.better["niqe"] == "lower"


def test_the_same_metric_twice_is_a_configuration_error():
    with pytest.raises(ConfigError, match=r"metrics\.2: psnr_rgb is named twice"):
        build_metrics(session("psnr", "ssim", {"psnr": {"space": "rgb", "crop": 0}}))


def test_a_metric_is_meant_by_its_key_or_by_its_component():
    metrics = build_metrics(session("psnr", {"texprior/ssim": {"space": "y"}}, {"ssim": {"space": "rgb"}}))
    named = {name: metrics.key_of(name, "path") for name in ("psnr", "psnr_rgb", "texprior/ssim", "calls")}
    assert named == {"psnr": "psnr_rgb", "psnr_rgb": "psnr_rgb", "texprior/ssim": "ssim_y_gauss11", "calls": "calls"}
    with pytest.raises(ConfigError, match="path: 'ssim' stands for ssim_y_gauss11 and for ssim_rgb_gauss11 here"):
        metrics.key_of("ssim", "path")


class Spread:
    """Each picture's distance from the mean of its set."""

    key = "spread"

    def features(self, image_BCHW):
        return image_BCHW.mean((2, 3))

    def contributions(self, features_NF, _reference_NF):
        return (features_NF - features_NF.mean(0)).mean(1)


def test_a_method_s_pictures_are_one_set_and_other_scores_stay():
    gathered = Gathered({"spread": Spread()})
    levels = {"a": 0.25, "b": 0.5, "c": 0.75, "unreadable": 1.0}
    for name, level in levels.items():
        gathered.add("degraded", name, torch.full((1, 3, 4, 4), level), None)
    # the picture that was left out is in no set although it was seen, and one that was not seen has no score
    scores = [Score("degraded", name, "spread", math.nan) for name in ("a", "b", "c", "unseen")]
    scores.append(Score("degraded", "a", "psnr_rgb", 30.0))
    filled = scored_as_sets(scores, gathered)
    assert [s.value for s in filled[:3]] == [-0.25, 0.0, 0.25]
    assert math.isnan(filled[3].value)
    assert filled[4] == scores[4]


def test_a_set_may_be_made_of_pictures_of_several_methods():
    """As the texture strength that each half of the pictures has chosen for the other."""
    gathered = Gathered({"spread": Spread()})
    for name, level in (("a", 0.25), ("b", 0.75)):
        for w in (0.0, 1.0):
            gathered.add(f"restored w {w:g}", name, torch.full((1, 3, 4, 4), level * (1 - w)), None)
    chosen = [
        Score("chosen", "a", "spread", 7.0, texture_strength=0.0),
        Score("chosen", "b", "spread", 7.0, texture_strength=1.0),
    ]
    filled = scored_as_sets(chosen, gathered, lambda s: f"restored w {s.texture_strength:g}")
    assert [s.value for s in filled] == [0.125, -0.125]
