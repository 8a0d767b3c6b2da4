"""A loss that jumps is counted, and a late jump is said with what to do."""

import random

import pytest
import torch
from torch import nn

from texprior.config import Budget, Training
from texprior.registry import Registry
from texprior.training.loop import Finished, train_steps
from texprior.training.recipe import build_recipe
from texprior.training.spikes import is_spike, remembered, spike_sentence
from texprior.training.trainee import Trainee


def spikes_of(losses):
    """Whether each loss is part of a spike."""
    found, recent = [], []
    for loss in losses:
        found.append(is_spike(loss, recent))
        recent = recent if found[-1] else remembered(loss, recent)
    return found


def test_a_spike_is_a_jump_and_not_the_noise_of_batches():
    draw = random.Random(0)
    losses = [0.02 * draw.lognormvariate(0, 0.5) for _ in range(1000)]
    # the steps of a spike do not raise the median that later ones are compared with
    assert spikes_of([*losses, *(200.0,) * 150, 0.02]) == [False] * 1000 + [True] * 150 + [False]


def test_the_fall_of_the_loss_at_the_start_is_no_spike():
    assert not any(spikes_of(1000.0 / (1 + step) for step in range(200)))


@pytest.mark.parametrize("middle", [-0.5, 0.0])
def test_a_loss_below_zero_has_spikes_too(middle):
    """A critic's part of a loss is negative; ten times a negative median is below every usual loss."""
    draw = random.Random(0)
    losses = [draw.gauss(middle, 0.05) for _ in range(1000)]
    assert spikes_of([*losses, 9.0]) == [False] * 1000 + [True]


def test_a_loss_that_is_mostly_0_has_no_spikes():
    """As that of an objective that most noise levels skip: no step that is not 0 is unusual."""
    assert not any(spikes_of([0.0, 0.0, 0.01] * 100))


def test_spikes_are_counted_over_a_resume(tmp_path):
    def trainee(images: int) -> Trainee:
        chosen = Training(budget=Budget(images=images), batch=8)
        return Trainee(nn.Linear(1, 1), chosen, build_recipe(chosen, Registry.discover(), torch.device("cpu")))

    def train(t: Trainee) -> Finished:
        def loss(numbers):
            # one of them is the first step after the resume
            return t.network(torch.ones(8, 1)).square()[:, 0] + (1e6 if numbers[0] in (400, 800, 1200) else 1.0)

        return list(train_steps(t, loss, tmp_path / "c.safetensors", {}))[-1]

    assert train(trainee(800)).spikes == 1
    resumed = trainee(1600)
    assert resumed.load(tmp_path / "c.safetensors")
    done = train(resumed)
    assert (done.spikes, done.last_spike) == (3, 1208)


@pytest.mark.parametrize(("spikes", "last", "said"), [(0, 0, False), (3, 700, False), (3, 800, True)])
def test_only_a_late_spike_is_said(spikes, last, said):
    chosen = Training(budget=Budget(images=1000), lr=1e-3)
    text = spike_sentence("predictor", chosen, spikes, last, 1000)
    assert bool(text) == said
    if said:
        assert "3 steps, the last at image 800 of 1,000" in text
        assert text.endswith("set training.predictor.lr below 0.001, or a training.predictor.decay that ends lower")
