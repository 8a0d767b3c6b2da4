"""Random numbers as functions of keys. The pinned numbers change only with every stored result's meaning."""

from hashlib import blake2b

import pytest
import torch

from texprior.diffusion import keys
from texprior.diffusion.keys import Normals, drawing_by_key, generator, normal, permutation, seed_of

KEYS = [(0,), (1,), ("0",), (0, 0), ((0,), 0), (0, "a"), ("a", 0), ("a0",), (-1,), (2**70,), ("",), ((),)]


def test_the_key_function_is_pinned():
    assert seed_of(0, "train", 1) == 5616652951175793923
    assert seed_of("a", ("b", 3)) == 213508860148344469
    assert normal((4,), 0, "train", 1).tolist() == pytest.approx(
        [0.6008248329162598, 0.8036133646965027, -0.2158089131116867, -2.3482820987701416], abs=1e-6
    )
    assert permutation(8, 0, "x").tolist() == [0, 6, 3, 5, 2, 4, 7, 1]


def test_a_seed_is_63_bits_of_blake2b():
    digest = blake2b(b"(0, 'train', 1)", digest_size=8).hexdigest()
    assert seed_of(0, "train", 1) == int(digest, 16) >> 1
    assert all(0 <= seed_of(*key) < 2**63 for key in KEYS)


def test_different_keys_give_different_numbers():
    assert len({seed_of(*key) for key in KEYS}) == len(KEYS)
    assert len({seed_of(0, "noise", i) for i in range(10_000)}) == 10_000
    assert not torch.equal(normal((8,), 0, 1), normal((8,), 0, 2))
    assert permutation(50, 0).tolist() != permutation(50, 1).tolist()


def test_the_same_key_gives_the_same_numbers_whatever_was_drawn_between():
    first = normal((2, 3), 7, "image-12")
    torch.randn(5)
    normal((100,), "other")
    assert torch.equal(normal((2, 3), 7, "image-12"), first)
    assert torch.equal(torch.randn(2, 3, generator=generator(7, "image-12")), first)


def test_the_global_random_state_neither_matters_nor_moves():
    torch.manual_seed(1)
    state = torch.get_rng_state()
    first = normal((4,), 0)
    permutation(5, 0)
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(2)
    assert torch.equal(normal((4,), 0), first)


def test_the_global_generator_draws_by_key_within_a_block_and_goes_on_after_it():
    def drawn(*key):
        with drawing_by_key(torch.device("cpu"), *key):
            return torch.rand(3)

    torch.manual_seed(1)
    state = torch.get_rng_state()
    first = drawn(0, "step", 8, 0)
    assert torch.equal(torch.get_rng_state(), state)
    torch.rand(5)
    assert torch.equal(drawn(0, "step", 8, 0), first)
    assert torch.equal(first, torch.rand(3, generator=generator(0, "step", 8, 0)))
    for other in ((1, "step", 8, 0), (0, "step", 16, 0), (0, "step", 8, 1)):
        assert not torch.equal(drawn(*other), first)


def test_neighbouring_keys_are_uncorrelated_standard_normal_numbers():
    draws = torch.stack([normal((20_000,), 0, "noise", i) for i in range(8)]).double()
    assert draws.mean(1).abs().max() < 5 / 20_000**0.5
    assert (draws.var(1) - 1).abs().max() < 5 * (2 / 20_000) ** 0.5
    correlation = torch.corrcoef(draws) - torch.eye(8)
    assert correlation.abs().max() < 5 / 20_000**0.5
    assert (normal((2, 3), "k").shape, normal((2, 3), "k").dtype) == ((2, 3), torch.float32)


def test_a_permutation_holds_every_number_once():
    assert sorted(permutation(100, "epoch", 3).tolist()) == list(range(100))


@pytest.mark.parametrize("band", [16, 4096, 2**20])
@pytest.mark.parametrize("shape", [(1, 3, 37, 53), (2, 3, 100, 160), (3, 16, 16), (1, 3, 5, 3), (1, 1, 1, 1), (70, 7)])
def test_parts_of_normal_numbers_are_those_of_the_whole_to_the_bit(shape, band, monkeypatch):
    """In any order: torch draws 16 numbers at once, and the last ones of a tensor in another way."""
    monkeypatch.setattr(keys, "_BAND", band)
    whole, normals, (h, w) = normal(shape, 3, "k"), Normals(shape, 3, "k"), shape[-2:]
    parts = [(h // 2, h, w // 2, w), (0, h // 3 + 1, 0, w), (h // 2, h // 2 + 1, 0, 1), (0, h, 0, w)]
    for top, bottom, left, right in parts:
        part = normals.part(slice(top, bottom), slice(left, right))
        assert torch.equal(part, whole[..., top:bottom, left:right])
