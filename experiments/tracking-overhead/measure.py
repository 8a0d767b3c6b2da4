"""How long a run waits for its tracker: every call to MLflow is timed in a real sweep, beside the time of the work.

    python experiments/tracking-overhead/measure.py [TRACKING_URI]

Without a URI the store is the embedded one (SQLite), in a folder that is removed afterwards.
"""

import os
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import texprior
from texprior.track import Tracker

TRIALS = 6
IMAGES = {"prior": 640, "predictor": 640, "adapter": 640}
spent: dict[tuple[str, str], list[float]] = defaultdict(list)
"""(event, stage of the run) -> seconds of each call."""
stages: dict[str, str] = {}


def timed(tell: Callable[..., list[Any]]) -> Callable[..., list[Any]]:
    """``Tracker.tell``, with a clock around it."""

    def wrapper(self: Tracker, event: str, *arguments: Any) -> list[Any]:
        started = time.perf_counter()
        try:
            return tell(self, event, *arguments)
        finally:
            if event == "run_started":
                stages[arguments[0].id] = arguments[0].stage
            run_id = arguments[0].id if event == "run_started" else arguments[0]
            spent[event, stages[run_id]].append(time.perf_counter() - started)

    return wrapper


def experiment(uri: str | None) -> dict[str, Any]:
    """A sweep with the demo's sizes of networks; values are logged at every step, the most that a user can ask for."""
    each = {name: {"budget": {"images": n}, "log_every_images": 16} for name, n in IMAGES.items()}
    return {
        "name": "tracking-overhead",
        "threads": 1,
        "encoder": "none",
        "denoiser": {"unet": {"width": 32, "levels": 3}},
        "predictor": {"unet": {"width": 16, "levels": 2}},
        "training": each,
        "metrics": ["psnr"],
        "events": [{"mlflow": {"tracking_uri": uri}}],
        "sweep": {
            "space": {"adapter.cga.width": {"low": 16, "high": 64}},
            "metric": "psnr_rgb",
            "trials": TRIALS,
            "confirm": {"top": 0},
        },
    }


def main() -> None:
    """Runs the sweep and prints what its calls to the tracker took."""
    Tracker.tell = timed(Tracker.tell)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["TEXPRIOR_RUNS"] = folder
        started = time.perf_counter()
        texprior.load(experiment(sys.argv[1] if len(sys.argv) > 1 else None), quiet=True).sweep()
        wall = time.perf_counter() - started
        size = sum(p.stat().st_size for p in Path(folder).rglob("mlflow.db*"))
    print("| call | of a | calls | median, ms | largest, ms | in all, s |\n|---|---|---|---|---|---|")
    for (event, stage), times in sorted(spent.items()):
        ms = [1000 * t for t in times]
        row = f"{len(ms)} | {statistics.median(ms):.2f} | {max(ms):.1f} | {sum(times):.2f}"
        print(f"| {event} | {stage} | {row} |")
    steps = [t for (event, _), times in spent.items() if event == "step" for t in times]
    trials = sum(t for (event, stage), times in spent.items() if stage in ("trial", "adapter") for t in times)
    first = spent["run_started", stages[next(iter(stages))]][0]
    everything = sum(map(sum, spent.values()))
    print(f"\na step that logs: mean {1000 * sum(steps) / len(steps):.2f} ms of {len(steps)}")
    print(f"a trial with its training, all calls: {trials / TRIALS:.2f} s")
    print(f"the first run, which imports MLflow and makes the store: {first:.1f} s")
    print(f"all: {everything:.1f} s of {wall:.1f} s; the store's database {size / 2**20:.1f} MiB")


if __name__ == "__main__":
    main()
