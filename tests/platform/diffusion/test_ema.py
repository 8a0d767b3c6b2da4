"""The moving average against torch's own and against its definition."""

import pytest
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from texprior.diffusion.ema import Ema


def walk(network, step):
    """Moves the weights by numbers that depend on the step alone."""
    g = torch.Generator().manual_seed(step)
    with torch.no_grad():
        for p in network.parameters():
            p.add_(0.1 * torch.randn(p.shape, generator=g))


def test_it_agrees_with_torch_at_a_constant_decay():
    network = nn.Sequential(nn.Conv2d(3, 8, 3), nn.GroupNorm(2, 8), nn.Conv2d(8, 3, 3))
    ema = Ema(dict(network.named_parameters()), half_life_images=100, rampup=1e9)
    assert ema.decay(16, 16) == 0.5 ** (16 / 100)
    theirs = AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(0.5 ** (16 / 100)))
    theirs.update_parameters(network)  # its first update copies; ours begins with a copy
    for step in range(1, 60):
        walk(network, step)
        ema.update(dict(network.named_parameters()), 16, 16 * step)
        theirs.update_parameters(network)
    for name, p in theirs.module.named_parameters():
        torch.testing.assert_close(ema.shadow[name], p, rtol=0, atol=2.4e-7)


def test_half_of_a_jump_remains_after_the_half_life():
    weights = {"w": torch.zeros(3, dtype=torch.float64)}
    ema = Ema(weights, half_life_images=640, rampup=1e9)
    weights["w"] = torch.ones(3, dtype=torch.float64)
    for step in range(40):
        ema.update(weights, 16, 16 * (step + 1))
    assert ema.shadow["w"].tolist() == pytest.approx([0.5] * 3, abs=1e-12)


@pytest.mark.parametrize(("batch", "per_update"), [(8, 80), (32, 20), (64, 10)])
def test_the_half_life_does_not_depend_on_the_batch(batch, per_update):
    ema = Ema({}, half_life_images=640, rampup=1e9)
    assert ema.decay(batch, 1000) ** per_update == pytest.approx(0.5)


def test_a_first_step_forgets_the_initial_weights():
    weights = {"w": torch.full((2,), 5.0)}
    ema = Ema(weights, half_life_images=10_000)
    ema.update({"w": torch.ones(2)}, 16, 16)
    assert ema.decay(16, 16) == pytest.approx(0.5**20)
    assert ema.shadow["w"].tolist() == pytest.approx([1, 1], abs=1e-5)
    assert ema.decay(16, 0) == 0


def test_the_half_life_grows_to_its_limit_with_the_images_seen():
    ema = Ema({}, half_life_images=1000, rampup=0.05)
    assert ema.decay(10, 2000) == pytest.approx(0.5 ** (10 / 100))
    assert ema.decay(10, 20_000) == ema.decay(10, 10**9) == pytest.approx(0.5 ** (10 / 1000))


def test_the_weights_themselves_are_neither_moved_nor_shared():
    w = torch.ones(3, requires_grad=True)
    ema = Ema({"w": w}, half_life_images=10)
    ema.shadow["w"].add_(1)
    ema.update({"w": w}, 1, 1000)
    assert torch.equal(w.detach(), torch.ones(3))
    assert not ema.shadow["w"].requires_grad
