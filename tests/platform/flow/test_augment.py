"""Augmentations draw one after the other from the numbers of their patch, and what they return is checked."""

import pytest
import torch

from texprior.errors import ContractError
from texprior.flow.augment import augmented

PATCH = {"clean": torch.zeros(3, 8, 8), "degraded": torch.ones(3, 8, 8)}


def shifted(patch, rng):
    by = torch.rand((), generator=rng)
    return {name: picture + by for name, picture in patch.items()}


def test_each_draws_the_numbers_after_those_of_the_one_before():
    found = augmented(PATCH, [shifted, shifted], torch.Generator().manual_seed(1))
    rng = torch.Generator().manual_seed(1)
    by = torch.rand((), generator=rng) + torch.rand((), generator=rng)
    torch.testing.assert_close(found["clean"], by.expand(3, 8, 8))
    torch.testing.assert_close(found["degraded"], 1 + by.expand(3, 8, 8))


def test_none_changes_nothing():
    assert augmented(PATCH, [], torch.Generator()) is PATCH


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        (lambda patch, rng: None, r"the augmented patch is a NoneType; expected a .*Mapping"),
        (lambda patch, rng: {"clean": patch["clean"]}, "the augmented patch holds clean; expected clean, degraded"),
        (lambda patch, rng: {**patch, "mask": patch["clean"]}, "holds clean, degraded, mask; expected clean, degraded"),
        (
            lambda patch, rng: {n: t[:, :4] for n, t in patch.items()},
            r"picture 'clean' has shape \(3, 4, 8\); expected",
        ),
        (lambda patch, rng: {n: t.double() for n, t in patch.items()}, r"'clean' is torch.float64; expected torch.fl"),
    ],
)
def test_other_names_and_shapes_are_refused(wrong, reason):
    with pytest.raises(ContractError, match=reason):
        augmented(PATCH, [wrong], torch.Generator())
