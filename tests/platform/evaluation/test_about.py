"""What a card says of an evaluation, and which evaluations are the same one."""

import datetime

import pytest
import torch

from texprior import config
from texprior.evaluation.about import about_evaluation
from texprior.evaluation.scores import Score, Scores
from texprior.flow.precision import CHOICE
from texprior.registry import Registry


@pytest.fixture(scope="module")
def about():
    registry = Registry.discover()
    own = config.resolve({"name": "model", "degradation": {"rain": {}}}, registry)

    def about(*overrides):
        judged = config.resolve(own.model_dump(mode="json"), registry, overrides)
        return about_evaluation(judged, own, torch.device("cpu"))

    return about


def test_the_models_own_evaluation_has_the_plain_name(about):
    for overrides in ((), ("evaluation.steps=[1, 2]",), ("sampling.features_mb=1", "metrics=[psnr]", "name=other")):
        plain = about(*overrides)
        assert (plain.title, plain.folder, dict(plain.overrides)) == ("Scores on test", "evaluation-test", {})


@pytest.mark.parametrize(
    ("override", "path", "own", "used"),
    [
        ("degradation=jpeg", "degradation", "rain", "jpeg"),
        ("degradation=null", "degradation", "rain", None),
        ("data.test={folder: {path: mine}}", "data.test", "bundled", "folder"),
        ("sampling.steps=8", "sampling.steps", 4, 8),
        ("sampling.sampler=heun", "sampling.sampler", "ddim", "heun"),
        ("evaluation.seed=3", "evaluation.seed", 0, 3),
        ("evaluation.limit=2", "evaluation.limit", None, 2),
    ],
)
def test_another_evaluation_is_named_by_what_differs(about, override, path, own, used):
    other, again = about(override), about(override, "metrics=[psnr]")
    found = {p: tuple(next(iter(v)) if isinstance(v, dict) else v for v in pair) for p, pair in other.overrides.items()}
    assert found[path] == (own, used)
    assert other.title == f"Evaluation {other.digest} on test"
    assert other.folder == f"evaluation-test-{other.digest}"
    assert again.digest == other.digest != about("seed=1", "sampling.steps=9").digest


def test_a_pictures_split_of_the_other_kind_is_no_difference(about):
    assert about("data.val={folder: {path: mine}}").title == "Scores on test"


def test_the_card_names_data_pictures_overrides_metrics_and_day(about):
    scores = Scores((Score("degraded", "a", "psnr", 20.0), Score("degraded", "b", "psnr", 22.0)), {"psnr": "higher"})
    text = about("sampling.steps=8").markdown(scores)
    assert '- pictures: 2 of data.test, `{"bundled": ' in text
    assert "- different from the model's own: sampling.steps 8 (the model's own: 4)\n" in text
    assert "- metrics: psnr\n" in text
    assert f"- made: {datetime.datetime.now(datetime.UTC).date()} (UTC), texprior " in text


def test_a_model_of_an_earlier_version_keeps_its_evaluation_in_float32(monkeypatch):
    """What it is scored with in bfloat16 is another evaluation; both name their precision."""
    monkeypatch.setenv(CHOICE, "yes")
    registry = Registry.discover()
    stored = config.resolve({"name": "model"}, registry).model_dump(mode="json")
    del stored["sampling"]["amp"]
    own, new = config.resolve(stored, registry, stored=True), config.resolve(stored, registry)
    as_stored, in_half = (about_evaluation(judged, own, torch.device("cpu")) for judged in (own, new))
    assert (as_stored.folder, dict(as_stored.overrides)) == ("evaluation-test", {})
    assert dict(in_half.overrides) == {"sampling.amp": (False, True)}
    assert in_half.folder != as_stored.folder
    none = Scores((), {})
    assert "- precision of the sampling: float32\n" in as_stored.markdown(none)
    assert "- precision of the sampling: bfloat16\n" in in_half.markdown(none)
