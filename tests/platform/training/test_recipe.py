"""The groups of parameters: what weight decay spares, and what belongs to an objective."""

import pytest
import torch
from torch import nn

from texprior.config import Budget, Training
from texprior.flow.objective import Objective
from texprior.training.recipe import Recipe, groups_of


class Trained(Objective):
    """Has a trained and a frozen part."""

    own_lr = 0.25

    def __init__(self):
        super().__init__()
        self.judge, self.features = nn.Linear(2, 1), nn.Linear(2, 2).requires_grad_(False)

    def forward(self, learned):
        raise NotImplementedError


def parameters():
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.GroupNorm(2, 4), nn.Conv2d(4, 3, 1, bias=False))
    network.scale = nn.Parameter(torch.ones(()))
    return dict(network.named_parameters())


def settings(**changes):
    return Training(budget=Budget(images=8), **changes)


def names(groups, known):
    return [sorted(n for p in g.parameters for n, q in known.items() if p is q) for g in groups]


def test_weight_decay_spares_norms_biases_and_numbers():
    known = parameters()
    groups = groups_of(known, Recipe(None, None), settings(weight_decay=0.1))
    assert names(groups, known) == [["0.weight", "2.weight"], ["0.bias", "1.bias", "1.weight", "scale"]]
    assert [g.weight_decay for g in groups] == [0.1, 0.0]
    assert [g.lr_factor for g in groups] == [1.0, 1.0]


@pytest.mark.parametrize("changes", [{"weight_decay": 0.1, "decay_norms": True}, {}, {"decay_norms": True}])
def test_without_that_there_is_one_group(changes):
    known = parameters()
    (group,) = groups_of(known, Recipe(None, None), settings(**changes))
    assert list(map(id, group.parameters)) == list(map(id, known.values()))
    assert group.weight_decay == changes.get("weight_decay", 0.0)


def test_an_objectives_trained_parameters_are_a_group_without_weight_decay():
    known, objective = parameters(), Trained()
    recipe = Recipe(None, None, objective=objective)
    groups = groups_of(known, recipe, settings(weight_decay=0.1))
    assert [g.weight_decay for g in groups] == [0.1, 0.0, 0.0]
    assert groups[2].lr_factor == 0.25
    assert list(map(id, groups[2].parameters)) == list(map(id, objective.judge.parameters()))
    assert list(recipe.own_parameters()) == ["objective/judge.weight", "objective/judge.bias"]
