"""Samples that share network calls are those that are sampled one by one."""

import pytest
import torch

from texprior import pipeline
from texprior.models import sections
from texprior.registry import Registry

UNET = {"width": 8, "levels": 2, "blocks": 1}
SIDE = sections.SHARED // 2
"""Four pictures of this side have the pixels of one call."""


@pytest.fixture(scope="module")
def registry():
    return Registry.discover()


@pytest.fixture
def built(registry, untrained):
    def build(adapter, **sampling):
        small = {"encoder": {"mobilenet_v2": {"stages": 3}}, "predictor": "identity", "adapter": adapter}
        sampled = {"sampler": "euler-ancestral", "steps": 2, "samples": 6, **sampling}
        return untrained(registry, **small, diffusion={"condition_noise": 0.05}, sampling=sampled)

    return build


def restored(model, side=SIDE):
    picture = torch.rand(1, 3, side, side, generator=torch.Generator().manual_seed(0))
    return pipeline.restore(model, picture, "key")


@pytest.mark.parametrize("adapter", ["cga", "sft", "film", "spade", "t2i", "controlnet", "ia3", "lora"])
def test_they_are_the_same_samples_whatever_shares_a_call(built, monkeypatch, adapter):
    """Mean and spread of six agree within 1e-5 of the layer's deviation: convolutions round differently by batch."""
    model = built(adapter)
    together = restored(model)
    monkeypatch.setattr(sections, "SHARED", 0)
    alone = restored(model)
    limit = 1e-5 * float(alone.layer.std())
    assert (together.layer - alone.layer).abs().max() < limit
    assert (together.spread - alone.spread).abs().max() / model.process.scale < limit
    assert together.calls == alone.calls == 12


def test_a_call_gets_no_more_pixels_than_it_may(built, monkeypatch):
    model, batches = built("cga"), []
    forward = model.prior.network.forward
    monkeypatch.setattr(
        model.prior.network, "forward", lambda x, *more, **named: batches.append(len(x)) or forward(x, *more, **named)
    )
    restored(model)
    assert batches == [4, 4, 2, 2]
    batches.clear()
    restored(model, 2 * SIDE - 16)
    assert batches == [1] * 12


def test_tiles_of_several_samples_are_those_of_each(built, monkeypatch):
    model = built("cga", tile=64, halo=32)
    together = restored(model)
    monkeypatch.setattr(sections, "SHARED", 0)
    assert (together.layer - restored(model).layer).abs().max() < 1e-5 * float(together.layer.std())


def test_the_calls_are_told_as_if_each_had_one_sample(built):
    model, told = built("cga"), []
    picture = torch.rand(1, 3, SIDE, SIDE)
    size, tell = (SIDE, SIDE), lambda *numbers: told.append(numbers)
    list(pipeline.restore_sections(model, lambda r, c: picture[..., r, c], size, "key", tell=tell))
    assert told == [(4, 12), (8, 12), (10, 12), (12, 12)]
