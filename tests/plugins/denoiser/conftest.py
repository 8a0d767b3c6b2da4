"""Small denoisers with random weights, and the inputs of one call."""

import pytest
import torch

from texprior.plugin import Ref
from texprior.registry import Registry
from texprior_plugins.attention.sdpa import Sdpa

SMALL = {
    "unet": {"width": 8, "levels": 2, "blocks": 1, "heads": 1},
    "nafnet": {"width": 8, "levels": 2, "blocks": 1, "middle": 2, "head_width": 4, "window": 8},
    "window_transformer": {"width": 8, "levels": 2, "blocks": 2, "middle": 2, "head_width": 4, "window": 4},
}
"""First-party denoiser -> options of a small form; the tests check that it names all of them."""


@pytest.fixture(scope="session")
def small():
    return SMALL


@pytest.fixture(params=SMALL)
def name(request):
    return request.param


@pytest.fixture(scope="session")
def new():
    """new(name, attention, code_width, **options): a denoiser with initial weights, from its record."""
    registry = Registry.discover()

    def build(name, attention=None, code_width=12, **options):
        ref = Ref(name=name, options={**SMALL[name], **options})
        return registry.build("denoiser", ref, code_width=code_width, attention=attention or Sdpa(None))

    return build


@pytest.fixture(scope="session")
def random(new):
    """random(name, ...): the same with random weights, since what starts at 0 hides what is behind it."""

    def build(*arguments, **options):
        network, g = new(*arguments, **options), torch.Generator().manual_seed(0)
        with torch.no_grad():
            for parameter in network.parameters():
                parameter += 0.1 * torch.randn(parameter.shape, generator=g)
        return network.eval()

    return build


@pytest.fixture(scope="session")
def given():
    """given(height, width, batch, code_width): x, c_noise, condition and code of one call."""

    def make(height=24, width=40, batch=2, code_width=12):
        g = torch.Generator().manual_seed(1)
        shape = (batch, 3, height, width)
        x, condition = torch.randn(shape, generator=g), torch.rand(shape, generator=g)
        return x, torch.randn(batch, generator=g), condition, torch.randn((batch, 5, code_width), generator=g)

    return make
