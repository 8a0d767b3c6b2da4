"""The memory of a training is reckoned before it is taken."""

import pytest
import torch
from torch import nn

from texprior import config
from texprior.config import Budget, Training
from texprior.errors import ConfigError
from texprior.registry import Registry
from texprior.runtime.session import Session
from texprior.training.dry_run import measure_prior, measure_stage_two
from texprior.training.memory import kept_bytes, require_memory

TINY = {"unet": {"width": 8, "levels": 1, "blocks": 1}}


@pytest.fixture(scope="module")
def session():
    registry = Registry.discover()

    def start(**changes):
        data = {"name": "x", "events": [], "encoder": "none", "denoiser": TINY, "predictor": TINY, **changes}
        return Session.start(config.resolve(data, registry), registry)

    return start


class Squares(nn.Module):
    """Multiplies a picture by a weight and squares it: the square keeps its argument, the product its picture."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))
        self.norm = nn.BatchNorm2d(3)

    def forward(self, x):
        return (x * self.weight).square()


def loss_of(network, kind=lambda network, x: network(x)):
    def of(settings):
        def loss(numbers):
            side = settings.patch
            return kind(network, torch.rand(len(numbers), 3, side, side)).mean(dim=(1, 2, 3))

        return loss

    return of


def settings(patch=32, **changes):
    return Training(budget=Budget(images=16), patch=patch, **changes)


def test_what_is_kept_for_the_gradient_is_counted_once():
    # by hand: the picture for the weight's gradient and the product for the square's, 3 * 32^2 numbers of 4 bytes each
    assert kept_bytes(loss_of(Squares())(settings()), 1, Squares()) in (2 * 3 * 32**2 * 4, 2 * 3 * 32**2 * 4 + 4)


def test_nothing_of_the_network_or_of_the_random_numbers_changes():
    network, before = Squares(), torch.get_rng_state()
    kept_bytes(loss_of(network, lambda n, x: n.norm(n(x)))(settings()), 1, network)
    assert torch.equal(network.norm.running_mean, torch.zeros(3))
    assert network.norm.num_batches_tracked == 0
    assert network.weight.grad is None
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    ("chosen", "fits"),
    [
        (settings(), True),
        # the pictures alone are 4 * 12 * 32^2 bytes an image, and there is 1 GB: 21,845 images
        (settings(batch=20_000), False),
        (settings(batch=2**20), False),
        (settings(batch=2**20, microbatch=16), True),
        (settings(patch=8192), False),
    ],
    ids=["default", "kept", "pictures", "microbatch", "patch"],
)
def test_a_step_that_the_machine_cannot_take_is_refused(monkeypatch, chosen, fits):
    monkeypatch.setattr("texprior.training.memory.device_memory", lambda _device: 2**30)
    network = Squares()
    if fits:
        require_memory("prior", chosen, loss_of(network), network)
        return
    with pytest.raises(ConfigError, match=r"^training\.prior: a step on .* needs more than .* GB of memory, and"):
        require_memory("prior", chosen, loss_of(network), network)


def test_what_a_step_keeps_once_for_all_images_is_counted_once(monkeypatch):
    """Weights in bfloat16, or those that an adapter computes: 64 MB, not 64 MB for each of 32 images."""
    monkeypatch.setattr("texprior.training.memory.device_memory", lambda _device: 2**30)
    wide = nn.Linear(4096, 4096, bias=False)

    def computed(network, x):
        # neither product is a weight of the network, and each is kept for the gradient
        return nn.functional.linear(network(x).mean((1, 2, 3)).expand(4096, -1).T, 2 * wide.weight)[..., None, None]

    network = Squares()
    require_memory("adapter", settings(batch=32), loss_of(network, computed), network, wide)
    monkeypatch.setattr("texprior.training.memory.device_memory", lambda _device: 2**26)
    with pytest.raises(ConfigError, match=r"training\.adapter: a step on 32 patches"):
        require_memory("adapter", settings(batch=32), loss_of(network, computed), network)


def test_processes_share_a_step(monkeypatch):
    monkeypatch.setattr("texprior.training.memory.device_memory", lambda _device: 2**30)
    network = Squares()
    require_memory("prior", settings(batch=20_000), loss_of(network), network, processes=8)


@pytest.mark.parametrize("stage", ["prior", "predictor", "adapter"])
@pytest.mark.parametrize("change", [{"batch": 2**20}, {"patch": 8192, "batch": 1000}], ids=["batch", "patch"])
def test_a_dry_run_refuses_it_for_each_training(session, stage, change):
    started = session(training={stage: {"budget": {"images": 16}, **change}})
    measure = (lambda: measure_prior(started)) if stage == "prior" else (lambda: measure_stage_two(started, None))
    with pytest.raises(ConfigError, match=rf"^training\.{stage}: a step on"):
        measure()


@pytest.mark.parametrize("kind", ["denoiser", "predictor"])
def test_a_network_that_the_machine_cannot_hold_is_not_built(session, monkeypatch, kind):
    monkeypatch.setattr("texprior.models.build.device_memory", lambda _device: 2**20)
    started = session(**{kind: {"unet": {"width": 512, "levels": 5, "blocks": 8}}})
    with pytest.raises(ConfigError, match=rf"^{kind}: its parameters need .* GB of memory, and cpu has 0\.0 GB"):
        measure_stage_two(started, None)


def test_a_condition_may_be_blurred(session):
    measure_prior(session(diffusion={"condition_blur": 1.0}, training={"prior": {"budget": {"images": 4}, "batch": 1}}))
