"""Degradations as functions of (seed, key), and their recipes."""

import json

import pytest
import torch

from texprior.diffusion.keys import generator
from texprior.errors import ContractError, ImageError
from texprior.flow.degrade import (
    Replayable,
    degrade,
    degraded_sample,
    draw,
    draw_seed,
    replay,
    rng_of,
    rounded,
    seeded,
    spawn,
)
from texprior.flow.image import Sample, load_image, save_image


class Shift(Replayable):
    """Adds a number that it draws, and a field of which it keeps the seed."""

    def draw(self, rng, size):
        return {
            "by": float(torch.rand((), generator=rng, dtype=torch.float64)),
            "size": list(size),
            "seed": draw_seed(rng),
        }

    def apply(self, image_CHW, recipe):
        field = torch.rand(image_CHW.shape, generator=seeded(recipe["seed"]))
        return ((image_CHW + recipe["by"] + field) / 3).clamp(0, 1)


def noise(image_CHW, rng):
    """A degradation that is a plain function."""
    return torch.rand(image_CHW.shape, generator=rng)


@pytest.mark.parametrize("degradation", [Shift(), noise])
def test_a_recipe_gives_the_picture_of_the_same_seed_and_key(degradation):
    image = torch.full((3, 4, 6), 0.5)
    degraded = degrade(image[None], degradation, 3, ["key"], None)[0]
    recipe = json.loads(json.dumps(draw(degradation, rng_of(3, "key"), (4, 6))))
    assert torch.equal(replay(degradation, image, recipe), degraded)
    other = draw(degradation, rng_of(4, "key"), (4, 6))
    assert not torch.equal(replay(degradation, image, other), degraded)


def test_a_recipe_says_what_was_drawn():
    recipe = draw(Shift(), rng_of(0, ("a", 1)), (7, 5))
    assert (recipe["size"], 0 <= recipe["by"] < 1) == ([7, 5], True)
    assert 0 <= recipe["seed"] < 2**53
    assert draw(noise, rng_of(0, "a"), (7, 5)) == {"seed": rng_of(0, "a").initial_seed()}


def test_generators_that_are_spawned_differ_and_follow_from_the_first():
    rng, again = generator(1), generator(1)
    first, second = spawn(rng), spawn(rng)
    assert first.initial_seed() != second.initial_seed()
    assert spawn(again).initial_seed() == first.initial_seed()


def test_a_degraded_picture_is_what_a_file_of_it_holds(tmp_path):
    """To the bit: a model sees the same numbers in training as in a user's PNG."""
    clean = torch.rand(3, 9, 11, generator=seeded(1))
    for degraded in (degrade(clean[None], noise, 3, ["key"])[0], degraded_sample(Sample("key", clean), noise, 3)):
        save_image(degraded, tmp_path / "file.png")
        assert torch.equal(load_image(tmp_path / "file.png"), degraded)
    unrounded = degrade(clean[None], noise, 3, ["key"], None)[0]
    assert not torch.equal(load_image(tmp_path / "file.png"), unrounded)


@pytest.mark.parametrize(("bits", "expected"), [(8, 3 / 255), (16, 779 / 65535), (None, 0.01189)])
def test_rounding_goes_to_the_nearest_of_the_levels(bits, expected):
    """0.01189 is 3.03 of 255 steps and 779.2 of 65535."""
    assert float(rounded(torch.tensor(0.01189), bits)) == pytest.approx(expected, abs=1e-8)


def test_a_picture_from_a_file_is_not_rounded():
    own = torch.full((3, 2, 2), 0.01189)
    assert torch.equal(degraded_sample(Sample("key", own, own), None, 0), own)


def test_a_degraded_picture_of_another_size_is_named():
    clean = torch.rand(3, 8, 12)
    with pytest.raises(ImageError, match="street: the degraded picture has 6x8 px and the clean one 12x8 px"):
        degraded_sample(Sample("street", clean, clean[:, :, :6]), None, 0)
    with pytest.raises(ContractError, match=r"the degraded picture has shape \(3, 8, 6\); expected \(3, 8, 12\)"):
        degraded_sample(Sample("street", clean), lambda image, _rng: image[:, :, :6], 0)
