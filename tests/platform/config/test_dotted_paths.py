"""One mapping merged into another: a component of another name replaces, of the same name merges."""

import pytest

from texprior.config import component_paths, merge


@pytest.mark.parametrize(
    ("below", "over", "expected"),
    [
        ({"cga": {"width": 8}}, {"cga": {"rate": 1}}, {"cga": {"width": 8, "rate": 1}}),
        ({"cga": {"width": 8}}, "cga", {"cga": {"width": 8}}),
        ({"cga": {"width": 8}}, "sft", {"sft": {}}),
        ({"cga": {"width": 8}}, {"sft": {"rate": 1}}, {"sft": {"rate": 1}}),
        ("cga", {"cga": {"width": 8}}, {"cga": {"width": 8}}),
    ],
)
def test_a_component_of_another_name_replaces_and_of_the_same_name_merges(below, over, expected):
    assert merge({"adapter": below}, {"adapter": over}, component_paths()) == {"adapter": expected}
    nested = merge({"data": {"train": below}}, {"data": {"train": over}}, component_paths())
    assert nested == {"data": {"train": expected}}


def test_merging_changes_neither_side():
    below, over = {"sampling": {"steps": 1}}, {"sampling": {"rho": 2}}
    assert merge(below, over, component_paths()) == {"sampling": {"steps": 1, "rho": 2}}
    assert (below, over) == ({"sampling": {"steps": 1}}, {"sampling": {"rho": 2}})
