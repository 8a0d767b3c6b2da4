"""ControlNet: what is copied, how it starts, and its output against the network written out."""

import copy

import torch
from torch.nn import functional as F

from texprior_plugins.adapter import ControlnetOptions
from texprior_plugins.adapter.controlnet import ControlNet


def test_the_copy_is_encoder_and_middle_and_what_they_read(network):
    adapter = ControlNet(ControlnetOptions(), network)
    decoder = ("decoder", "up", "leave")
    expected = [name for name, _ in network.named_parameters() if not name.startswith(decoder)]
    assert adapter.paths == expected
    weights = dict(network.named_parameters())
    for path in expected:
        copied = adapter.copies[path.replace(".", "/")]
        assert torch.equal(copied, weights[path])
        assert copied.data_ptr() != weights[path].data_ptr()


def test_the_zero_convolutions_are_those_of_the_skips_and_the_middle(network):
    adapter = ControlNet(ControlnetOptions(), network)
    assert list(adapter.join) == ["encoder_0_1", "encoder_1_1", "middle_1"]
    assert not any(p.any() for p in [*adapter.join.parameters(), *adapter.hint.parameters()])


def test_it_is_the_network_written_out(network, inputs, estimate):
    """Skips h_k + Z_k(c_k) and middle h + Z(c), c from a copy that gets the hint after its first block."""
    adapter = ControlNet(ControlnetOptions(width=6, zero_init=False), network)
    g = torch.Generator().manual_seed(7)
    for parameter in adapter.copies.values():  # a copy that was trained is another network
        parameter.data += 0.05 * torch.randn(parameter.shape, generator=g)
    twin = copy.deepcopy(network)
    twin.load_state_dict({p: adapter.copies[p.replace(".", "/")].detach() for p in adapter.paths}, strict=False)
    x, noise, condition, code = inputs
    padded = F.pad(estimate, (0, -34 % 4, 0, -19 % 4), mode="replicate")
    hint = adapter.hint(F.gelu(adapter.bring.conv(F.pixel_unshuffle(2 * padded - 1, 2))))

    def encoder(net, hint=None):
        h = F.pad(torch.cat([x, 2 * condition - 1], 1), (0, -34 % 4, 0, -19 % 4), mode="replicate")
        e, h, skips = net.embed(noise, code), net.enter(F.pixel_unshuffle(h, 2)), []
        for k, level in enumerate(net.encoder):
            h = net.down[k - 1](h) if k else h
            for i, block in enumerate(level):
                h = block(h, e)
                h = h + hint if hint is not None and (k, i) == (0, 0) else h
            skips.append(h)
        h = net.middle[1](net.look(net.middle[0](h, e), code), e)
        return e, h, skips

    _, c, controls = encoder(twin, hint)
    e, h, skips = encoder(network)
    h = h + adapter.join["middle_1"](c)
    for k in (1, 0):
        skip = skips[k] + adapter.join[f"encoder_{k}_1"](controls[k])
        h = torch.cat([h, skip], 1)
        for block in network.decoder[k]:
            h = block(h, e)
        h = network.up[k - 1](h) if k else h
    expected = F.pixel_shuffle(network.leave(h), 2)[..., :19, :34]
    assert torch.allclose(adapter.adapted(network, adapter.features(estimate))(*inputs), expected, atol=1e-5)


def test_it_reads_every_input_of_the_call(network, inputs, estimate):
    """The controls alone, what the zero convolutions get, move with x, noise level, condition and code."""
    adapter = ControlNet(ControlnetOptions(zero_init=False), network)
    hint = adapter.features(estimate)
    copies = {p: adapter.copies[p.replace(".", "/")] for p in adapter.paths}
    plain = adapter._copy(network, copies, inputs, hint)["middle.1"]
    for i in range(4):
        other = [t.flip(0) if j == i else t for j, t in enumerate(inputs)]
        assert (adapter._copy(network, copies, tuple(other), hint)["middle.1"] - plain).abs().max() > 1e-4


def test_the_copys_decoder_is_not_run(network, inputs, estimate, monkeypatch):
    """The frozen network's last layer is called once a call, not twice."""
    calls = []
    network.leave.register_forward_hook(lambda *_: calls.append(1))
    adapter = ControlNet(ControlnetOptions(), network)
    assert calls == []
    adapter.adapted(network, adapter.features(estimate))(*inputs)
    assert calls == [1]
