"""Processes of a team share a batch evenly and wholly; one process is a team of its own."""

import pytest
import torch

from texprior.errors import ConfigError
from texprior.runtime.team import Team


def test_a_batch_that_cannot_be_shared_out_is_refused():
    with pytest.raises(
        ConfigError, match=r"training.batch: 8 images cannot be divided evenly among 3 processes; use a multiple of 3"
    ):
        Team(0, 3).require("training.batch", 8)


def test_shares_are_disjoint_and_whole():
    shares = [list(Team(rank, 3).share(range(12, 24))) for rank in range(3)]
    assert shares[0] == [12, 15, 18, 21]
    assert sorted(n for share in shares for n in share) == list(range(12, 24))


@pytest.mark.parametrize(
    ("size", "batch"), [(1, 16), (2, 16), (3, 48), (4, 8), (5, 80), (6, 48), (8, 64), (12, 96), (16, 16)]
)
def test_a_photograph_is_prepared_by_one_process(size, batch):
    """Sample n of a block is cut from photograph n % 16; every 6th number would give each to three processes."""
    by_photograph = {}
    for start in range(0, 3 * batch, batch):
        numbers = range(start, start + batch)
        shares = [Team(rank, size).share(numbers, 16) for rank in range(size)]
        assert sorted(n for share in shares for n in share) == list(numbers)
        assert {len(share) for share in shares} == {batch // size}
        for rank, share in enumerate(shares):
            for n in share:
                by_photograph.setdefault(n % 16, set()).add(rank)
        if 16 % size == 0:  # the shares of one patch a visit, so that the sums of such a team stay what they were
            assert shares == [list(Team(rank, size).share(numbers)) for rank in range(size)]
    prepared = sum(len(ranks) for ranks in by_photograph.values())
    assert prepared == 16 if 16 % size == 0 else prepared <= 1.5 * 16


def test_one_process_is_a_team_of_its_own():
    parameter = torch.nn.Parameter(torch.ones(2))
    parameter.grad = torch.tensor([1.0, 2.0])
    assert Team().total([parameter], 3.0, 4.0) == [3.0, 4.0]
    assert parameter.grad.tolist() == [1.0, 2.0]
    Team().copy_from_leader([parameter])
    Team().require_same("the training", "a")
    assert Team().from_leader({"a": [1, None]}) == {"a": [1, None]}
    assert Team().from_all(b"a") == [b"a"]
