"""Augmentations in trainings: what cutblur changes, and what a rehearsal refuses before anything is trained."""

import pytest
import torch

from texprior import config
from texprior.errors import ContractError
from texprior.registry import Registry
from texprior.runtime.session import Session
from texprior.training.data import cut_patches, pair_pool
from texprior.training.preflight import rehearse_training

TINY = {
    "name": "x",
    "events": [],
    "threads": 1,
    "device": "cpu",
    "degradation": {"defocus": {}},
    "encoder": "none",
    "denoiser": {"unet": {"width": 8, "levels": 2, "blocks": 1, "heads": 1}},
    "predictor": "identity",
    "training": {stage: {"patch": 32, "amp": False} for stage in ("prior", "predictor", "adapter")},
}
FORGETS = """
from texprior.plugin import Augmentation, hookimpl

class Forgets:
    def __init__(self, options):
        pass

    def __call__(self, patch, rng):
        return {name: picture for name, picture in patch.items() if name != "condition"}

@hookimpl
def texprior_augmentations():
    return [Augmentation("forgets", "forgets:Forgets", api=2)]
"""


@pytest.fixture
def session(tmp_path):
    def made(registry, augmentations):
        small = {split: {"bundled": {"max_side": 64}} for split in ("train", "val", "test")}
        data = TINY | {"data": {**small, "augmentations": augmentations}}
        return Session.start(config.resolve(data, registry), registry, root=tmp_path)

    return made


def test_the_predictor_learns_from_exchanged_rectangles_and_from_no_other_change(session):
    registry = Registry.discover()

    def batch(*augmentations):
        at = session(registry, list(augmentations))
        settings = at.experiment.training.predictor
        return cut_patches(at.builder, pair_pool(at, settings.patch), settings).batch(range(6))

    plain, cut, turned = batch(), batch("cutblur"), batch("dihedral")
    assert torch.equal(cut["clean"], plain["clean"])
    assert not torch.equal(cut["degraded"], plain["degraded"])
    of_either = (cut["degraded"] == plain["clean"]) | (cut["degraded"] == plain["degraded"])
    assert of_either.all()
    # after dihedral: the same eight symmetries as before, then a rectangle
    assert torch.equal(batch("dihedral", "cutblur")["clean"], turned["clean"])


def test_a_rehearsal_refuses_an_augmentation_that_loses_a_picture_of_the_last_training(session, tmp_path):
    file = tmp_path / "forgets.py"
    file.write_text(FORGETS)
    registry = Registry.discover([file])
    with pytest.raises(ContractError, match=r"augmentation 'forgets/forgets'.* holds clean, estimate, base; expected"):
        rehearse_training(session(registry, ["forgets"]))
    rehearse_training(session(registry, ["dihedral", "cutblur"]))
