"""What is derived from photographs and kept on disk: the same to the bit, and another if anything differs."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from texprior import config
from texprior.errors import ContractError
from texprior.flow.predict import predict
from texprior.models.build import build_predictor, build_prior
from texprior.registry import Registry
from texprior.runtime.session import Session
from texprior.store import load_tensors
from texprior.training.data import cached_guided_pool, cached_texture_pool, pair_pool
from texprior.training.kept import kept_predictor, kept_prior
from texprior.training.prior import train_prior


@pytest.fixture(scope="module")
def registry():
    return Registry.discover()


def session(registry, root, disk_cache_mb=100, **changes):
    settings = {
        "name": "x", "events": [], "device": "cpu", "threads": 1, "denoiser": {"unet": {"width": 8, "blocks": 1}},
        "data": {"train": {"bundled": {"max_side": 96}}, "disk_cache_mb": disk_cache_mb},
        "predictor": {"unet": {"width": 8, "levels": 1, "blocks": 1}}, "sampling": {"tile": 64, "halo": 16},
        "training": {n: {"budget": {"images": 32}, "batch": 8, "patch": 32} for n in ("prior", "adapter")},
        **changes,
    }  # fmt: skip
    return Session(config.resolve(settings, registry), registry, root=root)


class Counted:
    """Calls a component and counts how often."""

    def __init__(self, component):
        self.component, self.calls = component, 0

    def __call__(self, *given):
        self.calls += 1
        return self.component(*given)


def same(found, expected):
    assert found.keys() == expected.keys()
    for name, tensor in expected.items():
        assert torch.equal(found[name], tensor)
        assert found[name].stride() == tensor.stride()


@pytest.mark.parametrize("stage", ["prior", "adapter"])
def test_cold_and_warm_are_what_is_derived_without_a_disk(registry, tmp_path, monkeypatch, stage):
    monkeypatch.delenv("TEXPRIOR_CACHE", raising=False)

    def items(room_mb):
        chosen = session(registry, tmp_path, room_mb)
        prior = build_prior(chosen.builder, 1.0, Path())
        pool = cached_texture_pool(chosen, prior)
        if stage == "adapter":
            pool = cached_guided_pool(chosen, prior, build_predictor(chosen.builder).eval())
        return [pool[i] for i in range(3)]

    plain = items(0)
    assert not (tmp_path / "cache").exists()
    for _cold_then_warm in range(2):
        for found, expected in zip(items(100), plain, strict=True):
            same(found, expected)
    assert list((tmp_path / "cache").rglob("*.safetensors"))


def test_a_component_works_once_on_a_photograph(registry, tmp_path, monkeypatch):
    monkeypatch.delenv("TEXPRIOR_CACHE", raising=False)
    picture, calls = torch.rand(1, 3, 40, 48, generator=torch.Generator().manual_seed(0)), []
    for _training in range(2):
        chosen = session(registry, tmp_path)
        prior, predictor = build_prior(chosen.builder, 1.0, Path()), build_predictor(chosen.builder)
        kept, estimates = kept_prior(chosen, prior), kept_predictor(chosen, predictor)
        counted = [Counted(prior.decomposition), Counted(prior.encoder.forward), Counted(predictor.forward)]
        kept.decomposition.decomposition = counted[0]
        prior.encoder.forward, predictor.forward = counted[1], counted[2]
        kept.decomposition(picture)
        kept.encoder(picture)
        estimates(picture)
        calls.append([each.calls for each in counted])
    assert calls == [[1, 1, 1], [0, 0, 0]]


def test_other_weights_another_variant_and_another_seed_are_something_else(registry, tmp_path, monkeypatch):
    monkeypatch.delenv("TEXPRIOR_CACHE", raising=False)
    picture, found = torch.rand(1, 3, 40, 48, generator=torch.Generator().manual_seed(0)), []
    chosen = session(registry, tmp_path)
    predictor = build_predictor(chosen.builder).eval()
    for _weights in range(2):
        found.append(kept_predictor(chosen, predictor)(picture))
        assert torch.equal(found[-1], predictor(picture))
        with torch.no_grad():
            for parameter in predictor.parameters():
                parameter.add_(0.1)
    assert not torch.equal(*found)
    pools = [pair_pool(session(registry, tmp_path, seed=seed), 32) for seed in (0, 1)]
    versions = [pool[i]["degraded"] for pool in pools for i in (0, 1)]  # two variants of one photograph
    assert len({version.numpy().tobytes() for version in versions}) == 4
    again = [pool[i]["degraded"] for pool in pools for i in (0, 1)]
    assert all(torch.equal(a, b) for a, b in zip(again, versions, strict=True))


@pytest.mark.parametrize("breach", [lambda x: [x], lambda x: x[0], lambda x: x[..., :5], lambda x: x.mean()])
def test_what_breaks_the_contract_is_handed_on_and_not_kept(registry, tmp_path, breach):
    """The platform then refuses it in the name of the component, as it does without a disk."""
    chosen = session(registry, tmp_path)
    predictor = build_predictor(chosen.builder)
    predictor.forward = breach
    picture = torch.rand(1, 3, 40, 48)
    message = []
    for each in (predictor, kept_predictor(chosen, predictor)):
        with pytest.raises(ContractError) as caught:
            predict(picture, each)
        message.append(str(caught.value))
    assert message[0] == message[1]
    assert "unet" in message[0]


def test_a_training_has_the_same_weights_without_a_cold_and_with_a_warm_disk(registry, tmp_path, monkeypatch):
    monkeypatch.setenv("TEXPRIOR_CACHE", str(tmp_path / "cache"))
    weights = []
    for place, room_mb in (("none", 0), ("cold", 100), ("warm", 100)):
        folder = train_prior(session(registry, tmp_path / place, room_mb)).folder
        weights.append(load_tensors(folder / "prior.safetensors"))
    assert all(about == weights[0][1] for _, about in weights)
    assert all(torch.equal(each[name], tensor) for each, _ in weights for name, tensor in weights[0][0].items())


def test_the_settings_of_the_training_bound_the_disk_and_not_those_of_its_prior(registry, tmp_path):
    chosen = session(registry, tmp_path, 0)
    of_prior = session(registry, tmp_path, 100).experiment
    prior = replace(build_prior(chosen.builder, 1.0, Path()), experiment=of_prior)
    assert kept_prior(chosen, prior) is prior


def test_what_is_drawn_at_each_visit_is_not_kept(registry, tmp_path, monkeypatch):
    """``data.variants: null``: every epoch has a version of its own, which depends on the seed and its number alone."""
    monkeypatch.delenv("TEXPRIOR_CACHE", raising=False)
    data = {"train": {"bundled": {"max_side": 96}}, "disk_cache_mb": 100, "variants": None}
    fresh = session(registry, tmp_path, data=data, degradation={"defocus": {"noise": 5}})
    pool, again = (pair_pool(fresh, 32) for _ in range(2))
    prior, predictor = build_prior(fresh.builder, 0.05, Path()), build_predictor(fresh.builder)
    guided = cached_guided_pool(fresh, prior, predictor)
    indices = [epoch * len(pool) for epoch in range(3)]
    versions = [pool[i]["degraded"] for i in indices]
    assert len({version.numpy().tobytes() for version in versions}) == 3
    assert all(torch.equal(again[i]["degraded"], version) for i, version in zip(indices, versions, strict=True))
    expected = predict(versions[2][None], predictor)[0]
    assert torch.equal(guided[indices[2]]["estimate"], expected)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
