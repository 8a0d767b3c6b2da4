"""Restoring with networks that have learned nothing: F = 0 makes D(x, sigma) = x / (sigma^2 + 1), the exact denoiser of
a layer N(0, 1), so that the restored picture, the mean of samples and their spread have closed forms.
"""

from itertools import pairwise
from pathlib import Path

import pytest
import torch

from texprior import config, pipeline
from texprior.diffusion.keys import normal
from texprior.diffusion.process import Process
from texprior.flow.kinds import PREDICTOR
from texprior.models.build import Model, build_adapter, build_prior
from texprior.registry import Registry
from texprior.runtime.session import Session

SCALE, SIGMA = 0.01, 20.0


@pytest.fixture(scope="module")
def model():
    data = {
        "name": "untrained",
        "encoder": "none",
        "denoiser": {"unet": {"width": 8, "levels": 1, "blocks": 1}},
        "predictor": {"unet": {"width": 8, "levels": 1, "blocks": 1}},
        "events": [],
    }
    registry = Registry.discover()
    session = Session.start(config.resolve(data, registry), registry)
    prior = build_prior(session.builder, SCALE, Path())
    prior.network.requires_grad_(False)
    predictor, adapter = session.build(PREDICTOR), build_adapter(session.builder, prior)
    return Model(session.experiment, prior, predictor, adapter, Process(SCALE), Path(), registry)


@pytest.fixture(scope="module")
def degraded():
    """Far from 0 and 1, so that nothing is clipped."""
    return 0.4 + 0.2 * torch.rand(1, 3, 48, 64, generator=torch.Generator().manual_seed(0))


def restored(model, degraded, **settings):
    sampling = {**model.experiment.sampling.model_dump(mode="json"), **settings}
    return pipeline.restore(model, degraded, "key", config.Sampling.model_validate(sampling), seed=3)


def noises(like, samples, step=-1):
    return torch.stack([normal(like.shape, 3, "key", k, step) for k in range(samples)])


@pytest.mark.parametrize("samples", [1, 3])
@pytest.mark.parametrize("w", [0.5, 1.0])
def test_one_call_is_the_posterior_mean_of_the_keyed_noise(model, degraded, samples, w):
    """Layer k is sigma n_k / (sigma^2 + 1); the picture is the base plus w s times their mean."""
    layers = noises(degraded, samples) * SIGMA / (SIGMA**2 + 1)
    result = restored(model, degraded, steps=1, samples=samples, texture_strength=w)
    torch.testing.assert_close(result.base, degraded)
    torch.testing.assert_close(result.layer, layers.mean(0), rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(result.picture, degraded + w * SCALE * layers.mean(0), rtol=0, atol=1e-7)
    deviation = (((layers - layers.mean(0)) ** 2).sum(0) / max(samples - 1, 1)).sqrt()  # one sample has no spread
    torch.testing.assert_close(result.spread, w * SCALE * deviation, rtol=1e-4, atol=1e-9)
    assert result.calls == samples


def test_ancestral_samples_are_the_recursion_of_their_keyed_noise(model, degraded):
    """x' = D + (s / sigma)^2 (x - D) + s sqrt(1 - (s / sigma)^2) n_i, written out, for each sample."""
    levels = [20.0, 2.0, 0.2, 0.0]
    x = noises(degraded, 2) * levels[0]
    for i, (sigma, following) in enumerate(pairwise(levels)):
        clean, kept = x / (sigma**2 + 1), (following / sigma) ** 2
        x = clean + kept * (x - clean) + following * (1 - kept) ** 0.5 * noises(degraded, 2, i)
    settings = {"schedule": "exponential", "sigma_min": 0.2, "steps": 3, "sampler": "euler-ancestral"}
    result = restored(model, degraded, samples=2, **settings)
    # of two samples, the mean and the spread give both
    torch.testing.assert_close(result.layer, x.mean(0), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(result.spread / SCALE, x.std(0), rtol=1e-4, atol=1e-5)
    assert result.calls == 6


def test_a_warm_start_goes_on_from_the_estimates_layer(model, degraded):
    """Base S(y), known y: the layer of one call is ((y - S(y)) / s + sigma n) / (sigma^2 + 1)."""
    warm = model.experiment.model_copy(update={"process": config.ProcessChoice(base="estimate-structure")})
    with_structure = Model(**{**vars(model), "experiment": warm})
    result = restored(with_structure, degraded, steps=1, start="estimate", sigma_max=0.5)
    known = (degraded - result.base) / SCALE
    assert known.std() > 0.5
    torch.testing.assert_close(result.layer, (known + 0.5 * noises(degraded, 1)[0]) / 1.25, rtol=1e-4, atol=1e-5)


def test_the_mean_of_k_samples_has_a_kth_of_their_variance(model, degraded):
    """Samples are N(0, v), v from the recursion of the variance; their mean has v / K, their spread v."""
    k, v, levels = 8, SIGMA**2, [20.0, 5.0, 1.25, 0.3125, 0.078125, 0.0]
    for sigma, following in pairwise(levels):
        kept = (following / sigma) ** 2
        v = ((1 - kept) / (sigma**2 + 1) + kept) ** 2 * v + following**2 * (1 - kept)
    settings = {"schedule": "exponential", "sigma_min": 0.078125, "steps": 5, "sampler": "ddpm"}
    result = restored(model, degraded, samples=k, **settings)
    mean = ((result.picture - degraded) / SCALE).square().mean().item()
    assert mean == pytest.approx(v / k, rel=4 * (2 / degraded.numel()) ** 0.5)
    spread = (result.spread / SCALE).square().mean().item()
    assert spread == pytest.approx(v, rel=4 * (2 / (k - 1) / degraded.numel()) ** 0.5)


def test_a_restoration_builds_its_sampler_once(model, degraded, monkeypatch):
    built, build = [], type(model.registry).build

    def counted(registry, kind, ref, **how):
        built.append(ref.name)
        return build(registry, kind, ref, **how)

    monkeypatch.setattr(type(model.registry), "build", counted)
    assert restored(model, degraded, steps=2, samples=2).calls == 4
    assert sorted(built) == ["ddim", "karras", "log-normal"]
