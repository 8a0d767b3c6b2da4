"""The attention of the UNet with positions: it knows which token is where, and which pixel."""

import pytest
import torch
from pydantic import ValidationError

from texprior.errors import ConfigError
from texprior.testing.kinds.attention import Plain
from texprior.testing.material import gaussian, perturbed, photographs
from texprior_plugins.denoiser import UnetOptions
from texprior_plugins.denoiser.unet import Unet, sines

TOKENS, WIDTH = 16, 12


def network(positions, **options):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        built = Unet(UnetOptions(width=32, levels=2, blocks=1, positions=positions, **options), WIDTH, Plain())
    return perturbed(built, 0.2).eval()


def denoised(built, code):
    image = photographs(1, 64, 64)
    with torch.no_grad():
        return built(gaussian(1, 3, 64, 64, key="x"), torch.zeros(1), image, code)


def moved_by_the_order(positions):
    code = 2 * gaussian(1, TOKENS, WIDTH, key="code")
    built = network(positions)
    first, second = denoised(built, code), denoised(built, code.flip(1))
    return float((first - second).square().mean().sqrt() / first.square().mean().sqrt())


def test_the_order_of_the_tokens_matters_with_positions_only():
    """Relative to the output; without positions the tokens are a bag, up to rounding."""
    assert moved_by_the_order(False) < 1e-5
    assert moved_by_the_order(True) > 0.01


def test_a_pixel_attends_most_to_the_token_of_its_place():
    """The product of two positions is largest at the same place, in the closed form D / 2."""
    like = torch.zeros(1, 1, 1, 24)
    tokens = sines(like, 4, 4, 4)
    assert tokens.shape == (16, 24)
    products = tokens @ tokens.T
    torch.testing.assert_close(products.diagonal(), torch.full((16,), 12.0))
    assert (products.argmax(1) == torch.arange(16)).all()
    # pixels of a finer grid: each is in one token's cell
    pixels = sines(like, 8, 8, 4)
    cell = torch.arange(8) // 2
    expected = (4 * cell[:, None] + cell[None]).flatten()
    assert ((pixels @ tokens.T).argmax(1) == expected).all()


def test_positions_are_sines_of_rows_and_columns():
    """From the formula, one number at a time."""
    found = sines(torch.zeros(1, 1, 1, 9), 2, 3, 4)
    turns = [torch.pi / 2, 2 * torch.pi]
    for row in range(2):
        for column in range(3):
            y, x = (torch.tensor([place * turn for turn in turns]) for place in ((row + 0.5) / 2, (column + 0.5) / 3))
            expected = torch.cat([y.sin(), y.cos(), x.sin(), x.cos(), torch.zeros(1)])
            torch.testing.assert_close(found[3 * row + column], expected)


def test_tokens_that_make_no_square_are_refused_in_a_sentence():
    with pytest.raises(ConfigError, match=r"denoiser.unet.positions: a code of 15 tokens is no square grid"):
        denoised(network(True), gaussian(1, 15, WIDTH, key="code"))


def test_heads_too_narrow_for_a_position_are_refused():
    with pytest.raises(ValidationError, match="positions need 4 channels in each head, and 16 heads share 32"):
        UnetOptions(width=32, levels=1, heads=16, positions=True)


def test_without_positions_the_network_is_the_one_of_before():
    """The option adds no parameter and draws nothing."""
    plain, placed = network(False), network(True)
    assert plain.state_dict().keys() == placed.state_dict().keys()
    for name, tensor in plain.state_dict().items():
        assert torch.equal(tensor, placed.state_dict()[name])
