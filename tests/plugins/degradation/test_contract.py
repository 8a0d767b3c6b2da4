"""What every degradation promises."""

import random

import numpy as np
import pytest
import torch

from texprior.diffusion.keys import generator
from texprior.flow.degrade import degrade
from texprior_plugins.degradation import DefocusOptions, NoiseJpegOptions, RainOptions
from texprior_plugins.degradation.defocus import Defocus
from texprior_plugins.degradation.noise_jpeg import NoiseJpeg
from texprior_plugins.degradation.rain import Rain

MAKE = {
    "defocus": lambda: Defocus(DefocusOptions(radius=1.0, radius_max=4.0)),
    "rain": lambda: Rain(RainOptions()),
    "noise_jpeg": lambda: NoiseJpeg(NoiseJpegOptions()),
}


@pytest.fixture(params=MAKE)
def make(request):
    return MAKE[request.param]


def test_a_function_of_seed_and_key_at_any_batch_size_and_order(make, photographs):
    batch, keys = torch.stack(photographs), ["a", "b", "c"]
    together = degrade(batch, make(), 7, keys)
    backwards = degrade(batch.flip(0), make(), 7, keys[::-1]).flip(0)
    alone = torch.cat([degrade(batch[i : i + 1], make(), 7, [key]) for i, key in reversed(list(enumerate(keys)))])
    assert torch.equal(together, backwards)
    assert torch.equal(together, alone.flip(0))
    assert not torch.equal(together, degrade(batch, make(), 8, keys))
    assert not torch.equal(degrade(batch[:1], make(), 7, ["b"]), together[:1])


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
    assert not torch.equal(degraded, image)


@pytest.mark.parametrize(
    ("options", "values"),
    [
        (DefocusOptions, {"radius": 3.0, "radius_max": 2.0}),
        (RainOptions, {"angle_min": 10.0, "angle_max": -10.0}),
        (NoiseJpegOptions, {"noise_min": 9.0, "noise_max": 8.0}),
        (NoiseJpegOptions, {"quality_min": 90, "quality_max": 10}),
    ],
)
def test_bounds_in_the_wrong_order_are_refused_with_a_sentence(options, values):
    low, high = values
    with pytest.raises(ValueError, match=rf"{high} \(.*\) is below {low} \(.*\)"):
        options(**values)
