"""What every degradation promises."""

import json
import random

import numpy as np
import pytest
import torch

from texprior.diffusion.keys import generator
from texprior.flow.degrade import degrade, draw, replay
from texprior.plugin import Ref
from texprior.registry import Registry
from texprior_plugins.degradation import DEGRADATIONS

OPTIONS = {
    "defocus": {"radius": 1.0, "radius_max": 4.0},
    "albumentations": {"transform": "GaussNoise"},
    "sequence": {"steps": ["haze", {"jpeg": {"quality_min": 30}}, {"choice": {"of": ["rain", "defocus"]}}]},
    "choice": {"of": ["defocus", "camera_noise"]},
}
NAMES = [component.name for component in DEGRADATIONS]


@pytest.fixture(scope="module")
def registry():
    return Registry.discover()


@pytest.fixture(scope="module", params=NAMES)
def make(request, registry):
    ref = Ref(name=request.param, options=OPTIONS.get(request.param, {}))
    return lambda: registry.build("degradation", ref)


def test_a_function_of_seed_and_key_at_any_batch_size_and_order(make, photographs):
    batch, keys = torch.stack(photographs), ["a", "b", "c"]
    together = degrade(batch, make(), 7, keys, None)
    backwards = degrade(batch.flip(0), make(), 7, keys[::-1], None).flip(0)
    alone = torch.cat([degrade(batch[i : i + 1], make(), 7, [key], None) for i, key in reversed(list(enumerate(keys)))])
    assert torch.equal(together, backwards)
    assert torch.equal(together, alone.flip(0))
    assert not torch.equal(together, degrade(batch, make(), 8, keys, None))
    assert not torch.equal(together, degrade(batch, make(), 7, ["b", "c", "a"], None))


def test_the_same_on_any_number_of_threads(make, photographs):
    before = torch.get_num_threads()
    results = []
    for threads in (1, 3):
        torch.set_num_threads(threads)
        results.append(make()(photographs[0], generator(1)))
    torch.set_num_threads(before)
    assert torch.equal(*results)


def test_global_random_numbers_and_the_input_are_untouched(make, photographs):
    degradation, before = make(), photographs[0].clone()
    states = torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate()
    degradation(photographs[0], generator(0, "degrade", "x"))
    assert torch.equal(torch.get_rng_state(), states[0])
    assert np.array_equal(np.random.get_state()[1], states[1])
    assert random.getstate() == states[2]
    assert torch.equal(photographs[0], before)


@pytest.mark.parametrize("size", [(16, 16), (33, 47), (5, 3), (64, 16)])
def test_shape_range_and_dtype(make, size):
    image = torch.rand(3, *size, generator=generator(0))
    degraded = make()(image, generator(1))
    assert degraded.shape == image.shape
    assert degraded.dtype == torch.float32
    assert torch.isfinite(degraded).all()
    assert degraded.min() >= 0
    assert degraded.max() <= 1


@pytest.mark.parametrize("level", [0.0, 0.5, 1.0])
def test_flat_pictures_stay_finite_and_in_range(make, level):
    degraded = make()(torch.full((3, 20, 31), level), generator(3))
    assert torch.isfinite(degraded).all()
    assert 0 <= degraded.min() <= degraded.max() <= 1


def test_real_photographs_are_changed_and_recognisable(make, photographs):
    """Not the picture itself, and nearer to it than another one is."""
    for i, image in enumerate(photographs):
        degraded, other = make()(image, generator(i)), photographs[(i + 1) % 3]
        assert not torch.equal(degraded, image)
        image, other, degraded = (x - x.mean((1, 2), keepdim=True) for x in (image, other, degraded))
        correlation = (image * degraded).sum() / (image.norm() * degraded.norm())
        assert correlation > (other * degraded).sum() / (other.norm() * degraded.norm())


def test_a_recipe_that_went_through_json_makes_the_same_picture(make, photographs):
    degradation, image = make(), photographs[1]
    recipe = json.loads(json.dumps(draw(degradation, generator(9), (96, 128))))
    first = replay(degradation, image, recipe)
    assert torch.equal(first, degradation(image, generator(9)))
    assert torch.equal(first, replay(make(), image, recipe))
    torch.rand(7)  # nothing but the recipe counts
    assert torch.equal(first, replay(degradation, image, recipe))


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("defocus", {"radius": 3.0, "radius_max": 2.0}),
        ("rain", {"angle_min": 10.0, "angle_max": -10.0}),
        ("haze", {"beta_min": 2.0, "beta_max": 1.0}),
        ("haze", {"airlight_min": 0.9, "airlight_max": 0.8}),
        ("snow", {"angle_min": 40.0, "angle_max": 30.0}),
        ("raindrop", {"contact_min": 60.0, "contact_max": 50.0}),
        ("low_light", {"stops_min": 3.0, "stops_max": 2.0}),
        ("motion_blur", {"length_min": 9.0, "length_max": 8.0}),
        ("camera_noise", {"shot_min": 0.01, "shot_max": 0.001}),
        ("jpeg", {"quality_min": 50, "quality_max": 40}),
        ("downscale", {"factor_min": 3.0, "factor_max": 2.0}),
        ("real_esrgan", {"quality_min": 90, "quality_max": 80}),
        ("noise_jpeg", {"noise_min": 9.0, "noise_max": 8.0}),
        ("noise_jpeg", {"quality_min": 90, "quality_max": 10}),
    ],
)
def test_bounds_in_the_wrong_order_are_refused_with_a_sentence(registry, name, values):
    low, high = values
    with pytest.raises(ValueError, match=rf"{high} \(.*\) is below {low} \(.*\)"):
        registry.options_of("degradation", Ref(name=name, options=values))


def test_every_degradation_cites_its_model():
    """All but the two that put others together."""
    assert [c.name for c in DEGRADATIONS if not c.citation] == ["sequence", "choice"]
    for component in DEGRADATIONS:
        assert component.citation.count("{") == component.citation.count("}")
        assert component.citation.count("@") >= bool(component.citation)
