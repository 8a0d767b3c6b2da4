"""dihedral and mirror: the numbers that trainings drew before there was a choice, and what happens to directions."""

import numpy as np
import pytest
import torch

from texprior.diffusion.keys import generator
from texprior.plugin import Ref
from texprior.registry import Registry
from texprior.training.patches import Patches, Pool


@pytest.fixture(scope="module")
def registry():
    return Registry.discover()


@pytest.fixture
def build(registry):
    return lambda name: registry.build("augmentation", Ref(name=name))


def prepare(key):
    picture = torch.rand(3, 40, 50, generator=generator("picture", key))
    return {"picture": picture, "structure": 1 - picture, "code": torch.full((4, 2), float(key))}


def test_these_are_all(registry):
    assert sorted(e.component.name for e in registry.entries("augmentation")) == ["cutblur", "dihedral", "mirror"]


def test_dihedral_is_what_trainings_did_before_there_was_a_choice(build):
    """Place, then two flips, then a transposition, of one generator; the same patches to the bit."""
    patches = Patches(Pool(["0"], prepare, 16), 16, seed=3, augmentations=[build("dihedral")])
    whole, seen = prepare("0")["picture"].numpy(), set()
    for number in range(40):
        rng = generator(3, "crop", number)
        top, left = (int(torch.randint(size - 16 + 1, (), generator=rng)) for size in (40, 50))
        down, right, turned = (float(torch.rand((), generator=rng)) < 0.5 for _ in range(3))
        expected = whole[:, top : top + 16, left : left + 16]
        expected = expected[:, ::-1] if down else expected
        expected = expected[:, :, ::-1] if right else expected
        expected = np.swapaxes(expected, 1, 2) if turned else expected
        found = patches.sample(number)
        assert np.array_equal(found["picture"].numpy(), expected)
        assert torch.equal(found["structure"], 1 - found["picture"])
        assert torch.equal(found["code"], prepare("0")["code"])
        seen.add((down, right, turned))
    assert len(seen) == 8


def test_mirror_exchanges_left_and_right_of_half_of_the_patches(build):
    patch, mirrored = {n: t for n, t in prepare("1").items() if n != "code"}, 0
    for number in range(400):
        found = build("mirror")(patch, generator(0, number))
        change = torch.equal(found["picture"], patch["picture"].flip(-1))
        mirrored += change
        for name, picture in patch.items():
            assert torch.equal(found[name], picture.flip(-1) if change else picture)
    # 200 +- 10, binomial
    assert 160 <= mirrored <= 240


def test_without_augmentations_a_patch_is_a_part_of_the_photograph():
    patch = Patches(Pool(["0"], prepare, 16), 16, seed=3).sample(7)["picture"]
    rng = generator(3, "crop", 7)
    top, left = (int(torch.randint(size - 16 + 1, (), generator=rng)) for size in (40, 50))
    assert torch.equal(patch, prepare("0")["picture"][:, top : top + 16, left : left + 16])
