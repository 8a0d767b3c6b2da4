"""Structures on disk: the same to the bit, found again by their content, bounded, and safe among processes."""

import os
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from texprior import config
from texprior.decompositions.structure_cache import CachedDecomposition, StructureCache
from texprior.flow.decompose import Layers
from texprior.models.build import Prior, with_structure_cache
from texprior.registry import Registry
from texprior.runtime.identity import program_digest
from texprior.runtime.session import Session

MB = 2**20


class Counted:
    """Halves pictures and counts how often."""

    def __init__(self):
        self.calls = 0

    def __call__(self, image):
        self.calls += len(image)
        return Layers(image / 2, image - image / 2)


def random(*shape, seed=0):
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


def files(folder):
    return sorted(folder.rglob("*.safetensors"))


def remembered(folder, identity="half", room=MB, counted=None):
    counted = counted or Counted()
    return CachedDecomposition(counted, StructureCache(folder, room), identity, {}), counted


def test_what_was_computed_once_is_read_the_next_time(tmp_path):
    first, counted = remembered(tmp_path)
    image = random(2, 3, 9, 11)
    layers = first(image)
    again, fresh = remembered(tmp_path)
    found = again(image)
    assert (counted.calls, fresh.calls, len(files(tmp_path))) == (2, 0, 2)
    assert torch.equal(found.structure, image / 2)
    assert torch.equal(found.structure, layers.structure)
    assert torch.equal(found.texture, layers.texture)


def test_another_picture_shape_or_filter_is_another_file(tmp_path):
    image = random(1, 3, 8, 12)
    decomposition, counted = remembered(tmp_path)
    decomposition(image)
    decomposition(image.reshape(1, 3, 12, 8))
    changed = image.clone()
    changed[0, 0, 0, 0] += 2**-24
    decomposition(changed)
    remembered(tmp_path, "other", counted=counted)[0](image)
    assert counted.calls == len(files(tmp_path)) == 4


def test_a_batch_is_looked_up_picture_by_picture(tmp_path):
    decomposition, counted = remembered(tmp_path)
    images = random(3, 3, 6, 6)
    decomposition(images[1:2])
    assert torch.equal(decomposition(images).structure, images / 2)
    assert counted.calls == 3


def test_only_float32_is_kept(tmp_path):
    decomposition, counted = remembered(tmp_path)
    for dtype in (torch.float64, torch.bfloat16):
        assert decomposition(random(1, 3, 6, 6).to(dtype)).structure.dtype == dtype
    assert (counted.calls, files(tmp_path)) == (2, [])


@pytest.mark.parametrize("spoil", [lambda f: f.write_bytes(b""), lambda f: f.write_bytes(f.read_bytes()[:-40])])
def test_a_broken_file_is_computed_again(tmp_path, spoil):
    image = random(1, 3, 20, 20)
    remembered(tmp_path)[0](image)
    spoil(files(tmp_path)[0])
    decomposition, counted = remembered(tmp_path)
    assert torch.equal(decomposition(image).structure, image / 2)
    assert counted.calls == 1
    assert torch.equal(remembered(tmp_path, counted=counted)[0](image).structure, image / 2)
    assert counted.calls == 1


def test_what_was_not_used_for_the_longest_time_goes_first(tmp_path):
    """Ten layers of 100 kB fit into 1 MB; an eleventh sends the oldest away, but not the one that was read since."""
    image = random(11, 1, 160, 160)
    decomposition, counted = remembered(tmp_path, room=MB)
    for i in range(10):
        decomposition(image[i : i + 1])
        for file in files(tmp_path):
            os.utime(file, (file.stat().st_atime, file.stat().st_mtime - 10))
    decomposition(image[:1])
    decomposition(image[10:])
    assert sum(file.stat().st_size for file in files(tmp_path)) <= 0.9 * MB
    counted.calls = 0
    decomposition(image[10:])
    decomposition(image[:1])
    assert counted.calls == 0
    decomposition(image[1:2])
    assert counted.calls == 1


def test_what_a_killed_process_left_goes_too(tmp_path):
    left = tmp_path / "aa" / ".layer.safetensors.123.tmp"
    left.parent.mkdir()
    left.write_bytes(b"half a layer")
    remembered(tmp_path)[0](random(1, 3, 6, 6))
    assert left.exists()  # it may still be written
    os.utime(left, (0, 0))
    remembered(tmp_path)[0](random(1, 3, 6, 6, seed=1))
    assert not left.exists()
    assert len(files(tmp_path)) == 2


def test_a_folder_that_cannot_be_written_is_named_once(tmp_path, caplog):
    (tmp_path / "file").write_text("no folder")
    decomposition, counted = remembered(tmp_path / "file" / "below")
    for seed in range(3):
        image = random(1, 3, 6, 6, seed=seed)
        assert torch.equal(decomposition(image).structure, image / 2)
    assert counted.calls == 3
    assert caplog.text.count("structures are not kept on disk") == 1


WORKER = """
import sys, torch
from pathlib import Path
from texprior.decompositions.structure_cache import CachedDecomposition, StructureCache
from texprior.flow.decompose import Layers

torch.set_num_threads(1)
cache = StructureCache(Path(sys.argv[1]), 2**20)
decomposition = CachedDecomposition(lambda x: Layers(x / 2, x - x / 2), cache, "half", {})
images = torch.rand(16, 1, 160, 160, generator=torch.Generator().manual_seed(0))
order = torch.Generator().manual_seed(int(sys.argv[2]))
for i in torch.randint(16, (60,), generator=order).tolist():
    assert torch.equal(decomposition(images[i : i + 1]).structure, images[i : i + 1] / 2), i
print("right")
"""


def test_a_layer_that_vanishes_while_it_is_opened_is_computed_again(tmp_path, monkeypatch):
    """safetensors reads the header, then torch opens the file once more: another process may remove it in between."""
    cache = StructureCache(tmp_path, MB)
    cache.put("ab", torch.zeros(3, 4, 4), {})
    opened = torch.UntypedStorage.from_file

    def too_late(path, *arguments, **options):
        Path(path).unlink()
        return opened(path, *arguments, **options)

    monkeypatch.setattr(torch.UntypedStorage, "from_file", too_late)
    assert cache.get("ab") is None
    assert files(tmp_path) == []  # it was opened, and vanished


def test_two_processes_share_a_folder_that_is_too_small_for_them(tmp_path):
    """16 layers of 100 kB in 1 MB, 60 accesses each, written, read and evicted by both at once."""
    command = [sys.executable, "-c", textwrap.dedent(WORKER), str(tmp_path)]
    workers = [subprocess.Popen([*command, str(seed)], stdout=subprocess.PIPE, text=True) for seed in range(2)]
    assert [worker.communicate()[0].strip() for worker in workers] == ["right", "right"]
    assert [worker.returncode for worker in workers] == [0, 0]
    assert 0 < sum(file.stat().st_size for file in files(tmp_path)) <= 1.1 * MB
    assert list(tmp_path.rglob("*.tmp")) == []


@pytest.fixture(scope="module")
def registry():
    return Registry.discover()


def prior(registry, tmp_path, decomposition, **data):
    experiment = config.resolve({"name": "x", "decomposition": decomposition, "data": data, "events": []}, registry)
    built = registry.build("decomposition", experiment.decomposition)
    session = Session(experiment, registry, root=tmp_path)
    return session, Prior(experiment, SimpleNamespace(), SimpleNamespace(), built, 1.0, tmp_path, "")


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


def test_an_installed_filter_is_known_by_the_files_it_lies_among(registry, tmp_path, monkeypatch):
    entry = registry.find("decomposition", "tv")
    assert program_digest(entry) == program_digest(registry.find("decomposition", "gaussian"))
    package = tmp_path / "acme_filters"
    package.mkdir()
    for name in ("__init__", "tv", "solver"):
        (package / f"{name}.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    theirs = replace(entry, component=replace(entry.component, impl="acme_filters.tv:Tv"))
    before = program_digest(theirs)
    (package / "solver.py").write_text("# edited")
    assert program_digest(theirs) not in (before, program_digest(entry))
    assert "acme_filters.tv" not in sys.modules
    assert program_digest(replace(entry, component=replace(entry.component, impl="acme_lost.tv:Tv"))) == ""


def test_options_of_any_kind_are_part_of_a_structures_key(tmp_path):
    """An Enum or a path, which JSON does not know."""
    file = tmp_path / "part_modes.py"
    file.write_text(MODES)
    session, plain = prior(Registry.discover([file]), tmp_path, {"modes": {"mode": "soft", "table": "x/y.csv"}})
    assert cached(session, plain).decomposition.about["options"] == {"mode": "soft", "table": "x/y.csv"}
