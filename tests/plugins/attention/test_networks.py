"""Every backend in networks: the output and the gradients of each denoiser are those of the formula in float64."""

import sys
import types

import pytest
import torch

from texprior.plugin import Options, Ref
from texprior.registry import Registry
from texprior_plugins.attention.reference import Reference
from texprior_plugins.attention.sdpa import Sdpa
from texprior_plugins.attention.xformers import Xformers

DENOISERS = {
    "unet": {"width": 8, "levels": 2, "blocks": 1},
    "nafnet": {"width": 8, "levels": 2, "blocks": 1, "middle": 1, "head_width": 4},
    "window_transformer": {"width": 24, "levels": 2, "blocks": 2, "middle": 2, "head_width": 12, "window": 4},
}
"""Denoiser -> options; a head of 12 channels is one that xformers' kernels need padded."""


class Counting:
    """The formula in the dtype of its inputs, which counts its calls and the tokens of each."""

    def __init__(self):
        self.seen = []

    def __call__(self, q, k, v):
        self.seen.append((tuple(q.shape), tuple(k.shape)))
        return (q @ k.mT / q.shape[-1] ** 0.5).softmax(-1) @ v


@pytest.fixture(params=[Sdpa, Reference, Xformers])
def backend(request, monkeypatch):
    """A backend with its device; without a GPU, xformers' kernel is replaced by what it is documented to compute."""
    built = request.param(Options())
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if isinstance(built, Xformers) and built.available(device, torch.float32):
        if device.type == "cuda":
            pytest.skip(built.available(device, torch.float32))
        _documented(monkeypatch)
    return built, device


def _documented(monkeypatch):
    def attend(query_BNHK, key_BMHK, value_BMHK, attn_bias=None, p=0.0, scale=None):
        assert query_BNHK.is_contiguous()
        assert query_BNHK.shape[-1] % 8 == 0
        assert query_BNHK.dtype == key_BMHK.dtype == value_BMHK.dtype
        weights = torch.einsum("bnhk,bmhk->bhnm", query_BNHK, key_BMHK).mul(scale).softmax(-1)
        return torch.einsum("bhnm,bmhk->bnhk", weights, value_BMHK)

    ops = types.ModuleType("xformers.ops")
    ops.memory_efficient_attention = attend
    monkeypatch.setitem(sys.modules, "xformers", types.ModuleType("xformers"))
    monkeypatch.setitem(sys.modules, "xformers.ops", ops)


def built(name, attention):
    options = DENOISERS[name]
    network = Registry.discover().build("denoiser", Ref(name=name, options=options), code_width=12, attention=attention)
    g = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter += 0.1 * torch.randn(parameter.shape, generator=g)
    return network


def given(device, dtype):
    g = torch.Generator().manual_seed(1)
    shapes = ((2, 3, 20, 28), (2,), (2, 3, 20, 28), (2, 5, 12))
    return [torch.randn(shape, generator=g, dtype=torch.float64).to(device, dtype) for shape in shapes]


def results(network, inputs):
    out = network(*inputs)
    gradients = torch.autograd.grad(out.square().mean(), list(network.parameters()))
    return [out.detach(), *gradients]


@pytest.mark.parametrize("name", DENOISERS)
def test_output_and_gradients_are_those_of_the_formula(name, backend):
    attention, device = backend
    exact = results(built(name, Counting()).double(), given("cpu", torch.float64))
    found = results(built(name, attention).to(device), given(device, torch.float32))
    for a, b in zip(found, exact, strict=True):
        # gradients are sums over many positions: the tolerance is relative to the largest
        torch.testing.assert_close(a.double().cpu(), b, rtol=1e-3, atol=2e-4 * float(b.abs().max()))


@pytest.mark.parametrize("name", DENOISERS)
def test_under_autocast_a_backend_gets_one_dtype(name, backend):
    attention, device = backend
    network, inputs = built(name, attention).to(device), given(device, torch.float32)
    seen = []

    def watched(q, k, v):
        seen.append({q.dtype, k.dtype, v.dtype})
        return attention(q, k, v)

    for module in network.modules():
        if hasattr(module, "attention"):
            module.attention = watched
    whole = network(*inputs)
    with torch.autocast(device.type, dtype=torch.bfloat16):
        half = network(*inputs)
    assert all(len(dtypes) == 1 for dtypes in seen)
    assert {torch.bfloat16} in seen
    assert (half.float() - whole).abs().max() < 0.05 * whole.abs().max()


def test_the_window_transformer_gives_a_backend_work_in_every_block():
    """20x28 px are 10x14 and 5x7 positions: 3x4 windows of 4, and 2x2 of them, or 2x3 if shifted by 2."""
    counting = Counting()
    built("window_transformer", counting)(*given("cpu", torch.float32))
    windows = [(q[0], q[2], k[2]) for q, k in counting.seen]
    fine, coarse = [(2 * 12, 16, 16), (2 * 12, 16, 16)], [(2 * 4, 16, 16), (2 * 6, 16, 16)]
    look = [(2, 35, 5)]
    assert windows == [*fine, *look, *coarse, *fine]
