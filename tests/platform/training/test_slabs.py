"""Photographs that stay in memory: the same values, laid out the same, in about the memory that they need."""

import subprocess
import sys

import pytest
import torch

from texprior.training.slabs import Slabs, bytes_of


def test_a_copy_has_the_values_the_layout_and_the_sharing_of_its_item():
    picture = torch.rand(3, 37, 21)
    item = {
        "picture": picture,
        "base": picture,
        "lying": torch.rand(21, 37, 3).permute(2, 1, 0),
        "code": torch.rand(4, 8).half(),
        "nothing": torch.zeros(0),
        "number": torch.tensor(3.0),
        "part": torch.rand(3, 40, 40)[:, 3:20, 5:9],
    }
    kept = Slabs(2**20).keep(item)
    assert list(kept) == list(item)
    for name, tensor in item.items():
        assert torch.equal(kept[name], tensor)
        assert kept[name].dtype == tensor.dtype
        if name != "part":  # which is packed
            assert kept[name].stride() == tensor.stride()
        assert kept[name].data_ptr() % 64 == 0
        assert kept[name].data_ptr() != tensor.data_ptr() or not tensor.numel()
    assert kept["picture"] is kept["base"]
    item["picture"].zero_()
    assert kept["picture"].max() > 0
    assert bytes_of(kept) == sum(t.nbytes for name, t in kept.items() if name != "base")


def test_tensors_lie_side_by_side_and_a_large_one_has_a_piece_of_its_own():
    slabs = Slabs(16 * 4096)
    pieces = [slabs.keep({"a": torch.full((250,), float(n))})["a"] for n in range(5)]
    large = slabs.keep({"a": torch.ones(3000)})["a"]
    storages = [piece.untyped_storage().data_ptr() for piece in pieces]
    assert [storages.count(storage) for storage in dict.fromkeys(storages)] == [4, 1]
    assert large.untyped_storage().data_ptr() not in storages
    assert [float(piece.mean()) for piece in pieces] == [0, 1, 2, 3, 4]


PROGRAM = """
import torch
from texprior.training.patches import Pool

torch.set_num_threads(1)

def resident_mb():
    lines = open("/proc/self/status").read().splitlines()
    return int(next(line for line in lines if line.startswith("RssAnon")).split()[1]) / 1024

def prepare(key):
    rng = torch.Generator().manual_seed(int(key))
    clean = torch.rand(3, 321, 481, generator=rng)
    return {"clean": clean, "degraded": (clean.double() ** 2).float() * torch.rand(1, generator=rng)}

network = torch.nn.Sequential(*(torch.nn.Conv2d(3 if n == 0 else 32, 32, 3, padding=1) for n in range(6)))

def step(number):
    for n in range(16 * number, 16 * number + 16):
        pool[n]
    network(torch.rand(16, 3, 64, 64)).square().mean().backward()

pool = Pool([str(n) for n in range(160)], prepare, 4000)
step(0)
step(1)
held, before = pool.bytes, resident_mb()
for number in range(2, 10):
    step(number)
print((resident_mb() - before) / ((pool.bytes - held) / 2**20))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the memory of a process is read as Linux tells it")
def test_a_pool_takes_the_memory_that_it_counts():
    """Between the steps of a training."""
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True, timeout=300)
    assert float(done.stdout) < 1.2  # 1.6 without pieces of their own
