"""Degradations and decompositions are shown on the page of components."""

import pytest

from texprior.cli.component_pictures import picture_name
from texprior.registry import Registry
from texprior.runtime.identity import OWN


@pytest.mark.parametrize("kind", ["degradation", "decomposition"])
def test_each_component_that_needs_no_options_has_its_picture(repository, kind):
    folder = repository / "docs" / "images" / "components"
    own = [e.component for e in Registry.discover().entries(kind) if e.plugin.distribution == OWN]
    expected = {name for component in own if (name := picture_name(component))}
    assert len(expected) > 10, "most need no options"
    found = {path.name for path in folder.glob(f"{kind}-*.jpg")}
    assert found == expected, "make reference draws the missing ones; remove those of components that are gone"


def test_other_kinds_have_none():
    assert [picture_name(e.component) for e in Registry.discover().entries("sampler")] == [""] * 9
