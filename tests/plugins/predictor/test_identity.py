"""The control without a predictor: nothing to train, so that its training is left out, and its model is a model."""

import pytest
import torch

from texprior import config, pipeline
from texprior.models.folders import PREDICTOR, load_model
from texprior.plugin import Options
from texprior.registry import Registry
from texprior.runtime.session import Session
from texprior.store import load_tensors
from texprior.training.adapter import train_adapter
from texprior.training.predictor import train_predictor
from texprior.training.prior import train_prior
from texprior_plugins.predictor.identity import Identity

TINY = {
    "name": "tiny",
    "data": {n: {"bundled": {"max_side": 64}} for n in ("train", "val", "test")} | {"variants": 1},
    "encoder": "none",
    "denoiser": {"unet": {"width": 8, "levels": 1, "blocks": 1}},
    "predictor": "identity",
    "training": {
        part: {"budget": {"images": 4}, "batch": 4, "patch": 16} for part in ("prior", "predictor", "adapter")
    },
    "events": [],
}


@pytest.fixture(scope="module")
def session(tmp_path_factory):
    registry = Registry.discover()
    said = []
    start = Session.start(config.resolve(TINY, registry), registry, root=tmp_path_factory.mktemp("runs"))
    return start.with_(say=said.append), said


def test_it_is_the_picture_itself_and_its_loss_the_error():
    image = torch.rand(2, 3, 7, 5)
    built = Identity(Options())
    assert torch.equal(built(image), image)
    assert built.loss(image + 0.25, image) == pytest.approx([0.25] * 2)
    assert not built.needs_training


def test_its_training_is_left_out_and_said_so(session):
    s, said = session
    folder = train_predictor(s).folder
    assert said[-1] == "predictor: 'identity' has nothing to train; it is used as it is"
    tensors, about = load_tensors(folder / PREDICTOR)
    assert (tensors, about["images_seen"]) == ({}, 0)
    before = (folder / PREDICTOR).read_bytes()
    assert (train_predictor(s).folder / PREDICTOR).read_bytes() == before


def test_a_model_with_it_is_trained_stored_loaded_and_restores(session):
    s, _ = session
    prior, predictor = train_prior(s).folder, train_predictor(s).folder
    folder = train_adapter(s, prior, predictor).folder
    model = load_model(folder, s.builder)
    degraded = torch.rand(1, 3, 20, 30, generator=torch.Generator().manual_seed(0))
    result = pipeline.restore(model, degraded, "key")
    assert torch.equal(result.estimate, degraded)
    assert result.picture.shape == degraded.shape


def test_a_dry_run_says_that_it_takes_nothing(session):
    from texprior.training.dry_run import measure_stage_two

    predictor, adapter = measure_stage_two(session[0], None)
    assert (predictor.parameters, predictor.trainable, predictor.budget_images, predictor.expected_s) == (0, 0, 0, 0.0)
    assert adapter.trainable > 0
