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


def test_one_process_is_a_team_of_its_own():
    parameter = torch.nn.Parameter(torch.ones(2))
    parameter.grad = torch.tensor([1.0, 2.0])
    assert Team().total([parameter], 3.0, 4.0) == [3.0, 4.0]
    assert parameter.grad.tolist() == [1.0, 2.0]
    Team().copy_from_leader([parameter])
    Team().require_same("the training", "a")
    assert Team().from_leader({"a": [1, None]}) == {"a": [1, None]}
