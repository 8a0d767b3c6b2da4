"""Large pictures are decomposed in tiles if the filter has a reach: the structure is that of the whole."""

import importlib

import pytest
import torch

from texprior.flow import decompose
from texprior_plugins.decomposition import COMPONENTS

WIDE = {
    "gaussian": {"sigma": 9.0},
    "laplacian": {"levels": 3.5},
    "wavelet": {"levels": 3.0, "moments": 4},
    "guided": {"radius": 21},
    "bilateral": {"sigma_space": 1.5},
    "rolling_guidance": {"sigma_space": 1.0, "iterations": 3},
}


def built(name, **options):
    record = next(c for c in COMPONENTS if c.name == name)
    module, _, impl = record.impl.partition(":")
    return getattr(importlib.import_module(module), impl)(record.options(**options))


@pytest.mark.parametrize("options", [False, True], ids=["default", "wide"])
@pytest.mark.parametrize("name", WIDE)
def test_the_structure_in_tiles_is_that_of_the_whole(name, options, monkeypatch):
    slow = name in ("bilateral", "rolling_guidance")
    filter_ = built(name, **(WIDE[name] if options or slow else {}))
    image = torch.rand(1, 3, 300, 333 if not slow else 70, generator=torch.Generator().manual_seed(0))
    whole = decompose.decompose(image, filter_).structure
    monkeypatch.setattr(decompose, "TILE", 128)
    assert decompose.margin_of(filter_) is not None
    assert torch.allclose(decompose.structure_of(image, filter_), whole, rtol=0, atol=1e-6)
    # a reach that is too small would show
    monkeypatch.setattr(filter_, "reach", 0)
    assert not torch.allclose(decompose.structure_of(image, filter_), whole, rtol=0, atol=1e-6)


def test_a_filter_without_a_reach_or_with_a_far_one_sees_the_whole_picture(monkeypatch):
    monkeypatch.setattr(decompose, "TILE", 64)
    image = torch.rand(1, 3, 90, 130, generator=torch.Generator().manual_seed(0))
    for filter_ in (built("l0"), built("none"), built("gaussian", sigma=17.0)):
        assert decompose.margin_of(filter_) is None
        assert torch.equal(decompose.structure_of(image, filter_), decompose.decompose(image, filter_).structure)


def test_the_declared_reach_belongs_to_records_that_say_local():
    declared = {c.name for c in COMPONENTS if getattr(built(c.name), "reach", None) is not None}
    assert declared == {c.name for c in COMPONENTS if c.local}
