"""Training pictures without texture: a sentence of its own, before anything is trained."""

import numpy as np
import pytest
import torch
from PIL import Image

from texprior import config
from texprior.errors import ConfigError
from texprior.registry import Registry
from texprior.runtime.session import Session
from texprior.training.adapter import train_adapter
from texprior.training.data import require_layer
from texprior.training.predictor import train_predictor
from texprior.training.prior import train_prior

TRAINING = {"batch": 4, "patch": 32, "warmup_images": 0, "budget": {"images": 8}}
SMALL = {
    "name": "flat",
    "events": [],
    "threads": 1,
    "data": {"train": {"bundled": {"max_side": 64}}, "variants": 1},
    "degradation": {"defocus": {"radius": 2.0, "noise": 0.0, "linear": False}},
    "encoder": "none",
    "denoiser": {"unet": {"width": 8, "levels": 2, "blocks": 1, "heads": 1}},
    "predictor": "identity",
    "adapter": {"cga": {"width": 8}},
    "training": dict.fromkeys(("prior", "predictor", "adapter"), TRAINING),
}


@pytest.fixture
def flat(tmp_path):
    """A folder of pictures of one colour each."""
    folder = tmp_path / "flat"
    folder.mkdir()
    for level in (0, 60, 200):
        Image.new("RGB", (64, 48), (level, 255 - level, 7)).save(folder / f"{level}.png")
    return {"data": {"train": {"folder": {"path": str(folder)}}, "variants": 1}}


def session(tmp_path, **more):
    registry = Registry.discover()
    return Session.start(config.resolve({**SMALL, **more}, registry), registry, root=tmp_path / "runs")


def test_stage_one_names_the_split_and_what_to_do(tmp_path, flat):
    with pytest.raises(ConfigError) as caught:
        train_prior(session(tmp_path, **flat))
    message = str(caught.value)
    assert message.startswith("data.train: the texture that decomposition 'guided' separates has a standard deviation")
    assert "use photographs with fine detail, or a stronger decomposition" in message
    assert "lr" not in message
    assert not list((tmp_path / "runs").rglob("prior.safetensors"))


@pytest.mark.parametrize("scale", ["prior", "measured"])
def test_stage_two_names_the_split_and_what_to_do(tmp_path, flat, scale):
    prior = train_prior(session(tmp_path)).folder
    here = session(tmp_path, **flat, process={"residual_scale": scale})
    with pytest.raises(ConfigError) as caught:
        train_adapter(here, prior, train_predictor(here).folder)
    message = str(caught.value)
    assert message.startswith("data.train: the residual of the predictor's estimate ('identity') has a standard dev")
    assert "use photographs with fine detail, and a degradation that removes it" in message
    assert not list((tmp_path / "runs").rglob("adapter.safetensors"))


def test_one_flat_picture_among_others_is_fine(tmp_path, flat):
    folder = tmp_path / "flat"
    noise = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(folder / "noise.png")
    assert (train_prior(session(tmp_path, **flat)).folder / "prior.safetensors").is_file()


def test_a_weak_layer_and_a_broken_component_are_left_to_the_training():
    assert require_layer(1e-4, "the layer", "") == 1e-4
    assert torch.tensor(require_layer(float("nan"), "the layer", "")).isnan()
