"""The structures of slow decompositions are kept on disk, under all that decides them."""

import sys
import types
from types import SimpleNamespace

import pytest
import torch

from texprior import config
from texprior.models.build import Prior, with_structure_cache
from texprior.registry import Registry
from texprior.runtime.session import Session

MODES = """
from enum import Enum
from pathlib import Path

from texprior.plugin import Decomposition, Options, hookimpl


class Mode(Enum):
    SOFT = "soft"
    HARD = "hard"


class ModesOptions(Options):
    mode: Mode = Mode.HARD
    table: Path = Path("none.csv")


class Modes:
    def __init__(self, options):
        pass

    def __call__(self, image):
        return image, 0 * image


@hookimpl
def texprior_decompositions():
    return [Decomposition("modes", "part_modes:Modes", ModesOptions, "Keeps all.", tags=("slow",))]
"""


PLUGIN = """
from texprior.plugin import Decomposition, hookimpl

@hookimpl
def texprior_decompositions():
    return [Decomposition("part", "{module}:Part", tags=("slow",))]

class Part:
    def __init__(self, options): pass
    def __call__(self, image):
        from texprior.flow.decompose import Layers
        return Layers({factor} * image, image - {factor} * image)
"""


def random(*shape, seed=0):
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


def files(folder):
    return sorted(folder.rglob("*.safetensors"))


@pytest.fixture(scope="module")
def registry():
    return Registry.discover()


def prior(registry, tmp_path, decomposition, **data):
    experiment = config.resolve({"name": "x", "decomposition": decomposition, "data": data, "events": []}, registry)
    built = registry.build("decomposition", experiment.decomposition)
    session = Session(experiment, registry, root=tmp_path)
    return session, Prior(experiment, SimpleNamespace(), SimpleNamespace(), built, SimpleNamespace(), 1.0, tmp_path, "")


def cached(session, plain):
    room_mb = session.experiment.data.disk_cache_mb
    return with_structure_cache(plain, session.registry, session.cache_folder, room_mb)


def test_slow_decompositions_are_kept_beside_the_runs_and_fast_ones_are_not(registry, tmp_path, monkeypatch):
    monkeypatch.delenv("TEXPRIOR_CACHE", raising=False)
    image = random(1, 3, 20, 24)
    for name in ("guided", "tv"):
        session, plain = prior(registry, tmp_path, name)
        kept = cached(session, plain)
        first, second = (kept.decomposition(image).structure for _ in range(2))
        assert torch.equal(first, plain.decomposition(image).structure)
        assert torch.equal(first, second)
        assert len(files(tmp_path / "cache" / "structures")) == (name == "tv")
    session, plain = prior(registry, tmp_path, "tv", disk_cache_mb=0)
    assert cached(session, plain) is plain
    monkeypatch.setenv("TEXPRIOR_CACHE", str(tmp_path / "elsewhere"))
    session, plain = prior(registry, tmp_path, {"tv": {"lam": 0.2}})
    cached(session, plain).decomposition(image)
    assert len(files(tmp_path / "elsewhere")) == 1


def test_who_edits_a_filter_gets_new_structures(tmp_path, monkeypatch):
    monkeypatch.setenv("TEXPRIOR_CACHE", str(tmp_path / "cache"))
    image, found = random(1, 3, 8, 8), []
    for module, factor in (("part_once", 0.5), ("part_twice", 0.25)):
        file = tmp_path / f"{module}.py"
        file.write_text(PLUGIN.format(module=module, factor=factor))
        registry = Registry.discover([file])
        session, plain = prior(registry, tmp_path, "part")
        found.append(cached(session, plain).decomposition(image).structure)
    assert torch.equal(found[0], 0.5 * image)
    assert torch.equal(found[1], 0.25 * image)


def test_options_of_any_kind_are_part_of_a_structures_key(tmp_path):
    """An Enum or a path, which JSON does not know."""
    file = tmp_path / "part_modes.py"
    file.write_text(MODES)
    session, plain = prior(Registry.discover([file]), tmp_path, {"modes": {"mode": "soft", "table": "x/y.csv"}})
    assert cached(session, plain).decomposition.lookup.about["options"] == {"mode": "soft", "table": "x/y.csv"}


def test_structures_of_a_filter_that_was_made_in_memory_are_not_kept(tmp_path, monkeypatch):
    """Another process cannot know whether its filter is the same."""
    monkeypatch.setenv("TEXPRIOR_CACHE", str(tmp_path / "cache"))
    module = types.ModuleType("part_memory")
    exec(PLUGIN.format(module="part_memory", factor=0.5), vars(module))
    monkeypatch.setitem(sys.modules, "part_memory", module)
    registry = Registry.discover()
    registry.register(module)
    session, plain = prior(registry, tmp_path, "part")
    cached(session, plain).decomposition(random(1, 3, 8, 8))
    assert files(tmp_path / "cache") == []
