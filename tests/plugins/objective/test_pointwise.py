"""The objectives without networks, against their formulas in double precision and against torch's losses."""

from dataclasses import replace

import pytest
import torch
from torch.nn import functional as F

from texprior.diffusion.keys import normal
from texprior.diffusion.precondition import loss as edm_loss
from texprior.plugin import Ref
from texprior.registry import Registry


def mean(values):
    return values.flatten(1).mean(1)


def error(learned):
    return (learned.estimate - learned.target).double()


def c_out(learned):
    sigma = learned.sigma.double()[:, None, None, None]
    return sigma / (1 + sigma**2).sqrt()


def test_edm_is_the_loss_without_an_objective_to_the_bit(build, learned):
    known = learned()
    noise = normal(known.target.shape, "noise")
    plain = edm_loss(lambda x, c: known.output, known.target, noise, known.sigma)
    assert torch.equal(build("edm")(known), plain)


def test_edm_weights_the_squared_error_by_the_inverse_square_of_c_out(build, learned):
    known = learned()
    expected = mean((error(known) / c_out(known)).square())
    torch.testing.assert_close(build("edm")(known).double(), expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("gamma", [1.0, 5.0])
def test_min_snr_weights_the_squared_error_by_the_smaller_of_snr_and_gamma(build, learned, gamma):
    known = learned()
    weights = torch.tensor([gamma, min(1 / 0.16, gamma), 1 / 9]).double()
    expected = weights * mean(error(known).square())
    torch.testing.assert_close(build("min-snr", gamma=gamma)(known).double(), expected, rtol=1e-5, atol=1e-9)


@pytest.mark.parametrize("weight", ["edm", "none"])
@pytest.mark.parametrize("name", ["l1", "huber", "gradient"])
def test_the_weight_divides_the_error_by_c_out(build, learned, name, weight):
    known = learned()
    r = error(known) / (c_out(known) if weight == "edm" else 1)
    expected = {
        "l1": mean(r.abs()),
        "huber": mean((r**2 + 0.03**2).sqrt() - 0.03),
        "gradient": mean((r[:, :, 1:] - r[:, :, :-1]).abs()) + mean((r[..., 1:] - r[..., :-1]).abs()),
    }[name]
    torch.testing.assert_close(build(name, weight=weight)(known).double(), expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("weight", ["edm", "none"])
def test_a_picture_has_no_weight(build, of_pictures, weight):
    found = build("l1", weight=weight)(of_pictures)
    expected = mean(F.l1_loss(of_pictures.estimate, of_pictures.target, reduction="none"))
    torch.testing.assert_close(found, expected)


def test_huber_is_half_a_square_over_delta_for_small_errors_and_the_absolute_error_for_large_ones(build, of_pictures):
    squared, absolute = mean(error(of_pictures).square()), mean(error(of_pictures).abs())
    small = build("huber", delta=1e3)(of_pictures).double()
    large = build("huber", delta=1e-6)(of_pictures).double()
    torch.testing.assert_close(small, squared / 2e3, rtol=1e-5, atol=0)
    torch.testing.assert_close(large, absolute, rtol=1e-4, atol=0)


def test_the_gradient_of_a_ramp_is_its_slope_and_that_of_a_constant_is_0(build, of_pictures):
    ramp = torch.arange(32.0).expand(2, 3, 32, 32)
    zero = torch.zeros_like(ramp)
    found = build("gradient")(replace(of_pictures, estimate=ramp / 8 + 0.25, target=zero))
    assert torch.allclose(found, torch.tensor(0.125))
    assert not build("gradient")(replace(of_pictures, estimate=zero + 0.25, target=zero)).any()


def test_which_trainings_each_is_for():
    records = {e.component.name: e.component for e in Registry.discover().entries("objective")}
    layers = {"edm", "min-snr", "l1", "huber", "gradient", "perceptual", "adversarial", "combined"}
    assert {name for name, record in records.items() if record.layer} >= layers
    assert {name for name in layers if not records[name].picture} == {"edm", "min-snr"}
    assert {name for name in layers if records[name].trained} == {"adversarial"}


def test_options_are_bounded():
    registry = Registry.discover()
    for ref in (Ref(name="min-snr", options={"gamma": 0}), Ref(name="l1", options={"weight": "snr"})):
        with pytest.raises(ValueError, match="1 validation error"):
            registry.options_of("objective", ref)
