"""Sums of objectives: values, gradients, one learning rate for what is trained."""

import pytest
import torch

from texprior.errors import ConfigError
from texprior.flow.objective import objective_loss
from texprior.plugin import Ref
from texprior.registry import Registry


def test_one_term_with_weight_1_is_that_term_to_the_bit(build, learned):
    known = learned()
    assert torch.equal(build("combined", terms=["edm"])(known), build("edm")(known))


def test_it_is_the_weighted_sum(build, learned):
    known = learned()
    terms = ["edm", {"huber": {"delta": 0.5}}, {"l1": {"weight": "none"}}]
    found = build("combined", terms=terms, weights=[1, 0.1, 3])(known)
    parts = [build("edm"), build("huber", delta=0.5), build("l1", weight="none")]
    torch.testing.assert_close(found, sum(w * part(known) for w, part in zip([1, 0.1, 3], parts, strict=True)))


def test_a_trained_term_learns_by_its_own_loss_whatever_its_weight(build, learned):
    small = {"adversarial": {"width": 4, "layers": 1, "own_lr": 0.5}}
    objective = build("combined", terms=["edm", small], weights=[1, 0.001])
    term, known = objective.terms[1], learned(32)
    expected = torch.autograd.grad(term.own_loss(known.detached()).sum(), list(term.parameters()))
    objective_loss(objective, known).sum().backward()
    assert all(torch.equal(p.grad, g) for p, g in zip(term.parameters(), expected, strict=True))
    assert objective.own_lr == 0.5
    assert build("combined", terms=["edm", "l1"]).own_loss(known) is None


def test_trained_terms_with_two_learning_rates_are_refused(build):
    terms = [{"adversarial": {"width": 4, "own_lr": rate}} for rate in (0.5, 2)]
    with pytest.raises(ConfigError, match=r"its trained terms have the learning rates 0\.5, 2\.0 \(own_lr\)"):
        build("combined", terms=terms)


def test_a_weight_for_each_term():
    with pytest.raises(ValueError, match="there are 1 weights for 2 terms; give one weight each"):
        Registry.discover().options_of(
            "objective", Ref(name="combined", options={"terms": ["edm", "l1"], "weights": [1]})
        )
