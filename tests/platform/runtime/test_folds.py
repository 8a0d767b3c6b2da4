"""Folds of the training photographs: what one source shows is in one, and no photograph is lost."""

import pytest

from texprior.errors import ConfigError
from texprior.runtime.folds import Fold, fold_numbers
from texprior.runtime.shared_caches import Split


class Regions:
    """Two regions of each photograph."""

    def source(self, key):
        return key.partition("@")[0]


@pytest.mark.parametrize(("photographs", "folds"), [(4, 2), (5, 2), (7, 3), (3, 3)])
def test_each_fold_leaves_out_neighbours_and_none_is_lost(photographs, folds):
    split = Split(object(), [f"{n}.png" for n in range(photographs)])
    numbers = list(fold_numbers(split, folds).values())
    assert numbers == sorted(numbers)
    assert sorted(set(numbers)) == list(range(folds))
    assert max(map(numbers.count, range(folds))) - min(map(numbers.count, range(folds))) <= 1
    kept = [Fold(n, folds).left_out_of(split).keys for n in range(folds)]
    assert all(sum(key in keys for keys in kept) == folds - 1 for key in split.keys)


def test_regions_of_a_photograph_are_in_one_fold():
    keys = [f"{name}@{n}" for name in "abc" for n in range(2)]
    numbers = fold_numbers(Split(Regions(), keys), 3)
    assert [numbers[key] for key in keys] == [0, 0, 1, 1, 2, 2]


def test_fewer_photographs_than_folds_are_refused():
    keys = [f"{name}@{n}" for name in "ab" for n in range(9)]
    with pytest.raises(ConfigError, match=r"training\.folds: 3 folds need as many photographs, but data\.train has 2"):
        fold_numbers(Split(Regions(), keys), 3)


def test_a_fold_in_words():
    assert str(Fold(0, 2)) == "fold 1 of 2"


class Members:
    """A union of two: keys begin with the number of the member."""

    def part(self, key):
        return key.partition("/")[0]


def test_each_fold_has_its_share_of_each_member_of_a_union():
    keys = [f"0/{n}" for n in range(100)] + [f"1/{n}" for n in range(25)]
    numbers = fold_numbers(Split(Members(), keys), 5)
    for member, size in (("0", 20), ("1", 5)):
        assert [[numbers[k] for k in keys if k[0] == member].count(fold) for fold in range(5)] == [size] * 5


@pytest.mark.parametrize(("sizes", "folds"), [((1, 1), 2), ((2, 2), 4), ((1, 2, 1), 3), ((7, 1), 3)])
def test_small_members_leave_no_fold_empty(sizes, folds):
    keys = [f"{member}/{n}" for member, size in enumerate(sizes) for n in range(size)]
    assert set(fold_numbers(Split(Members(), keys), folds).values()) == set(range(folds))
