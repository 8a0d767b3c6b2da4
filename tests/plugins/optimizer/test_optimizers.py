"""The optimizers: the updates of the papers by hand, torch's own classes, what is refused."""

import importlib.util
import sys

import pytest
import torch
from torch import nn

from texprior.errors import ConfigError
from texprior.flow.optimize import Group
from texprior.plugin import Ref
from texprior.registry import Registry

needs_schedulefree = pytest.mark.skipif(
    importlib.util.find_spec("schedulefree") is None, reason="the extra schedulefree is not installed"
)
TORCHS = ("ASGD", "Adadelta", "Adafactor", "Adagrad", "Adam", "Adamax", "NAdam", "RAdam", "RMSprop", "SGD")


@pytest.fixture(scope="module")
def build():
    registry = Registry.discover()
    return lambda name, /, **options: registry.build("optimizer", Ref(name=name, options=options))


def parameters(dtype=torch.float64):
    rng = torch.Generator().manual_seed(0)
    return [nn.Parameter(torch.randn(shape, generator=rng, dtype=dtype)) for shape in ((4, 3), (4,))]


def descend(optimizer, weights, steps=5, before=lambda i: None):
    """Steps down the sum of squares of what is 1 away."""
    for i in range(steps):
        before(i)
        optimizer.zero_grad()
        sum((w - 1).square().sum() for w in weights).backward()
        optimizer.step()
    return [w.detach().clone() for w in weights]


def test_adamw_is_the_update_of_the_paper(build):
    """Algorithm 2 of Loshchilov & Hutter 2019, without a schedule, in double precision."""
    weights = parameters()
    expected = [w.detach().clone() for w in weights]
    made = build("adamw", beta1=0.8, beta2=0.95, eps=1e-6)([Group(weights, 0.1)], 0.05)
    found = descend(made, weights)
    for w in expected:
        mean, square = torch.zeros_like(w), torch.zeros_like(w)
        for t in range(1, 6):
            g = 2 * (w - 1)
            mean, square = 0.8 * mean + 0.2 * g, 0.95 * square + 0.05 * g**2
            step = (mean / (1 - 0.8**t)) / ((square / (1 - 0.95**t)).sqrt() + 1e-6)
            w -= 0.05 * (step + 0.1 * w)
    assert all(torch.allclose(a, b, rtol=1e-12) for a, b in zip(found, expected, strict=True))


@needs_schedulefree
def test_schedule_free_is_the_update_of_the_paper(build):
    """Section 3.1 of Defazio et al. 2024: y between z and their average x, with Adam's second moment, weights lr^2."""
    weights, lrs = parameters(), [0.01, 0.02, 0.03, 0.03, 0.03]
    start = [w.detach().clone() for w in weights]
    made = build("schedule-free", beta1=0.9, beta2=0.95)([Group(weights, 0.0)], 0.03)
    made.train()
    descend(made, weights, 5, lambda i: made.param_groups[0].update(lr=lrs[i]))
    made.eval()
    for found, w in zip(weights, start, strict=True):
        x, z, square, total = w, w, torch.zeros_like(w), 0.0
        for t, lr in enumerate(lrs, 1):
            y = 0.1 * z + 0.9 * x
            g = 2 * (y - 1)
            square = 0.95 * square + 0.05 * g**2
            z = z - lr * g / ((square / (1 - 0.95**t)).sqrt() + 1e-8)
            total += lr**2
            x = x + lr**2 / total * (z - x)
        assert torch.allclose(found, x, rtol=1e-10)


@pytest.mark.parametrize("name", TORCHS)
def test_torch_is_the_class_of_that_name(build, name):
    ours, theirs = parameters(), parameters()
    made = build("torch", name=name)([Group(ours, 0.1)], 0.01)
    assert type(made) is getattr(torch.optim, name)
    plain = getattr(torch.optim, name)(theirs, lr=0.01, weight_decay=0.1)
    assert all(torch.equal(a, b) for a, b in zip(descend(made, ours), descend(plain, theirs), strict=True))


def test_torch_takes_arguments(build):
    ours, theirs = parameters(), parameters()
    made = build("torch", name="SGD", arguments={"momentum": 0.9, "nesterov": True})([Group(ours, 0.1)], 0.01)
    plain = torch.optim.SGD(theirs, lr=0.01, momentum=0.9, nesterov=True, weight_decay=0.1)
    assert all(torch.equal(a, b) for a, b in zip(descend(made, ours), descend(plain, theirs), strict=True))


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"name": "LBFGS"}, "LBFGS cannot take a step with the gradients of a network: .* 'closure'"),
        ({"name": "SparseAdam"}, "SparseAdam cannot take a step .* does not support dense gradients"),
        ({"name": "Rprop"}, "Rprop takes no notice of the learning rate after its first step"),
        ({"name": "Optimizer"}, "torch.optim has no optimizer 'Optimizer', such as SGD"),
        ({"name": "lr_scheduler"}, "torch.optim has no optimizer 'lr_scheduler'"),
        ({"arguments": {"lr": 1}}, "lr is no argument here; the training has it"),
        ({"arguments": {"momentun": 0.9}}, "SGD refuses: .*unexpected keyword argument 'momentun'"),
        ({"arguments": {"momentum": -1}}, "SGD refuses: Invalid momentum value: -1"),
    ],
)
def test_what_cannot_train_a_network_is_refused_when_it_is_built(build, options, why):
    with pytest.raises(ConfigError, match=f"optimizer torch: {why}"):
        build("torch", **options)


@pytest.mark.skipif(not hasattr(torch.optim, "Muon"), reason="this torch has no Muon")
def test_an_optimizer_of_matrices_alone_is_refused(build):
    with pytest.raises(ConfigError, match="Muon refuses: Muon only supports 2D parameters"):
        build("torch", name="Muon")


@pytest.mark.parametrize("name", ["adamw", pytest.param("schedule-free", marks=needs_schedulefree), "torch"])
def test_each_group_has_its_own_weight_decay_and_learning_rate(build, name):
    made = build(name)([Group(parameters(), 0.1), Group([], 0.0), Group(parameters(), 0.0, 0.5)], 0.02)
    assert [len(g["params"]) for g in made.param_groups] == [2, 0, 2]
    assert [g["weight_decay"] for g in made.param_groups] == [0.1, 0.0, 0.0]
    assert [g["lr"] for g in made.param_groups] == [0.02, 0.02, 0.01]


def test_a_missing_package_is_a_sentence(build, monkeypatch):
    monkeypatch.setitem(sys.modules, "schedulefree", None)
    with pytest.raises(ConfigError, match=r"optimizer schedule-free: .*pip install 'texprior\[schedulefree\]'"):
        build("schedule-free")
