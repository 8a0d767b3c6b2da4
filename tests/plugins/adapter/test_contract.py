"""What every adapter keeps: how it starts, what is trained, and that the prior stays as it is."""

import pytest
import torch
import yaml

from texprior.errors import ConfigError
from texprior.flow.adapt import DenoiserAdapter
from texprior.plugin import Ref
from texprior.registry import Registry
from texprior_plugins.adapter import texprior_adapters

RECORDS = {record.name: record for record in texprior_adapters()}
TRAINED = [name for name in RECORDS if name != "frozen"]
VARIANTS = [("lora", {"dora": True}), ("ia3", {"activations": "attention"}), ("lora", {"layers": "attention"})]
ALL = [(name, {}) for name in RECORDS] + VARIANTS
WITH_POSITION = [name for name, record in RECORDS.items() if "position" in record.options.model_fields]


@pytest.fixture
def network(host):
    """What every adapter keeps, it keeps on every denoiser."""
    return host


def output(adapter: DenoiserAdapter, network, inputs, estimate):
    return adapter.adapted(network, adapter.features(estimate))(*inputs)


def moved(adapter: DenoiserAdapter) -> DenoiserAdapter:
    """The adapter after its parameters were changed, as training would."""
    g = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for parameter in adapter.parameters():
            parameter += 0.1 * torch.randn(parameter.shape, generator=g)
    return adapter


def snapshot(network):
    return {name: tensor.clone() for name, tensor in network.state_dict().items()}


def is_untouched(network, before) -> bool:
    now = network.state_dict()
    hooks = [m for m in network.modules() if m._forward_hooks or m._forward_pre_hooks]
    return not hooks and now.keys() == before.keys() and all(torch.equal(now[n], t) for n, t in before.items())


@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize(("name", "options"), ALL)
def test_starts_as_its_record_says(name, options, channels_last, build, network, inputs, estimate):
    if channels_last:
        network.to(memory_format=torch.channels_last)
    plain = network(*inputs)
    adapted = output(build(name, network, **options), network, inputs, estimate)
    if RECORDS[name].identity == "bitwise":
        assert torch.equal(adapted, plain)
    elif RECORDS[name].identity == "close":
        assert (adapted - plain).abs().max() <= 1e-6 * plain.abs().max()
    else:
        assert not torch.allclose(adapted, plain)


@pytest.mark.parametrize("name", [n for n, r in RECORDS.items() if "zero_init" in r.options.model_fields])
def test_does_not_where_it_does_not_start_at_zero(name, build, network, inputs, estimate):
    adapter = build(name, network, zero_init=False)
    assert not torch.allclose(output(adapter, network, inputs, estimate), network(*inputs))


@pytest.mark.parametrize(("name", "options"), ALL)
def test_only_its_own_parameters_get_gradients_and_all_of_them_do(name, options, build, network, inputs, estimate):
    adapter = moved(build(name, network, **options))
    if name == "frozen":
        assert list(adapter.parameters()) == []
        return
    output(adapter, network, inputs, estimate).square().mean().backward()
    without = [n for n, p in adapter.named_parameters() if p.grad is None or not p.grad.any()]
    assert without == []
    assert all(p.grad is None for p in network.parameters())


@pytest.mark.parametrize(("name", "options"), ALL)
def test_the_prior_is_untouched_to_the_bit(name, options, build, network, inputs, estimate):
    """... while the adapter is trained, and after; its own output moves."""
    before, plain = snapshot(network), network(*inputs)
    adapter = build(name, network, **options)
    start = output(adapter, network, inputs, estimate).detach()
    parameters = list(adapter.parameters())
    optimizer = torch.optim.AdamW([{"params": parameters}], lr=1e-2)
    for _ in range(3):
        if parameters:
            (output(adapter, network, inputs, estimate) - 1).square().mean().backward()
            optimizer.step()
            optimizer.zero_grad()
        assert is_untouched(network, before)
    assert torch.equal(network(*inputs), plain)
    assert torch.equal(output(adapter, network, inputs, estimate), start) == (name == "frozen")


def test_any_number_of_adapters_stand_on_one_prior(build, network, inputs, estimate):
    """Each gives what it gives alone, whoever was built and run between."""
    alone = {}
    for name in RECORDS:
        alone[name] = output(moved(build(name, network)), network, inputs, estimate)
    together = {name: moved(build(name, network)) for name in RECORDS}
    for name, adapter in reversed(together.items()):
        assert torch.equal(output(adapter, network, inputs, estimate), alone[name]), name


@pytest.mark.parametrize(("name", "options"), ALL)
def test_a_call_that_breaks_off_leaves_the_prior_as_it_was(name, options, build, network, inputs, estimate):
    before, (x, noise, condition, _) = snapshot(network), inputs
    adapter = build(name, network, **options)
    with pytest.raises(RuntimeError):
        output(adapter, network, (x, noise, condition, torch.zeros(2, 4, 7)), estimate)  # a code of the wrong width
    assert is_untouched(network, before)


@pytest.mark.parametrize(("name", "options"), ALL)
def test_a_batch_equals_its_singles(name, options, build, network, inputs, estimate):
    adapter = moved(build(name, network, **options))
    both = output(adapter, network, inputs, estimate)
    singles = [output(adapter, network, [t[i : i + 1] for t in inputs], estimate[i : i + 1]) for i in range(2)]
    assert torch.allclose(both, torch.cat(singles), atol=1e-5)


@pytest.mark.parametrize("name", TRAINED)
def test_it_is_saved_and_loaded(name, build, network, inputs, estimate):
    """A new adapter with the stored weights gives the same picture to the bit."""
    adapter, other = moved(build(name, network)), build(name, network)
    assert not torch.equal(output(other, network, inputs, estimate), output(adapter, network, inputs, estimate))
    other.load_state_dict({key: tensor.clone() for key, tensor in adapter.state_dict().items()})
    assert torch.equal(output(other, network, inputs, estimate), output(adapter, network, inputs, estimate))


@pytest.mark.parametrize("name", [n for n, r in RECORDS.items() if r.cacheable])
def test_what_is_cacheable_reads_the_estimate_in_its_features_alone(name, build, network, inputs, estimate):
    """Other features change the output; equal features serve every x and every noise level."""
    adapter = moved(build(name, network))
    once = adapter.features(estimate)
    assert torch.equal(adapter.adapted(network, once)(*inputs), output(adapter, network, inputs, estimate))
    other = adapter.adapted(network, adapter.features(estimate.flip(0)))(*inputs)
    assert not torch.allclose(adapter.adapted(network, once)(*inputs), other)


@pytest.mark.parametrize("name", [n for n, r in RECORDS.items() if "weights" in r.tags])
def test_what_changes_weights_has_no_features(name, build, network, estimate):
    assert build(name, network).features(estimate) == {}


def test_half_precision_of_the_activations_is_allowed(build, network, inputs, estimate):
    """Under autocast every adapter runs, gives what it gives in float32 but for rounding, and is trained in float32."""
    for name, options in ALL:
        adapter = moved(build(name, network, **options))
        whole = output(adapter, network, inputs, estimate)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            half = output(adapter, network, inputs, estimate).float()
        assert (half - whole).abs().max() < 0.05 * whole.abs().max(), name
        assert all(p.dtype == torch.float32 for p in adapter.parameters())


@pytest.mark.parametrize("name", WITH_POSITION)
def test_a_position_changes_the_blocks_of_that_part_alone(name, build, network, inputs, estimate):
    """Blocks before the position give what the prior gives, to the bit; the block at it does not."""
    parts = [block.part for block in network.blocks().values()]
    for part in ("encoder", "middle", "decoder"):
        adapter = moved(build(name, network, position=part))
        seen, plain = (
            outputs_of_blocks(network, adapter, inputs, estimate),
            outputs_of_blocks(network, None, inputs, None),
        )
        same = [torch.equal(a, b) for a, b in zip(seen, plain, strict=True)]
        first = parts.index(part)
        assert same == [True] * first + [False] * (len(parts) - first)


def outputs_of_blocks(network, adapter, inputs, estimate) -> list[torch.Tensor]:
    """What goes on after every block, with or without an adapter."""
    seen = []
    forward = type(network).forward

    def watched(self, x, noise, condition, code, guide=lambda _block, h: h, skip=lambda _block, h: h):
        def both(block, h):
            seen.append(guide(block, h))
            return seen[-1]

        return forward(self, x, noise, condition, code, both, skip)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(network), "forward", watched)
        run = network if adapter is None else adapter.adapted(network, adapter.features(estimate))
        run(*inputs)
    return seen


@pytest.mark.parametrize(
    ("name", "options", "sentence"),
    [
        ("cga", {"position": "decoder"}, "the denoiser has no basic denoising block at the position 'decoder'"),
        ("sft", {"position": "middle"}, "the denoiser has no basic denoising block at the position 'middle'"),
        ("film", {}, "film needs a semantic code, and the encoder gives none"),
        ("controlnet", {}, "controlnet needs skip connections or a middle block, and the denoiser has none"),
        ("lora", {"layers": "attention"}, "lora finds no layer of 'attention' at 'all' in the denoiser"),
        ("ia3", {}, "ia3 of 'all' at 'all': the denoiser declares neither attention nor inner activations there"),
        ("ia3", {"activations": "attention"}, "ia3 of 'attention' at 'all': the denoiser declares no attention there"),
        ("scratch", {}, "Plain does not implement fresh, which creates the network again"),
    ],
)
def test_what_a_denoiser_does_not_have_is_a_sentence(name, options, sentence, build, plain):
    with pytest.raises(ConfigError, match=sentence):
        build(name, plain, **options)


def test_a_denoiser_without_norms_or_encoder_is_a_sentence(build, plain):
    bare = type(plain)(norm=False, part="decoder").requires_grad_(False)
    with pytest.raises(ConfigError, match="spade needs normalisation layers with weights, and the denoiser has none"):
        build("spade", bare)
    with pytest.raises(ConfigError, match="no basic denoising block at the position 'encoder'"):
        build("t2i", bare)
    for parameter in [n for n, _ in bare.named_parameters() if n.endswith("bias")]:
        owner, _, _ = parameter.rpartition(".")
        bare.get_submodule(owner).bias = None
    with pytest.raises(ConfigError, match="bitfit finds no bias at 'all' in the denoiser"):
        build("bitfit", bare)


def test_a_denoiser_that_declares_little_serves_the_rest(build, plain, inputs, estimate):
    x, noise, condition, _ = inputs
    given = (x, noise, condition, torch.empty(2, 0, 0))
    for name in ("cga", "sft", "zero_conv", "spade", "t2i", "lora", "bitfit", "full", "frozen"):
        adapter = build(name, plain)
        assert torch.allclose(output(adapter, plain, given, estimate), plain(*given), atol=1e-6), name


def test_initial_weights_are_a_function_of_the_seed(network):
    registry = Registry.discover()
    for name in RECORDS:
        a, b, c = (registry.build("adapter", Ref(name=name), seed=s, denoiser=network) for s in (0, 0, 1))
        assert all(torch.equal(t, b.state_dict()[n]) for n, t in a.state_dict().items())
        if name in ("cga", "lora", "scratch"):
            assert any(not torch.equal(t, c.state_dict()[n]) for n, t in a.state_dict().items())


def test_no_option_has_a_name_that_yaml_reads_as_something_else():
    """``on`` would be True, ``n`` False."""
    names = [name for record in RECORDS.values() for name in record.options.model_fields]
    assert [name for name in names if yaml.safe_load(name) != name] == []
