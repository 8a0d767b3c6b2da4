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
    def made(registry, augmentations, **changes):
        small = {split: {"bundled": {"max_side": 64}} for split in ("train", "val", "test")}
        data = TINY | {"data": {**small, "augmentations": augmentations}} | changes
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


SHADE = """
import torch
from torch.nn import functional as F
from texprior.flow.degrade import Replayable
from texprior.flow.prior import SemanticEncoder
from texprior.plugin import Augmentation, Degradation, Encoder, hookimpl

class Shade(Replayable):
    def __init__(self, options):
        pass

    def draw(self, rng, size):
        return {"light": 0.5}

    def apply(self, image_CHW, recipe):
        return image_CHW * recipe["light"]

    def drawn(self, recipe, size):
        return {"light": torch.full((1, *size), recipe["light"])}

class Coarse(SemanticEncoder):
    width, tokens, map_stride = 2, 4, 8

    def __init__(self, options):
        super().__init__()

    def forward(self, image_BCHW):
        return F.adaptive_avg_pool2d(image_BCHW[:, :2], 2).flatten(2).mT

    def map(self, image_BCHW):
        return F.avg_pool2d(image_BCHW[:, :2], 8, ceil_mode=True)

class Colours:
    def __init__(self, options):
        pass

    def __call__(self, patch, rng):
        return {name: tensor[torch.randperm(3, generator=rng)] for name, tensor in patch.items()}

@hookimpl
def texprior_degradations():
    return [Degradation("shade", f"{__name__}:Shade", api=2)]

@hookimpl
def texprior_encoders():
    return [Encoder("coarse", f"{__name__}:Coarse", api=2)]

@hookimpl
def texprior_augmentations():
    return [Augmentation("colours", f"{__name__}:Colours", api=2)]
"""


@pytest.mark.parametrize("changes", [{"degradation": "shade"}, {"encoder": "coarse"}], ids=["map", "code"])
def test_a_rehearsal_augments_what_is_no_picture_too(session, tmp_path, changes):
    """Three channels are exchanged in every tensor, but the map has one and the code two."""
    file = tmp_path / f"exchanges_{next(iter(changes))}.py"
    file.write_text(SHADE)
    registry = Registry.discover([file])
    with pytest.raises(IndexError):
        rehearse_training(session(registry, ["colours"], **changes))
    rehearse_training(session(registry, ["dihedral"], **changes))
