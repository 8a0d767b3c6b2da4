"""What trainings see: rounded pairs, and the scale of a layer."""

import gc

import pytest
import torch

from texprior import config
from texprior.registry import Registry
from texprior.runtime.session import Session
from texprior.training.data import layer_scale, pair_pool


@pytest.mark.parametrize(("bits", "whole"), [(8, True), (None, False)])
def test_the_pairs_are_rounded_as_the_experiment_says(tmp_path, bits, whole):
    registry = Registry.discover()
    data = {"train": {"bundled": {"max_side": 96}}, "degraded_bits": bits}
    experiment = config.resolve({"name": "x", "events": [], "data": data}, registry)
    pool = pair_pool(Session(experiment, registry, root=tmp_path), 32)
    steps = pool[0]["degraded"].double() * 255
    assert bool((steps - steps.round()).abs().max() < 1e-4) is whole


class Layers:
    """A pool of layers of different sizes around different means."""

    def __init__(self):
        rng = torch.Generator().manual_seed(0)
        self.items = [
            {"picture": 0.1 * i + 0.03 * torch.randn(3, 20 + i, 31, generator=rng), "base": torch.zeros(3, 20 + i, 31)}
            for i in range(7)
        ]

    def __len__(self):
        return len(self.items)

    def expect(self, indices):
        pass

    def __getitem__(self, index):
        return self.items[index]


def test_the_scale_is_the_standard_deviation_of_all_values_together():
    """Against the definition on the concatenated values, in float64."""
    pool = Layers()
    values = torch.cat([item["picture"].flatten() for item in pool.items]).double()
    expected = float((values - values.mean()).square().mean().sqrt())
    assert layer_scale(pool, "picture", "base", 0) == pytest.approx(expected, rel=1e-12)


def test_the_scale_keeps_no_layer_of_an_earlier_photograph():
    """Counted among all tensors that live when a photograph is asked for: besides the pool, at most the last layer."""
    pool, most = Layers(), []
    sizes = {item["picture"].numel() for item in pool.items}

    class Watched(Layers):
        items = pool.items

        def __init__(self):
            pass

        def __getitem__(self, index):
            most.append(sum(type(o) is torch.Tensor and o.numel() in sizes for o in gc.get_objects()))
            return self.items[index]

    layer_scale(Watched(), "picture", "base", 0)
    assert max(most) - 2 * len(pool) <= 1
