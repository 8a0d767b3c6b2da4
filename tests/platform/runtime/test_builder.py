"""A builder builds the component at a path, with weights that are a function of the experiment's seed."""

import pytest
import torch

from texprior import config
from texprior.errors import ConfigError
from texprior.flow.kinds import DATASET, DEGRADATION, PREDICTOR, SAMPLER
from texprior.registry import Registry
from texprior.runtime.builder import Builder


@pytest.fixture(scope="module")
def registry():
    return Registry.discover()


def builder(registry, **more):
    return Builder(config.resolve({"name": "x", "predictor": {"unet": {"width": 8}}, **more}, registry), registry)


def test_weights_are_a_function_of_the_seed(registry):
    one, again, other = (builder(registry, seed=seed).build(PREDICTOR).state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(one[name], again[name]) for name in one)
    assert any(not torch.equal(one[name], other[name]) for name in one)


def test_a_kind_with_one_place_needs_no_path_and_a_data_set_needs_one(registry):
    assert len(builder(registry).build(DATASET, "data.val").keys("val")) > 0
    with pytest.raises(ConfigError, match=r"^dataset: the experiment names no component there$"):
        builder(registry).build(DATASET)


def test_another_kind_at_a_path_is_refused(registry):
    with pytest.raises(ConfigError, match=r"^sampling\.sampler: the experiment names no component there$"):
        builder(registry).build(DATASET, "sampling.sampler")
    assert builder(registry).build(SAMPLER, "sampling.sampler").calls(4) == 4
    with pytest.raises(ConfigError, match=r"^degradation: the experiment names no component there$"):
        builder(registry, degradation=None).build(DEGRADATION)


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_a_missing_device_is_said(registry):
    with pytest.raises(ConfigError, match=r"^device: cuda:3 is not there; this machine has 0 CUDA devices$"):
        builder(registry, device="cuda:3").device  # noqa: B018
    assert builder(registry, device="auto").device == torch.device("cpu")
