"""A small prior with random weights, the inputs of one call, and a denoiser that declares as little as it may."""

import pytest
import torch
from torch import nn

from texprior.flow.prior import Block, DenoiserNet, unguided
from texprior.plugin import Ref
from texprior.registry import Registry
from texprior_plugins.attention.sdpa import Sdpa
from texprior_plugins.denoiser import UnetOptions
from texprior_plugins.denoiser.unet import Unet


class Plain(DenoiserNet):
    """Two blocks of group norm and convolution, of one resolution; no code, no skip connection, no attention."""

    code_width = 0

    def __init__(self, norm: bool = True, part: str = "encoder") -> None:
        super().__init__()
        self.part = part
        self.enter, self.leave = nn.Conv2d(6, 8, 3, padding=1), nn.Conv2d(8, 3, 3, padding=1)
        norms = [nn.GroupNorm(2, 8) if norm else nn.Identity() for _ in range(2)]
        self.body = nn.ModuleList(nn.Sequential(n, nn.Conv2d(8, 8, 3, padding=1)) for n in norms)

    def blocks(self):
        return {f"body.{i}": Block(8, 1, self.part) for i in range(2)}

    def forward(self, x, noise, condition, code, guide=unguided, skip=unguided):
        h = self.enter(torch.cat([x, condition], 1))
        for i, block in enumerate(self.body):
            h = guide(f"body.{i}", h + block(h))
        return self.leave(h)


def randomised(network: nn.Module) -> nn.Module:
    """All weights and biases drawn anew: what starts at zero or one hides what is behind it."""
    g = torch.Generator().manual_seed(0)
    for name, parameter in network.named_parameters():
        noise = torch.randn(parameter.shape, generator=g)
        is_scale = parameter.ndim == 1 and name.endswith("weight")
        parameter.data = 1 + 0.3 * noise if is_scale else 0.1 * noise
    return network.requires_grad_(False)


@pytest.fixture
def network():
    return randomised(Unet(UnetOptions(width=8, blocks=2, levels=2), 12, Sdpa(None)))


HOSTS = {
    "unet": {"width": 8, "blocks": 2, "levels": 2},
    "nafnet": {"width": 8, "blocks": 2, "levels": 2, "middle": 2, "head_width": 8, "window": 8},
    "window_transformer": {"width": 8, "blocks": 2, "levels": 2, "middle": 2, "head_width": 4, "window": 4},
}
"""First-party denoiser -> options of a small form."""


@pytest.fixture(params=HOSTS)
def host(request):
    """Each first-party denoiser, small and with random weights."""
    ref = Ref(name=request.param, options=HOSTS[request.param])
    return randomised(Registry.discover().build("denoiser", ref, code_width=12, attention=Sdpa(None)))


@pytest.fixture
def plain():
    return randomised(Plain())


@pytest.fixture
def inputs():
    """x, c_noise, condition and code of one call."""
    g = torch.Generator().manual_seed(1)
    x, condition = (torch.rand((2, 3, 19, 34), generator=g) for _ in range(2))
    return x, torch.randn(2, generator=g), condition, torch.randn((2, 4, 12), generator=g)


@pytest.fixture
def estimate():
    return torch.rand((2, 3, 19, 34), generator=torch.Generator().manual_seed(2))


@pytest.fixture(scope="session")
def build():
    """build(name, network, **options): an adapter as the platform makes it, from its record."""
    registry = Registry.discover()
    return lambda name, network, **options: registry.build("adapter", Ref(name=name, options=options), denoiser=network)
