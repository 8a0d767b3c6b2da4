"""Guidance and coarse parts in restoring, on whole pictures and in tiles."""

import pytest
import torch

from texprior import pipeline
from texprior.errors import ConfigError
from texprior.flow.condition import blurred
from texprior.registry import Registry

UNET = {"width": 8, "levels": 2, "blocks": 1}
TRAINED = {"code_dropout": 0.1, "condition_noise_max": 0.1}


@pytest.fixture(scope="module")
def registry():
    return Registry.discover()


@pytest.fixture
def built(registry, untrained):
    def build(diffusion=TRAINED, **sampling):
        small = {"encoder": {"mobilenet_v2": {"stages": 3}}, "predictor": "identity", "diffusion": diffusion}
        return untrained(registry, **small, sampling={"steps": 2, "amp": False, **sampling})

    return build


def restored(model, side=64, **more):
    picture = torch.rand(1, 3, side, side, generator=torch.Generator().manual_seed(0))
    return pipeline.restore(model, picture, "key", **more)


@pytest.mark.parametrize("lacking", ["code", "condition", "adapter"])
def test_guidance_with_one_call_is_linear_in_its_weight(built, lacking):
    """At one call the layer is D itself, so w = 2 is as far from w = 1 as that is from w = 0; each call takes two."""
    none, one, two = (restored(built(steps=1, guidance=w, guidance_from=lacking)) for w in (0.0, 1.0, 2.0))
    assert (none.layer - one.layer).abs().max() > 1e-4
    torch.testing.assert_close(two.layer - one.layer, one.layer - none.layer, rtol=0, atol=1e-5)
    assert (none.calls, one.calls, two.calls) == (2, 1, 2)


def test_the_weak_denoiser_lacks_what_is_named(built):
    """w = 0 without the adapter is the prior alone; without the condition it is a restoration at the largest noise."""
    alone = restored(built(guidance=0.0, guidance_from="adapter"))
    assert torch.equal(alone.layer, restored(built(), guided=False).layer)
    noisy = restored(built(guidance=0.0, guidance_from="condition"))
    assert torch.equal(noisy.layer, restored(built(condition_noise=0.1)).layer)


@pytest.mark.parametrize(("lacking", "needed"), [("code", "code_dropout"), ("condition", "condition_noise_max")])
def test_guidance_that_the_prior_was_not_trained_for_is_refused(built, lacking, needed):
    """Before a network is called."""
    with pytest.raises(ConfigError, match=f"diffusion.{needed} above 0"):
        restored(built(diffusion={}, guidance=2.0, guidance_from=lacking))


def test_a_coarse_part_of_the_mean_is_that_of_the_first_call(built):
    """Four calls with it differ from four calls without it in the coarse part alone, which is D at sigma_max."""
    plain, mixed = restored(built(steps=4)).layer, restored(built(steps=4, coarse_from="mean")).layer
    first = restored(built(steps=1)).layer
    torch.testing.assert_close(mixed - plain, blurred(first - plain, 4.0), rtol=0, atol=1e-5)


def test_a_coarse_part_of_the_estimate_leaves_the_coarse_part_of_the_base(built):
    """The base is y_eps by default, so that the layer's coarse part is gone, for every one of several samples."""
    found = restored(built(coarse_from="estimate", samples=3))
    plain = restored(built(samples=3))
    torch.testing.assert_close(found.layer, plain.layer - blurred(plain.layer, 4.0), rtol=0, atol=1e-5)
    assert found.spread.mean() < plain.spread.mean()
