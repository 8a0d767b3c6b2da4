"""A training as a run: what is said, and recorded, if a resume cannot compute as before."""

import pytest

from texprior import config
from texprior.registry import Registry
from texprior.runtime.session import Session
from texprior.store import about_tensors
from texprior.training.predictor import train_predictor

TRAINING = {"batch": 2, "patch": 16, "warmup_images": 0}


@pytest.fixture
def trained(tmp_path):
    """trained(images) -> what a predictor's file says of its training, and what was said."""
    registry, said = Registry.discover(), []

    def train(images):
        settings = {
            "name": "x", "events": [], "threads": 1, "device": "cpu",
            "data": {"train": {"bundled": {"max_side": 64}}, "variants": 1},
            "degradation": "defocus", "predictor": {"unet": {"width": 8, "levels": 1, "blocks": 1}},
            "training": {"predictor": {**TRAINING, "budget": {"images": images}}},
        }  # fmt: skip
        session = Session(config.resolve(settings, registry), registry, root=tmp_path, say=said.append)
        return about_tensors(train_predictor(session).folder / "predictor.safetensors"), said

    return train


def test_a_resume_computes_as_before(trained, monkeypatch):
    """A second trial of the processor may end on the other side of the limit."""
    monkeypatch.delenv("TEXPRIOR_BFLOAT16", raising=False)
    monkeypatch.setattr("texprior.flow.precision._cpu_gains", lambda: True)
    assert trained(4)[0]["precision"] == "bfloat16"
    monkeypatch.setattr("texprior.flow.precision._cpu_gains", lambda: False)
    # set by the training; undone with the fixture
    monkeypatch.setenv("TEXPRIOR_BFLOAT16", "")
    about, said = trained(8)
    assert (about["precision"], about["images_seen"]) == ("bfloat16", 8)
    assert not [line for line in said if "continues in" in line]


def test_a_resume_in_another_precision_is_said_and_recorded(trained, monkeypatch):
    monkeypatch.setenv("TEXPRIOR_BFLOAT16", "yes")
    trained(4)
    monkeypatch.setenv("TEXPRIOR_BFLOAT16", "no")
    about, said = trained(8)
    assert about["precision"] == "bfloat16, then float32"
    warning = "warning: predictor: continues in float32; up to image 4 it was trained in bfloat16"
    assert [line for line in said if "continues in" in line] == [warning]
    # the next one goes on in what the last steps were computed in
    assert trained(12)[0]["precision"] == "bfloat16, then float32"
