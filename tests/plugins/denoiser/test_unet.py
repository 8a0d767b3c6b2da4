"""The UNet: declared blocks, sizes, where the code enters, and that a tile is denoised as within the whole."""

import pytest
import torch

from texprior.flow.prior import prior_denoise
from texprior_plugins.attention.sdpa import Sdpa
from texprior_plugins.denoiser import UnetOptions
from texprior_plugins.denoiser.unet import ChannelNorm, Unet


def unet(code_width: int = 12, **options) -> Unet:
    torch.manual_seed(0)
    network = Unet(UnetOptions(**{"width": 8, "blocks": 1, **options}), code_width, Sdpa(None))
    for parameter in network.parameters():
        if not parameter.any():  # what starts at zero hides what is behind it
            torch.nn.init.normal_(parameter, std=0.05)
    return network.eval()


def arguments(height: int = 24, width: int = 40, batch: int = 2, code_width: int = 12):
    g = torch.Generator().manual_seed(1)
    shape = (batch, 3, height, width)
    return (
        torch.randn(shape, generator=g),
        torch.randn(batch, generator=g),
        torch.rand(shape, generator=g),
        torch.randn((batch, 5, code_width), generator=g),
    )


def test_output_is_zero_at_initialisation():
    torch.manual_seed(0)
    network = Unet(UnetOptions(width=8), 12, Sdpa(None))
    assert not network(*arguments()).any()


def test_an_untrained_prior_denoises_as_if_it_knew_the_variance_only():
    """With F = 0, D(x) = c_skip x = x / (1 + sigma^2): the posterior mean under N(0, 1)."""
    torch.manual_seed(0)
    network = Unet(UnetOptions(width=8), 12, Sdpa(None))
    x, _, condition, code = arguments()
    sigma = torch.tensor([0.5, 2.0])
    expected = x / (1 + sigma.view(-1, 1, 1, 1) ** 2)
    assert torch.allclose(prior_denoise(network, x, sigma, condition, code), expected, atol=1e-6)


def test_declared_blocks_are_visited_once_in_their_order_with_their_shape():
    network, visited = unet(levels=3, blocks=2), []

    def guide(name, hidden):
        visited.append((name, hidden.shape[1], 48 // hidden.shape[2], 64 // hidden.shape[3]))
        return hidden

    network(*arguments(48, 64), guide)
    assert visited == [(n, b.channels, b.stride, b.stride) for n, b in network.blocks().items()]
    assert len({b.part for b in network.blocks().values()}) == 3


@pytest.mark.parametrize("size", [(16, 16), (18, 22), (17, 31), (3, 5)])
def test_any_size(size):
    x, noise, condition, code = arguments(*size)
    assert unet()(x, noise, condition, code).shape == x.shape


def test_every_input_moves_the_output():
    network, inputs = unet(), arguments()
    plain = network(*inputs)
    for i in range(4):
        changed = list(inputs)
        changed[i] = changed[i].roll(1, 0) if i else changed[i] + 1
        assert (network(*changed) - plain).abs().max() > 1e-4


def test_without_a_code_no_attention_is_built():
    network = unet(code_width=0)
    x, noise, condition, _ = arguments()
    assert network.look is None
    assert network(x, noise, condition, torch.empty(2, 0, 0)).shape == x.shape


def test_a_batch_equals_its_singles():
    network, inputs = unet(), arguments()
    both = network(*inputs)
    single = torch.cat([network(*(t[i : i + 1] for t in inputs)) for i in range(2)])
    assert torch.allclose(both, single, atol=1e-5)


def test_a_tile_with_enough_halo_equals_the_whole():
    """Nothing in the network looks further than its convolutions reach."""
    network = unet(levels=2)
    x, noise, condition, code = arguments(64, 256, batch=1)
    whole = network(x, noise, condition, code)[..., 96:160]
    halo = slice(32, 224)
    tile = network(x[..., halo], noise, condition[..., halo], code)[..., 64:128]
    assert torch.allclose(whole, tile, atol=1e-5)


def test_channel_norm_is_layer_norm_of_each_position():
    h = torch.randn(2, 8, 3, 4)
    expected = torch.nn.LayerNorm(8, eps=1e-6)(h.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
    assert torch.allclose(ChannelNorm(8)(h), expected, atol=1e-6)


def test_skips_are_visited_once_and_replace_what_the_decoder_sees():
    """Without what the encoder hands over, a decoder's first block sees zeros in the second half of its channels."""
    network, seen = unet(levels=2, blocks=2), []
    inputs = arguments()
    halves = [
        network.decoder[k][0].register_forward_pre_hook(lambda _m, x: seen.append(x[0].chunk(2, 1)[1])) for k in (0, 1)
    ]
    visited = []

    def nothing(block, h):
        visited.append(block)
        return torch.zeros_like(h)

    network(*inputs, skip=nothing)
    assert visited == ["encoder.0.1", "encoder.1.1"] == [n for n, b in network.blocks().items() if b.skip]
    assert len(seen) == len(halves)
    assert not any(s.any() for s in seen)


def test_it_declares_what_adapters_ask_for():
    network = unet(blocks=2)
    assert network.code_width == 12
    assert network.attentions() == {"look": ("look.key_value",)}
    assert unet(code_width=0).attentions() == {}
    norms = network.norms()
    assert len(norms) == 2 * len(network.blocks()) + 3
    assert all(isinstance(m, ChannelNorm | torch.nn.LayerNorm) for m in norms.values())
    for name, block in network.blocks().items():
        assert network.get_submodule(name).conv2 is network.get_submodule(f"{name}.{block.closing}")


def test_made_again_it_has_the_same_weights_from_the_same_numbers():
    network = unet(levels=2)
    torch.manual_seed(3)
    again = network.fresh().state_dict()
    torch.manual_seed(3)
    expected = Unet(UnetOptions(width=8, blocks=1, levels=2), 12, Sdpa(None)).state_dict()
    assert again.keys() == expected.keys()
    assert all(torch.equal(t, again[name]) for name, t in expected.items())
