"""Parts of the prior that are trained beside an adapter: which, how they start, and that the prior stays as it is."""

import copy

import pytest
import torch
from torch import nn

from texprior.errors import ConfigError
from texprior.flow.adapt import BlockAdapter, DenoiserAdapter, WeightAdapter
from texprior.flow.prior import Block, DenoiserNet, unguided
from texprior.flow.unfreeze import Unfrozen


class Net(DenoiserNet):
    """Two blocks, each a norm and a convolution."""

    code_width = 0

    def __init__(self) -> None:
        super().__init__()
        blocks = [nn.Sequential(nn.GroupNorm(1, 6), nn.Conv2d(6, 6, 3, padding=1)) for _ in range(2)]
        self.body, self.leave = nn.ModuleList(blocks), nn.Conv2d(6, 3, 1)

    def blocks(self):
        return {f"body.{i}": Block(6, 1, "encoder") for i in range(2)}

    def forward(self, x, noise, condition, code, guide=unguided, skip=unguided):
        h = torch.cat([x, condition], 1)
        for i, block in enumerate(self.body):
            h = guide(f"body.{i}", h + block(h))
        return self.leave(h)


class Halved(BlockAdapter):
    """h' = h / 2 times one trained number."""

    def __init__(self, denoiser):
        super().__init__(denoiser)
        self.factor = nn.Parameter(torch.tensor(0.5))

    def after_block(self, block, hidden, features):
        return self.factor * hidden


class Doubled(WeightAdapter):
    """The weight of the last block's convolution, times one trained number."""

    def __init__(self):
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(2.0))

    def weights(self, frozen):
        return {"body.1.1.weight": self.factor * frozen["body.1.1.weight"]}


class Nothing(DenoiserAdapter):
    """The denoiser itself."""

    def adapted(self, denoiser, features):
        return denoiser


class Alone(DenoiserAdapter):
    runs_prior = False

    def adapted(self, denoiser, features):
        return lambda x, c_noise, condition, code: x


@pytest.fixture
def net():
    torch.manual_seed(0)
    return Net().requires_grad_(False)


@pytest.fixture
def inputs():
    g = torch.Generator().manual_seed(1)
    x, condition = (torch.rand((2, 3, 9, 7), generator=g) for _ in range(2))
    return x, torch.randn(2, generator=g), condition, torch.empty(2, 0, 0)


NORMS = ["body.0.0.weight", "body.0.0.bias", "body.1.0.weight", "body.1.0.bias"]
LAST = ["body.1.0.weight", "body.1.0.bias", "body.1.1.weight", "body.1.1.bias"]


@pytest.mark.parametrize(("part", "expected"), [("norms", NORMS), ("last-block", LAST)])
@pytest.mark.parametrize("make", [Halved, lambda _net: Doubled(), lambda _net: Nothing()])
def test_it_is_the_adapter_on_a_prior_with_other_weights(part, expected, make, net, inputs):
    """With the copies changed: what the adapter gives on a copy of the prior whose tensors were changed in place."""
    adapter, before = make(net), {name: t.clone() for name, t in net.state_dict().items()}
    unfrozen = Unfrozen(adapter, net, part)
    assert unfrozen.paths == expected
    assert torch.equal(unfrozen.adapted(net, {})(*inputs), adapter.adapted(net, {})(*inputs))
    other = copy.deepcopy(net)
    with torch.no_grad():
        for path in expected:
            unfrozen.copies[path.replace(".", "/")] += 0.1
            other.get_parameter(path).add_(0.1)
    result = unfrozen.adapted(net, {})(*inputs)
    assert torch.equal(result, adapter.adapted(other, {})(*inputs))
    assert not torch.allclose(result, adapter.adapted(net, {})(*inputs))
    assert all(torch.equal(t, before[name]) for name, t in net.state_dict().items())
    assert not any(p is copied for copied in unfrozen.copies.values() for p in net.parameters())


@pytest.mark.parametrize("part", ["norms", "last-block"])
@pytest.mark.parametrize("make", [Halved, lambda _net: Nothing()])
def test_copies_are_trained_and_the_prior_is_not(part, make, net, inputs):
    before = {name: t.clone() for name, t in net.state_dict().items()}
    unfrozen = Unfrozen(make(net), net, part)
    optimizer = torch.optim.SGD(unfrozen.parameters(), lr=0.1)
    unfrozen.adapted(net, {})(*inputs).square().mean().backward()
    assert all(p.grad is not None and p.grad.any() for p in unfrozen.parameters())
    assert all(p.grad is None for p in net.parameters())
    optimizer.step()
    assert all(torch.equal(t, before[name]) for name, t in net.state_dict().items())
    assert all(not torch.equal(unfrozen.copies[p.replace(".", "/")], before[p]) for p in unfrozen.paths)
    assert {n.partition(".")[0] for n in unfrozen.state_dict()} <= {"adapter", "copies"}


def test_an_adapter_that_does_all_the_work_leaves_nothing_to_unfreeze(net):
    with pytest.raises(ConfigError, match=r"process.unfreeze: the adapter trains all weights itself; set it to none"):
        Unfrozen(Alone(), net, "norms")


def test_a_denoiser_with_nothing_to_unfreeze_is_a_sentence(net):
    bare = Net()
    bare.body = nn.ModuleList(nn.Conv2d(6, 6, 1) for _ in range(2))
    with pytest.raises(
        ConfigError, match=r"process.unfreeze: norms: the denoiser has no normalisation layer with weights"
    ):
        Unfrozen(Halved(bare), bare, "norms")
    bare.blocks = lambda: {"elsewhere": Block(6, 1, "encoder")}
    with pytest.raises(ConfigError, match=r"last-block: the denoiser has no block whose name is the path of a module"):
        Unfrozen(Halved(bare), bare, "last-block")
