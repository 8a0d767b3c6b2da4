"""What every decomposition promises, on real photographs and at awkward sizes."""

import importlib
import random

import numpy as np
import pytest
import torch

from texprior.config.search_dimension import tuned_dimensions


@pytest.fixture
def make(component):
    """Builds the decomposition under test, as the registry does."""
    module, _, name = component.impl.partition(":")
    implementation = getattr(importlib.import_module(module), name)
    return lambda **values: implementation(component.options(**values))


@pytest.mark.parametrize("shape", [(1, 3, 33, 47), (2, 1, 8, 9), (1, 5, 1, 40), (1, 4, 40, 1), (1, 3, 1, 1)])
def test_layers_sum_to_the_picture(make, shape):
    x = torch.rand(shape, generator=torch.Generator().manual_seed(1))
    structure, texture = make()(x)
    assert structure.shape == texture.shape == x.shape
    assert torch.isfinite(structure).all()
    assert (structure + texture - x).abs().max() <= 1.2e-7


def test_layers_of_a_photograph_sum_to_it_and_nothing_else_is_touched(make, crop):
    before, states = crop.clone(), (random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state())
    structure, texture = make()(crop)
    assert (structure + texture - crop).abs().max() <= 1.2e-7
    assert 0.005 < texture.std() < crop.std()
    assert torch.equal(crop, before)
    assert (random.getstate(), np.random.get_state()[1].tolist()) == states[:2]
    assert torch.equal(torch.get_rng_state(), states[2])


def test_everything_is_made_on_the_pictures_device(make, crop):
    """With another default device, whatever is made without a device of its own would not fit to the picture."""
    with torch.device("meta"):
        structure, texture = make()(crop[..., :20, :24])
    assert structure.device == texture.device == crop.device
    assert torch.equal(structure, make()(crop[..., :20, :24]).structure)


@pytest.mark.parametrize("value", [0.0, 0.37, 1.0])
@pytest.mark.parametrize("shape", [(1, 3, 40, 31), (1, 1, 1, 7), (1, 2, 3, 1)])
def test_a_constant_picture_has_no_texture(make, value, shape):
    assert make()(torch.full(shape, value)).texture.abs().max() <= 1e-6


def test_a_batch_is_its_pictures_one_by_one(make, crop):
    pair = torch.cat([crop, crop.flip(-1) ** 2])
    together = make()(pair).structure
    alone = torch.cat([make()(picture[None]).structure for picture in pair])
    assert (together - alone).abs().max() <= 2e-6


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_dtype_is_kept(make, crop, dtype):
    structure, texture = make()(crop.to(dtype))
    assert structure.dtype == texture.dtype == dtype
    assert (structure.float() - make()(crop.to(dtype).float()).structure).abs().max() <= 2**-8


def test_declared_strength_moves_energy_to_the_texture(component, make, crop):
    if not component.strength:
        assert component.name == "none"
        return
    pictures = torch.cat([crop, 1 - crop])
    bounds = tuned_dimensions(component.options)[component.strength]
    ends = [torch.tensor(float(end)) for end in (bounds.low, bounds.high)]
    space = torch.logspace(*(end.log10() for end in ends), 4) if bounds.log else torch.linspace(*ends, 4)
    values = space.clamp(*ends).tolist()
    energies = [make(**{component.strength: value})(pictures).texture.square().mean().item() for value in values]
    assert energies == sorted(energies)
    assert energies[-1] > 4 * energies[0]
