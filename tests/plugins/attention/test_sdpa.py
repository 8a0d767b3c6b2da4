"""The SDPA backend against softmax(q k^T / sqrt(D)) v in float64."""

import pytest
import torch

from texprior.plugin import Options
from texprior_plugins.attention.sdpa import Sdpa

SHAPES = [(8, 8, 16), (7, 13, 5), (1, 1, 8), (1, 9, 3), (33, 1, 4)]


def reference(q, k, v):
    logits = torch.einsum("bhnd,bhmd->bhnm", q, k) / q.shape[-1] ** 0.5
    weights = (logits - logits.amax(-1, keepdim=True)).exp()
    return torch.einsum("bhnm,bhmd->bhnd", weights / weights.sum(-1, keepdim=True), v)


@pytest.mark.parametrize(("n", "m", "d"), SHAPES)
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 2e-6)])
def test_outputs_and_gradients_match_the_plain_reference(n, m, d, dtype, tolerance):
    g = torch.Generator().manual_seed(n * m)
    q, k, v, weight = (torch.randn(2, 3, size, d, generator=g, dtype=torch.float64) for size in (n, m, m, n))
    exact = [t.clone().requires_grad_() for t in (q, k, v)]
    ours = [t.to(dtype).requires_grad_() for t in (q, k, v)]
    expected = reference(*exact)
    out = Sdpa(Options())(*ours)
    assert out.shape == (2, 3, n, d)
    assert out.dtype is dtype
    torch.testing.assert_close(out.double(), expected, rtol=tolerance, atol=tolerance)
    (expected * weight).sum().backward()
    (out * weight.to(dtype)).sum().backward()
    for a, b in zip(ours, exact, strict=True):
        torch.testing.assert_close(a.grad.double(), b.grad, rtol=10 * tolerance, atol=10 * tolerance)


def test_one_key_returns_its_value():
    v = torch.randn(1, 2, 1, 4, generator=torch.Generator().manual_seed(0))
    out = Sdpa(Options())(torch.randn(1, 2, 5, 4, generator=torch.Generator().manual_seed(1)), v * 3, v)
    torch.testing.assert_close(out, v.expand(1, 2, 5, 4))


def test_available_says_nothing_where_it_works_and_why_where_it_does_not():
    backend = Sdpa(Options())
    for dtype in (torch.float32, torch.float64, torch.bfloat16):
        assert backend.available(torch.device("cpu"), dtype) == ""
    reason = backend.available(torch.device("cpu"), torch.int32)
    assert reason.startswith("scaled_dot_product_attention does not run on cpu in torch.int32: ")
    assert "\n" not in reason


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without CUDA")
def test_a_missing_device_gives_a_reason():
    assert "does not run on cuda" in Sdpa(Options()).available(torch.device("cuda"), torch.float32)
