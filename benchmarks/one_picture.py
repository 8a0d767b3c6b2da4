"""Restores one picture in a process of its own, and prints seconds and peak memory as JSON.

python benchmarks/one_picture.py SIDE TILE CLOCK
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import torch

from material import TINY, session, untrained_model
from texprior.pipeline import restore


def main() -> None:
    """Restores a random picture, (1, 3, SIDE, SIDE), with the tiny networks in four calls."""
    torch.set_num_threads(1)
    side, tile, clock = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    read = time.process_time if clock == "cpu" else time.perf_counter
    model = untrained_model(session(*TINY, f"sampling.tile={tile}", f"sampling.halo={tile // 8}"))
    picture = torch.rand(1, 3, side, side, generator=torch.Generator().manual_seed(0))
    restore(model, picture[..., :64, :64], "warm")
    before, started = _memory_mb("VmRSS"), read()
    restore(model, picture, "measured")
    seconds = read() - started
    print(json.dumps({"seconds": seconds, "mb": _memory_mb("VmHWM") - before}))


def _memory_mb(field: str) -> float:
    """Returns a figure of this process's memory, MB: VmRSS now, VmHWM at its peak.

    Not getrusage: its peak also counts the process that started this one.
    """
    status = Path("/proc/self/status")
    if not status.is_file():
        sys.exit("benchmarks/one_picture.py reads /proc/self/status, which only Linux has")
    lines = dict(line.split(":", 1) for line in status.read_text(encoding="ascii").splitlines())
    return int(lines[field].split()[0]) / 1024


if __name__ == "__main__":
    main()
