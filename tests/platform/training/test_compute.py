"""FLOPs of a training's step: against counts by hand, stored once, and without a prior that is not used."""

import json
from statistics import NormalDist

import pytest
import torch
from torch import nn

from texprior.config import resolve
from texprior.registry import Registry
from texprior.runtime.session import Session
from texprior.training.compute import count_flops, flops_per_image, images_seen, store_flops

SMALL = {
    "name": "small",
    "device": "cpu",
    "encoder": "none",
    "denoiser": {"unet": {"width": 8, "levels": 1, "blocks": 1, "heads": 1}},
    "predictor": {"unet": {"width": 8, "levels": 1, "blocks": 1}},
    "training": {stage: {"budget": {"images": 30}, "batch": 8, "patch": 16} for stage in ("prior", "predictor")},
}


@pytest.fixture(scope="module")
def registry():
    return Registry.discover()


@pytest.fixture
def session(registry, tmp_path):
    def session(**more):
        return Session(resolve({**SMALL, **more}, registry), registry, root=tmp_path)

    return session


def test_one_convolution_is_as_counted_by_hand():
    """A 3 x 3 convolution from 3 to 8 channels on 16 x 16 px: 2 FLOPs for each product of a weight and a value."""
    layer, picture = nn.Conv2d(3, 8, 3, padding=1), torch.ones(1, 3, 16, 16)
    forward = 2 * 3 * 8 * 9 * 16 * 16
    # backwards once for the weights; the picture needs no gradient
    assert count_flops(lambda numbers: layer(picture).mean((1, 2, 3))) == 2 * forward


def test_attention_is_counted_as_the_products_that_it_is():
    """Two products of 49 tokens, each forwards and twice backwards; torch counts none of a fused kernel on a CPU."""
    tokens = torch.ones(1, 2, 49, 16, requires_grad=True)
    loss = count_flops(lambda _: nn.functional.scaled_dot_product_attention(tokens, tokens, tokens).mean((1, 2, 3)))
    assert loss == 2 * 3 * (2 * 2 * 49 * 49 * 16)


def test_what_only_a_first_call_does_is_no_part_of_a_step():
    weight, tried = torch.ones(4, 4, requires_grad=True), []

    def loss(numbers):
        if not tried:
            tried.append(torch.ones(100, 100) @ torch.ones(100, 100))
        return (torch.ones(1, 4) @ weight).mean(1)

    assert count_flops(loss) == 2 * (2 * 4 * 4)


def test_a_loss_without_gradient_costs_nothing():
    assert count_flops(lambda _: torch.ones(1, 4) @ torch.ones(4)) == 0


def test_the_predictor_costs_what_its_network_costs(session):
    """The loss of the tiny network is counted on a patch of the training's size: four times the area, four times."""
    large = {**SMALL["training"], "predictor": {**SMALL["training"]["predictor"], "patch": 32}}
    small, large = flops_per_image(session())["predictor"], flops_per_image(session(training=large))["predictor"]
    assert large == 4 * small > 0


def test_the_prior_counts_if_the_adapter_learns_from_it(session):
    costs = {name: flops_per_image(session(adapter=name)) for name in ("cga", "full", "scratch", "frozen")}
    assert costs["cga"]["prior"] == costs["full"]["prior"] > 0
    assert costs["scratch"]["prior"] == 0
    assert costs["frozen"]["adapter"] == 0
    assert flops_per_image(session(predictor="identity"))["predictor"] == 0


def test_a_stored_count_is_used_again(session):
    """So a later run, and every process, gives arms the budgets that the first one gave them."""
    first = session()
    counted = flops_per_image(first)
    assert not first.folder.exists()
    store_flops(first)
    (file,) = (first.folder / "flops").glob("predictor-*.json")
    file.write_text(json.dumps({"flops": 123}), encoding="utf-8")
    assert flops_per_image(session()) == {**counted, "predictor": 123}
    # neither the seed nor the length of a training is part of a step
    longer = {**SMALL["training"], "predictor": {**SMALL["training"]["predictor"], "budget": {"images": 99}}}
    assert flops_per_image(session(seed=3, training=longer))["predictor"] == 123
    assert flops_per_image(session(predictor={"unet": {"width": 16}}))["predictor"] > 123


def test_a_training_sees_whole_batches(session):
    assert images_seen(session().experiment.training.prior) == 32


def test_an_objective_that_some_noise_levels_skip_is_counted_for_its_share_of_them(session):
    """LPIPS of the levels below 1, which are two thirds of those that are drawn by default."""

    def cost(*terms):
        objective = {"combined": {"terms": ["edm", *terms], "weights": [1.0] * (1 + len(terms))}}
        prior = {**SMALL["training"]["prior"], "patch": 64, "objective": objective}
        return flops_per_image(session(training={**SMALL["training"], "prior": prior}))["prior"]

    def lpips(max_sigma):
        return {"perceptual": {"metric": "lpips_alex", "max_sigma": max_sigma}}

    diffusion = session().experiment.diffusion
    below = NormalDist(diffusion.noise_mean, diffusion.noise_std).cdf(0.0)
    plain, of_all, of_some = cost(), cost(lpips(1000.0)), cost(lpips(1.0))
    assert (of_some - plain) / (of_all - plain) == pytest.approx(below, abs=1 / 32)  # 16 levels
    assert 0.1 < below < 0.9
