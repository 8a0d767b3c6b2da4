"""What the commands of a shipped model cost: large pictures, and an evaluation that several processes share."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import yaml
from PIL import Image

from rounds import Row, Size, Target
from texprior.models.shipped import model_of_task

TASK = "defocus"


class Spent(NamedTuple):
    """What a command took: CPU seconds, seconds that passed, and its peak memory, MB."""

    cpu_s: float
    wall_s: float
    peak_mb: float


def large_rows(size: Size) -> Iterator[Row]:
    """Compares ``texprior restore`` on pictures of 24 and 100 megapixels with one of a megapixel.

    The time is that per megapixel, without what the command needs for a picture of one tile. The memory is what it
    takes more than for one megapixel.
    """
    megapixels = [0.05, 1, 4] if size.quick else [0.05, 1, 24, 100]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        small, base = _restored(folder, megapixels[0]), _restored(folder, megapixels[1])
        at_one = (base.cpu_s - small.cpu_s) / (megapixels[1] - megapixels[0])
        for mp in megapixels[2:]:
            found = _restored(folder, mp)
            per_mp = (found.cpu_s - small.cpu_s) / (mp - megapixels[0])
            what, limit = f"the command on {mp:g} megapixels", Target("<=", 1.15)
            yield Row(f"{what}: time per megapixel", "1 megapixel", per_mp / at_one, limit, per_mp, at_one, "s", "cpu")
            more, note = found.peak_mb / base.peak_mb, f"{found.peak_mb - base.peak_mb:.0f} MB more"
            yield Row(f"{what}: peak memory", "1 megapixel", more, None, found.peak_mb, base.peak_mb, "MB", note=note)


def _restored(folder: Path, megapixels: float) -> Spent:
    """Restores a picture of photographs side by side, with sides 4 to 3."""
    from skimage.data import astronaut

    height = round((megapixels * 1e6 * 3 / 4) ** 0.5)
    times = -(-2 * height // 512)
    picture = np.tile(astronaut(), (times, times, 1))[:height, : height * 4 // 3]
    Image.fromarray(picture).save(folder / f"{megapixels:g}.png", compress_level=1)
    given = [str(folder / f"{megapixels:g}.png"), "--task", TASK, "-o", str(folder / "restored")]
    return _spent(["restore", *given, "--set", "threads=1"], folder)


def shared_rows(size: Size) -> Iterator[Row]:
    """Compares ``texprior evaluate`` with two workers and with one, each with a thread."""
    from skimage.data import astronaut

    pictures = 4 if size.quick else 24
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "test").mkdir()
        for number in range(pictures):
            part = np.roll(astronaut(), (37 * number, 53 * number), (0, 1))[:321, :481]
            Image.fromarray(part).save(folder / "test" / f"{number}.png")
        model = model_of_task(TASK)
        experiment = yaml.safe_load((model / "config.yaml").read_text(encoding="utf-8"))
        experiment["metrics"] = ["psnr", "ssim", "lpips_alex", "niqe", "texture_ratio"]
        experiment["data"] |= {"test": {"folder": {"path": str(folder / "test")}}}
        file = folder / "experiment.yaml"
        file.write_text(yaml.safe_dump(experiment), encoding="utf-8")
        seconds: dict[int, list[float]] = {1: [], 2: []}
        for turn in range(2):
            for workers in (1, 2):
                given = [str(file), "--model", str(model), "--split", "test", "--workers", str(workers)]
                where = ["-o", str(folder / f"{turn}-{workers}"), "--set", "threads=1"]
                seconds[workers].append(_spent(["evaluate", *given, *where], folder).wall_s)
    one, two = (sorted(found)[len(found) // 2] for found in (seconds[1], seconds[2]))
    what = f"evaluate {pictures} photographs with two workers"
    yield Row(what, "one worker", one / two, None, two, one, "s", "wall", 2, note="with the start of the processes")


def _spent(arguments: list[str], runs: Path) -> Spent:
    """Runs a command of texprior in a process of its own."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "TEXPRIOR_RUNS": str(runs / "runs")}
    started = time.monotonic()
    command = [sys.executable, "-m", "texprior", *arguments]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    said = process.stderr.read() if process.stderr else ""
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{' '.join(arguments)} ended with {process.returncode}\n{said}")
    return Spent(usage.ru_utime + usage.ru_stime, time.monotonic() - started, usage.ru_maxrss / 1024)
