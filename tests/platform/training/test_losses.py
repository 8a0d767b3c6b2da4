"""What a training step sees: the semantic code, and the share of samples that go without it."""

from pathlib import Path

import pytest
import torch

from texprior import config
from texprior.diffusion.process import Process
from texprior.errors import ConfigError
from texprior.models.build import build_adapter, build_prior
from texprior.models.sampling import noise_levels_of
from texprior.registry import Registry
from texprior.runtime.session import Session
from texprior.training.losses import LayerLoss
from texprior.training.patches import Patches, Pool
from texprior.training.preflight import layer_loss as layer_loss_of
from texprior.training.preflight import prior_at

NUMBERS = list(range(400))


@pytest.fixture(scope="module")
def registry():
    return Registry.discover()


def layer_loss(registry, share, seed=0, encoder="mobilenet_v2"):
    data = {
        "name": "x",
        "events": [],
        "encoder": encoder,
        "denoiser": {"unet": {"width": 8, "levels": 1, "blocks": 1}},
        "diffusion": {"code_dropout": share},
    }
    session = Session.start(config.resolve(data, registry), registry)
    prior = build_prior(session.builder, 1.0, Path())
    patches = Patches(Pool(["a", "b"], pictures, cache_mb=16), 16, seed)
    levels = noise_levels_of(registry, session.experiment.diffusion, prior.process, 1.0)
    return LayerLoss(session.experiment, prior, Process(1.0), patches, False, levels)


def pictures(key):
    g = torch.Generator().manual_seed(ord(key))
    return {
        "picture": torch.rand(3, 16, 16, generator=g),
        "structure": torch.rand(3, 16, 16, generator=g),
        "code": torch.rand(16, 96, generator=g),
    }


def kept(loss, numbers):
    """Whether each sample has its code; each has all of it or none."""
    code = loss.kept(torch.ones(len(numbers), 4, 6), numbers)
    whole = code.amin((1, 2)).bool()
    assert torch.equal(whole, code.amax((1, 2)).bool())
    return whole.tolist()


@pytest.mark.parametrize("share", [0.1, 0.5])
def test_a_share_of_the_samples_has_no_code(registry, share):
    """Within 4 standard deviations of the binomial distribution."""
    loss = layer_loss(registry, share)
    dropped = kept(loss, NUMBERS).count(False)
    deviation = (len(NUMBERS) * share * (1 - share)) ** 0.5
    assert abs(dropped - share * len(NUMBERS)) < 4 * deviation
    loss.drops_codes = False
    assert all(kept(loss, NUMBERS))


def test_who_goes_without_is_a_function_of_seed_and_sample_number(registry):
    loss, again = layer_loss(registry, 0.5), layer_loss(registry, 0.5)
    assert kept(loss, NUMBERS) == kept(again, NUMBERS)
    assert kept(loss, [7, 300, 41]) == [kept(loss, NUMBERS)[n] for n in (7, 300, 41)]
    assert kept(loss, NUMBERS) != kept(layer_loss(registry, 0.5, seed=1), NUMBERS)


def test_a_larger_share_takes_more_of_the_same(registry):
    few, many = (kept(layer_loss(registry, share), NUMBERS) for share in (0.2, 0.6))
    assert all(a or not b for a, b in zip(few, many, strict=True))


def test_without_dropout_everyone_has_it_and_the_noise_is_as_ever(registry):
    none, half, numbers = layer_loss(registry, 0.0), layer_loss(registry, 0.5), [3, 4, 5, 6]
    (plain, *noise), (dropped, *same) = none.noised(numbers), half.noised(numbers)
    assert torch.equal(plain["code"], none.patches.batch(numbers)["code"])
    assert all(torch.equal(a, b) for a, b in zip(noise, same, strict=True))
    shares = [c.abs().sum() / p.abs().sum() for c, p in zip(dropped["code"], plain["code"], strict=True)]
    assert [bool(share == 1) for share in shares] == kept(half, numbers)
    assert {float(share) for share in shares} == {0.0, 1.0}


def test_dropping_what_is_not_there_is_an_error(registry):
    with pytest.raises(ConfigError, match=r"diffusion\.code_dropout: the encoder returns no code"):
        layer_loss(registry, 0.1, encoder="none")
    layer_loss(registry, 0.0, encoder="none")


@pytest.mark.parametrize(("adapter", "position"), [("sft", "decoder"), ("zero_conv", "decoder"), ("lora", "decoder")])
def test_a_frozen_denoiser_gets_no_gradients_and_no_graph_before_the_first_adapted_block(adapter, position):
    """Only what lies behind an adapter's weights is kept for the backward pass."""
    registry = Registry.discover()
    data = {
        "name": "x",
        "events": [],
        "encoder": "none",
        "denoiser": {"unet": {"width": 8, "levels": 1, "blocks": 1}},
        "adapter": {adapter: {"position": position}},
    }
    session = Session.start(config.resolve(data, registry), registry)
    prior = prior_at(None, session.builder)
    chosen, tracked = build_adapter(session.builder, prior), {}
    for name in prior.network.blocks():
        prior.network.get_submodule(name).register_forward_hook(
            lambda _module, _given, found, name=name: tracked.update({name: found.requires_grad})
        )
    layer_loss_of(session, prior, session.experiment.training.adapter).stage_two(chosen, [0, 1]).sum().backward()
    assert any(parameter.grad is not None for parameter in chosen.parameters())
    assert all(p.grad is None and not p.requires_grad for p in prior.network.parameters())
    parts = {name: block.part for name, block in prior.network.blocks().items()}
    assert [name for name, is_tracked in tracked.items() if is_tracked and parts[name] != "decoder"] == []
    assert tracked.keys() == parts.keys()
