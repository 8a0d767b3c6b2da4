"""What every decomposition promises, on real photographs and at awkward sizes."""

import pytest
import torch

from texprior_plugins.decomposition import GuidedOptions, L0Options, texprior_decompositions
from texprior_plugins.decomposition.guided import Guided
from texprior_plugins.decomposition.l0 import L0

FILTERS = {"guided": (Guided, GuidedOptions), "l0": (L0, L0Options)}


@pytest.fixture(params=FILTERS)
def make(request):
    implementation, options = FILTERS[request.param]
    return lambda **values: implementation(options(**values))


@pytest.fixture(params=texprior_decompositions(), ids=lambda component: component.name)
def component(request):
    return request.param


@pytest.mark.parametrize("shape", [(1, 3, 33, 47), (2, 1, 8, 9), (1, 5, 1, 40), (1, 4, 40, 1), (1, 3, 1, 1)])
def test_layers_sum_to_the_picture(make, shape):
    x = torch.rand(shape, generator=torch.Generator().manual_seed(1))
    structure, texture = make()(x)
    assert structure.shape == texture.shape == x.shape
    assert torch.isfinite(structure).all()
    assert (structure + texture - x).abs().max() <= 1.2e-7


def test_layers_of_a_photograph_sum_to_it_and_it_is_left_as_it_was(make, photograph):
    before = photograph.clone()
    structure, texture = make()(photograph)
    assert (structure + texture - photograph).abs().max() <= 1.2e-7
    assert 0.005 < texture.std() < 0.1
    assert torch.equal(photograph, before)


@pytest.mark.parametrize("value", [0.0, 0.37, 1.0])
@pytest.mark.parametrize("shape", [(1, 3, 40, 31), (1, 1, 1, 7), (1, 2, 3, 1)])
def test_a_constant_picture_has_no_texture(make, value, shape):
    assert make()(torch.full(shape, value)).texture.abs().max() <= 1e-6


def test_a_batch_is_its_pictures_one_by_one(make, photograph):
    pair = torch.cat([photograph, photograph.flip(-1) ** 2])
    together = make()(pair).structure
    alone = torch.cat([make()(picture[None]).structure for picture in pair])
    assert (together - alone).abs().max() <= 1e-6


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_dtype_is_kept(make, photograph, dtype):
    structure, texture = make()(photograph.to(dtype))
    assert structure.dtype == texture.dtype == dtype
    assert (structure.float() - make()(photograph.to(dtype).float()).structure).abs().max() <= 2**-8


def test_declared_strength_moves_energy_to_the_texture(component, photograph):
    implementation, options = FILTERS[component.name]
    low, high = {"eps": (1e-4, 1e-1), "lam": (2e-3, 1e-1)}[component.strength]
    values = torch.logspace(torch.tensor(low).log10(), torch.tensor(high).log10(), 6).tolist()
    pictures = torch.cat([photograph, photograph.flip(1), 1 - photograph])
    energies = [
        implementation(options(**{component.strength: value}))(pictures).texture.square().mean().item()
        for value in values
    ]
    assert energies == sorted(energies)
    assert energies[-1] > 4 * energies[0]
