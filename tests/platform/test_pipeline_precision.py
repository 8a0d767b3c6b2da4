"""Sampling in bfloat16: what is called in it, what stays in float32, and how far the restored picture moves."""

import pytest
import torch

from texprior import config, pipeline
from texprior.config.schema import Experiment
from texprior.flow.precision import CHOICE
from texprior.registry import Registry

UNET = {"width": 8, "levels": 2, "blocks": 1}


@pytest.fixture(autouse=True)
def bfloat16(monkeypatch):
    """As on a device that is faster in bfloat16."""
    monkeypatch.setenv(CHOICE, "yes")


@pytest.fixture(scope="module")
def model(untrained):
    sampling = {"sampler": "euler-ancestral", "steps": 3}
    return untrained(Registry.discover(), encoder={"mobilenet_v2": {"stages": 3}}, sampling=sampling)


def restored(model, amp, **settings):
    degraded = torch.rand(1, 3, 96, 80, generator=torch.Generator().manual_seed(0))
    sampling = model.experiment.sampling.model_copy(update={"amp": amp, **settings})
    return pipeline.restore(model, degraded, "key", sampling)


def precisions(monkeypatch, module):
    """What a network computes its output in, call by call; autocast decides it."""
    seen, forward = [], module.forward

    def spy(*given, **named):
        found = forward(*given, **named)
        inputs = {each.dtype for each in given if isinstance(each, torch.Tensor)}
        seen.append((inputs, torch.is_autocast_enabled("cpu"), found.dtype))
        return found

    monkeypatch.setattr(module, "forward", spy)
    return seen


@pytest.mark.parametrize(("amp", "dtype"), [(True, torch.bfloat16), (False, torch.float32)])
def test_the_denoiser_alone_is_called_in_bfloat16(model, monkeypatch, amp, dtype):
    called, float32 = precisions(monkeypatch, model.prior.network), {torch.float32}
    others = [precisions(monkeypatch, each) for each in (model.predictor, model.prior.encoder)]
    features, compute = [], model.adapter.features

    def spy(estimate):
        features.append(torch.is_autocast_enabled("cpu"))
        return compute(estimate)

    monkeypatch.setattr(model.adapter, "features", spy)
    found = restored(model, amp)
    assert called == [(float32, amp, dtype)] * 3
    assert features == [amp]
    assert others == [[(float32, False, torch.float32)]] * 2
    assert {each.dtype for each in (found.picture, found.layer, found.base, found.spread)} == float32


def test_the_samplers_arithmetic_stays_in_float32(model, monkeypatch):
    """With F = 0 a call has nothing to round, so that both precisions give the same picture to the bit."""
    monkeypatch.setattr(model.prior.network, "forward", lambda x, *_rest, **_named: torch.zeros_like(x).bfloat16())
    assert torch.equal(restored(model, True, samples=2).layer, restored(model, False, samples=2).layer)


def test_bfloat16_moves_the_layer_by_its_rounding(model):
    """Its 8 significant bits round F by 2^-9 each; a few layers of rounding stay below 2^-5 of the layer."""
    half, exact = restored(model, True), restored(model, False)
    assert torch.equal(half.base, exact.base)
    off = (half.layer - exact.layer).square().mean().sqrt() / exact.layer.std()
    assert 2**-12 < off < 2**-5


def test_tiles_that_compute_their_features_again_do_so_in_the_same_precision(model):
    tiled = {"tile": 64, "halo": 32}
    kept, again = (restored(model, True, features_mb=room, **tiled) for room in (64, 0))
    assert torch.equal(kept.layer, again.layer)


def test_stored_experiments_sample_in_float32_and_keep_their_identity():
    registry = Registry.discover()
    stored = Experiment(name="x").model_dump(mode="json")
    del stored["sampling"]["amp"]
    old, new = config.resolve(stored, registry, stored=True), config.resolve(stored, registry)
    assert (old.sampling.amp, new.sampling.amp) == (False, True)
    exact, half = (config.resolve(stored, registry, [f"sampling.amp={v}"], stored=True) for v in ("false", "true"))
    assert old.hash() == exact.hash() != half.hash()
    assert "amp" not in exact.decisive_settings()["sampling"]
