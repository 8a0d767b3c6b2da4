"""The decays of the learning rate: values that can be derived by hand, and those of torch's schedulers."""

import math

import pytest
import torch

from texprior.plugin import Ref
from texprior.registry import Registry

STEPS = 40


@pytest.fixture(scope="module")
def build():
    registry = Registry.discover()
    return lambda name, **options: registry.build("lr_decay", Ref(name=name, options=options))


def of_torch(scheduler, **arguments):
    """The learning rate that a scheduler of torch sets after each of the steps, from 1."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    made, found = scheduler(optimizer, **arguments), []
    for _ in range(STEPS + 1):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        made.step()
    return found


SCHEDULERS = torch.optim.lr_scheduler


@pytest.mark.parametrize(
    ("name", "options", "scheduler", "arguments"),
    [
        ("constant", {}, SCHEDULERS.ConstantLR, {"factor": 1.0}),
        ("cosine", {}, SCHEDULERS.CosineAnnealingLR, {"T_max": STEPS}),
        ("linear", {}, SCHEDULERS.LinearLR, {"start_factor": 1.0, "end_factor": 0.0, "total_iters": STEPS}),
        ("linear", {"end": 0.1}, SCHEDULERS.LinearLR, {"start_factor": 1.0, "end_factor": 0.1, "total_iters": STEPS}),
    ],
)
def test_it_is_torchs_scheduler_over_the_whole_budget(build, name, options, scheduler, arguments):
    decay = build(name, **options)
    assert [decay(i / STEPS) for i in range(STEPS + 1)] == pytest.approx(of_torch(scheduler, **arguments), abs=1e-12)


def test_warmup_stable_decay_falls_in_the_last_share_of_the_budget(build):
    root, line = build("warmup-stable-decay", share=0.2), build("warmup-stable-decay", share=0.2, shape="linear")
    shares = [0.0, 0.5, 0.8, 0.85, 0.9, 1.0]
    assert [line(s) for s in shares] == pytest.approx([1, 1, 1, 0.75, 0.5, 0], abs=1e-12)
    assert [root(s) for s in shares] == pytest.approx([1, 1, 1, 0.5, 1 - math.sqrt(0.5), 0], abs=1e-6)


def test_warmup_stable_decay_over_the_whole_budget_is_a_line(build):
    whole, line = build("warmup-stable-decay", share=1, shape="linear"), build("linear")
    assert [whole(i / 7) for i in range(8)] == pytest.approx([line(i / 7) for i in range(8)], abs=1e-12)


def test_which_depend_on_the_length_of_the_budget():
    records = [e.component for e in Registry.discover().entries("lr_decay")]
    assert {r.name for r in records if r.open_ended} == {"constant"}
