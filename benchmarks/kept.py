"""Prints the memory of the photographs that a predictor's training keeps, and what its pool counts for them, as JSON.

python benchmarks/kept.py PHOTOGRAPHS [apart]

``apart`` leaves each photograph where it was allocated, as it was before ``training/slabs.py``.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch

from material import session
from texprior.models.build import build_predictor
from texprior.training.data import cut_patches, pair_pool
from texprior.training.losses import prediction_loss_of
from texprior.training.slabs import Slabs


def main() -> None:
    """Takes a step after each 16 photographs, as a first epoch does, with nothing kept on disk."""
    torch.set_num_threads(1)
    photographs = int(sys.argv[1])
    if "apart" in sys.argv:
        Slabs.keep = lambda _slabs, item: dict(item)
    at = session("predictor=nafnet", "degradation=camera_noise", "data.disk_cache_mb=0", f"data.variants={photographs}")
    pool = pair_pool(at, at.experiment.training.predictor.patch)
    network = build_predictor(at.builder)
    patches = cut_patches(at.builder, pool, at.experiment.training.predictor)
    loss = prediction_loss_of(network, patches, amp=False)
    before = counted = 0.0
    for first in range(0, photographs, 16):
        loss(range(first, first + 16)).mean().backward()
        if first == 16:  # the first steps allocate what all of them use
            before, counted = _resident_mb(), pool.bytes / 2**20
    print(json.dumps({"taken_mb": _resident_mb() - before, "counted_mb": pool.bytes / 2**20 - counted}))


def _resident_mb() -> float:
    """Returns this process's memory without mapped files, MB."""
    status = Path("/proc/self/status")
    if not status.is_file():
        sys.exit("benchmarks/kept.py reads /proc/self/status, which only Linux has")
    lines = dict(line.split(":", 1) for line in status.read_text(encoding="ascii").splitlines())
    return int(lines["RssAnon"].split()[0]) / 1024


if __name__ == "__main__":
    main()
