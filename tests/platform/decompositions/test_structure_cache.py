"""Structures on disk: the same to the bit, found again by their content, bounded, and safe among processes."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
import torch

from texprior.decompositions.structure_cache import CachedDecomposition, Lookup, StructureCache
from texprior.flow.decompose import Layers

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
    return CachedDecomposition(counted, Lookup(StructureCache(folder, room), identity, {})), counted


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


def test_what_a_training_itself_used_stays_so_that_each_epoch_finds_it(tmp_path):
    """Twenty layers of 100 kB in 1 MB: the oldest of them would be the next to be read, again and again."""
    image = random(20, 1, 160, 160)
    decomposition, counted = remembered(tmp_path, room=MB)
    decomposition(image)
    kept = len(files(tmp_path))
    assert kept == 10
    for _ in range(2):
        counted.calls = 0
        for i in torch.randperm(20, generator=torch.Generator().manual_seed(1)).tolist():
            assert torch.equal(decomposition(image[i : i + 1]).structure, image[i : i + 1] / 2)
        assert counted.calls == 20 - kept


def test_a_layer_lies_in_memory_as_it_did(tmp_path):
    """The order of the axes decides how a convolution on it is computed, and how a sum over it is rounded."""
    picture = random(1, 9, 11, 3).permute(0, 3, 1, 2)
    first, again = (remembered(tmp_path)[0](picture).structure for _ in range(2))
    assert torch.equal(first, again)
    assert first[0].stride() == again[0].stride() == (picture / 2)[0].stride()


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
    assert caplog.text.count("what is derived from photographs is not kept on disk") == 1


WORKER = """
import sys, torch
from pathlib import Path
from texprior.decompositions.structure_cache import CachedDecomposition, Lookup, StructureCache
from texprior.flow.decompose import Layers

torch.set_num_threads(1)
cache = StructureCache(Path(sys.argv[1]), 2**20)
decomposition = CachedDecomposition(lambda x: Layers(x / 2, x - x / 2), Lookup(cache, "half", {}))
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
