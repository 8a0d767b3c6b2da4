"""What every first-party denoiser keeps, beyond the rules of the conformance kit."""

import pytest
import torch

from texprior.flow.prior import prior_denoise
from texprior_plugins.denoiser import texprior_denoisers


def test_every_denoiser_is_tested_here(small):
    assert [record.name for record in texprior_denoisers()] == list(small)


@pytest.mark.parametrize("size", [(16, 16), (17, 31), (3, 5), (1, 1)])
def test_any_size(name, size, random, given):
    inputs = given(*size)
    assert random(name)(*inputs).shape == inputs[0].shape


def test_an_untrained_prior_denoises_as_if_it_knew_the_variance_only(name, new, given):
    """With F = 0, D(x) = c_skip x = x / (1 + sigma^2): the posterior mean under N(0, 1)."""
    x, _, condition, code = given()
    sigma = torch.tensor([0.5, 2.0])
    expected = x / (1 + sigma.view(-1, 1, 1, 1) ** 2)
    torch.testing.assert_close(prior_denoise(new(name), x, sigma, condition, code), expected, rtol=0, atol=1e-6)


def test_tiles_that_begin_on_the_grid_are_the_whole_and_others_are_not(name, random, given):
    """With a halo of 96 px, wider than the reach of these small networks."""
    network, (x, noise, condition, code) = random(name), given(40, 384, batch=1)
    grid = network.grid()
    whole = network(x, noise, condition, code)

    def off(begin):
        tile = network(x[..., begin:], noise, condition[..., begin:], code)
        return float((tile[..., 96:] - whole[..., begin + 96 :]).detach().abs().max())

    assert off(grid) < 1e-5
    assert off(3 * grid) < 1e-5
    assert off(grid // 2) > 1e-4


def test_a_tile_in_the_middle_is_the_whole_there(name, random, given):
    network, (x, noise, condition, code) = random(name), given(160, 384, batch=1)
    rows, columns = slice(0, 160), slice(96, 320)
    tile = network(x[..., rows, columns], noise, condition[..., rows, columns], code)
    whole = network(x, noise, condition, code)[..., rows, columns]
    torch.testing.assert_close(tile[..., 96:-96], whole[..., 96:-96], rtol=0, atol=1e-5)


def test_a_pixel_reaches_its_surroundings_and_no_further(name, random, given):
    """The gradient of one output is 0 from 96 px on, and not before 8 px."""
    network, (x, noise, condition, code) = random(name), given(16, 384, batch=1)
    x.requires_grad_()
    network(x, noise, condition, code)[0, 0, 8, 192].backward()
    felt = x.grad.abs().amax((0, 1, 2))
    assert felt[184:200].all()
    assert not felt[: 192 - 96].any()
    assert not felt[192 + 97 :].any()


def test_memory_format_changes_rounding_alone(name, random, given):
    network, inputs = random(name), given()
    plain = network(*inputs)
    network.to(memory_format=torch.channels_last)
    last = network(*(t.contiguous(memory_format=torch.channels_last) if t.ndim == 4 else t for t in inputs))
    torch.testing.assert_close(last, plain, rtol=1e-4, atol=1e-5)


def test_bfloat16_changes_rounding_alone_and_reaches_every_parameter(name, random, given):
    network, inputs = random(name), given()
    plain = network(*inputs)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        half = network(*inputs)
    assert (half.float() - plain).abs().max() < 0.05 * plain.abs().max()
    half.float().square().mean().backward()
    assert all(p.grad is not None and p.grad.dtype is torch.float32 and p.grad.any() for p in network.parameters())


def test_a_batch_equals_its_singles(name, random, given):
    network, inputs = random(name), given()
    single = torch.cat([network(*(t[i : i + 1] for t in inputs)) for i in range(2)])
    torch.testing.assert_close(network(*inputs), single, rtol=0, atol=1e-5)


def test_the_code_enters_every_block(name, random, given):
    """Between calls with two codes, each block's own branch differs even where its input is the same."""
    network, (_, noise, _, code) = random(name), given()
    codes = network.embed(noise, code), network.embed(noise, code + 1)
    for path, block in network.blocks().items():
        module = network.get_submodule(path)
        width = module.norm1.weight.shape[0]
        h = torch.randn(2, width, 8, 8, generator=torch.Generator().manual_seed(2))
        first, second = (module(h, e) for e in codes)
        assert first.shape[1] == block.channels
        assert (first - second).abs().max() > 1e-4, path


def test_without_a_code_no_attention_to_it_is_built(name, random, given):
    network = random(name, code_width=0)
    assert "look" not in network.attentions()
    x, noise, condition, _ = given()
    assert network(x, noise, condition, torch.empty(2, 0, 0)).shape == x.shape


def test_skips_replace_what_the_decoder_sees(name, random, given):
    """The guide of skips is called with the output of the blocks that declare one, and the blocks stay as they are."""
    network, inputs = random(name, blocks=2), given()
    outputs, skipped = {}, {}

    def watch(block, h):
        outputs[block] = h
        return h

    def nothing(block, h):
        skipped[block] = h
        return torch.zeros_like(h)

    plain, changed = network(*inputs), network(*inputs, watch, nothing)
    assert list(skipped) == [n for n, b in network.blocks().items() if b.skip] != []
    assert all(skipped[block] is outputs[block] for block in skipped)
    assert (plain - changed).abs().max() > 1e-4


def test_parts_come_in_the_order_in_which_data_goes_through_them(name, random):
    parts = [block.part for block in random(name).blocks().values()]
    assert list(dict.fromkeys(parts)) == ["encoder", "middle", "decoder"]
