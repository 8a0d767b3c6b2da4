"""The backends against softmax(q k^T / sqrt(D)) v in float64, and their reasons where they do not work."""

import importlib.util
import subprocess
import sys
import types

import pytest
import torch

from texprior.errors import ConfigError
from texprior.plugin import Options, Ref
from texprior.registry import Registry
from texprior_plugins.attention.reference import Reference
from texprior_plugins.attention.sdpa import Sdpa
from texprior_plugins.attention.xformers import Xformers

SHAPES = [(8, 8, 16), (7, 13, 5), (1, 1, 8), (1, 9, 3), (33, 1, 4)]
CPU = torch.device("cpu")
GPU = torch.device("cuda" if torch.cuda.is_available() else "cpu")
BACKENDS = [Sdpa, Reference, Xformers]
HAS_XFORMERS = importlib.util.find_spec("xformers") is not None


def usable(backend, dtype):
    """The backend where it works, with the device that it works on; else the test is skipped with its reason."""
    built = backend(Options())
    reason = built.available(GPU, dtype)
    if reason:
        pytest.skip(reason)
    return built, GPU


def written_down(q, k, v):
    logits = torch.einsum("bhnd,bhmd->bhnm", q, k) / q.shape[-1] ** 0.5
    weights = (logits - logits.amax(-1, keepdim=True)).exp()
    return torch.einsum("bhnm,bhmd->bhnd", weights / weights.sum(-1, keepdim=True), v)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("n", "m", "d"), SHAPES)
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 2e-6)])
def test_outputs_and_gradients_match_the_formula(backend, n, m, d, dtype, tolerance):
    built, device = usable(backend, dtype)
    g = torch.Generator().manual_seed(n * m)
    q, k, v, weight = (torch.randn(2, 3, size, d, generator=g, dtype=torch.float64) for size in (n, m, m, n))
    exact = [t.clone().requires_grad_() for t in (q, k, v)]
    ours = [t.to(device, dtype).requires_grad_() for t in (q, k, v)]
    expected = written_down(*exact)
    out = built(*ours)
    assert out.shape == (2, 3, n, d)
    assert out.dtype is dtype
    torch.testing.assert_close(out.double().cpu(), expected, rtol=tolerance, atol=tolerance)
    (expected * weight).sum().backward()
    (out * weight.to(device, dtype)).sum().backward()
    for a, b in zip(ours, exact, strict=True):
        torch.testing.assert_close(a.grad.double().cpu(), b.grad, rtol=10 * tolerance, atol=10 * tolerance)


@pytest.mark.parametrize("backend", BACKENDS)
def test_one_key_returns_its_value(backend):
    built, device = usable(backend, torch.float32)
    v = torch.randn(1, 2, 1, 4, generator=torch.Generator().manual_seed(0)).to(device)
    out = built(torch.randn(1, 2, 5, 4, generator=torch.Generator().manual_seed(1)).to(device), v * 3, v)
    torch.testing.assert_close(out, v.expand(1, 2, 5, 4))


@pytest.mark.parametrize(
    ("backend", "what"), [(Sdpa, "scaled_dot_product_attention"), (Reference, "softmax(q k^T / sqrt(D)) v")]
)
def test_available_says_nothing_where_it_works_and_why_where_it_does_not(backend, what):
    for dtype in (torch.float32, torch.float64, torch.bfloat16):
        assert backend(Options()).available(CPU, dtype) == ""
    reason = backend(Options()).available(CPU, torch.int32)
    assert reason.startswith(f"{what} does not run on cpu in torch.int32: ")
    assert "\n" not in reason


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without CUDA")
@pytest.mark.parametrize("backend", [Sdpa, Reference])
def test_a_missing_device_gives_a_reason(backend):
    assert "does not run on cuda" in backend(Options()).available(torch.device("cuda"), torch.float32)


@pytest.mark.skipif(HAS_XFORMERS, reason="xformers is installed")
def test_xformers_that_is_not_installed_says_how_to_get_it():
    reason = Xformers(Options()).available(CPU, torch.float32)
    assert reason == "xformers is not installed; pip install 'texprior[xformers]'"


@pytest.mark.skipif(not HAS_XFORMERS, reason="xformers is not installed")
def test_xformers_has_no_kernel_for_the_cpu():
    """Its memory_efficient_attention raises NotImplementedError there, which becomes the reason."""
    from xformers.ops import memory_efficient_attention

    with pytest.raises(NotImplementedError):
        memory_efficient_attention(*torch.zeros(3, 1, 2, 1, 8))
    reason = Xformers(Options()).available(CPU, torch.float32)
    assert reason.startswith("xformers' memory_efficient_attention does not run on cpu in torch.float32: No operator")
    assert "\n" not in reason


def test_an_xformers_that_cannot_be_imported_says_so(monkeypatch, tmp_path):
    """One that was built for another torch raises while it is imported."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "xformers"]:
        monkeypatch.delitem(sys.modules, name)
    (tmp_path / "xformers").mkdir()
    (tmp_path / "xformers" / "__init__.py").write_text("raise ImportError('undefined symbol: _ZN3c10', name='_C')")
    monkeypatch.syspath_prepend(tmp_path)
    reason = Xformers(Options()).available(CPU, torch.float32)
    assert reason == "xformers is installed but cannot be imported: undefined symbol: _ZN3c10"


@pytest.mark.skipif(torch.cuda.is_available(), reason="the kernel itself runs here")
@pytest.mark.parametrize(("n", "m", "d"), SHAPES)
def test_xformers_is_given_its_layout_aligned_channels_and_the_scale(monkeypatch, n, m, d):
    """Without a GPU its kernel cannot run; in its place stands what its documentation says it computes."""

    def documented(query_BNHK, key_BMHK, value_BMHK, attn_bias=None, p=0.0, scale=None):
        assert query_BNHK.is_contiguous()
        assert query_BNHK.shape[-1] % 8 == 0
        weights = torch.einsum("bnhk,bmhk->bhnm", query_BNHK, key_BMHK).mul(scale).softmax(-1)
        return torch.einsum("bhnm,bmhk->bnhk", weights, value_BMHK)

    ops = types.ModuleType("xformers.ops")
    ops.memory_efficient_attention = documented
    monkeypatch.setitem(sys.modules, "xformers", types.ModuleType("xformers"))
    monkeypatch.setitem(sys.modules, "xformers.ops", ops)
    g = torch.Generator().manual_seed(n * m)
    q, k, v = (torch.randn(2, 3, size, d, generator=g, dtype=torch.float64) for size in (n, m, m))
    torch.testing.assert_close(Xformers(Options())(q, k, v), written_down(q, k, v), rtol=1e-12, atol=1e-12)


def test_listing_and_building_import_no_xformers(monkeypatch):
    """Nothing heavy to list it; and where importing it fails, it is built all the same."""
    code = (
        "import sys; from texprior.registry import Registry\n"
        "Registry.discover().find('attention', 'xformers'); print(sys.modules.keys() & {'torch', 'xformers'})"
    )
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert printed.stdout == "set()\n"
    monkeypatch.setitem(sys.modules, "xformers", None)
    assert Registry.discover().build("attention", Ref(name="xformers")).available(CPU, torch.float32)


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine where xformers does not work")
def test_a_backend_that_does_not_work_is_a_configuration_error_before_any_training(tmp_path):
    from texprior import config
    from texprior.models.build import build_prior
    from texprior.runtime.session import Session

    registry = Registry.discover()
    assert registry.find("attention", "xformers").component.impl.endswith(":Xformers")
    data = {"name": "x", "device": "cpu", "attention": "xformers", "events": []}
    session = Session.start(config.resolve(data, registry), registry, root=tmp_path)
    with pytest.raises(ConfigError, match="attention: 'xformers' does not work on cpu: xformers"):
        build_prior(session.builder, 1.0, tmp_path)
    assert registry.build("attention", Ref(name="reference")).available(CPU, torch.float32) == ""
