"""What is measured in processes of its own: commands, large pictures, two workers, and two trainers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import yaml

from rounds import Row, Size, Target, count_row, interleaved

HERE = Path(__file__).resolve().parent
LISTED = (["--help"], ["plugins", "list"])
HEAVY = ("torch", "mlflow", "optuna", "albumentations")
EXPERIMENT = {
    "name": "two",
    "threads": 1,
    "device": "cpu",
    "data": {**{split: {"bundled": {"max_side": 256}} for split in ("train", "val", "test")}, "variants": 1},
    "metrics": ["psnr"],
    "events": [],
}
WORKER = {"denoiser": {"unet": {"width": 16}}, "predictor": {"unet": {"width": 16}}}
"""Networks with which a trial takes some seconds."""


def run(arguments: Sequence[str], folder: Path | None = None) -> str:
    """Runs Python with arguments and returns its stdout. Raises CalledProcessError, after showing what it said."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"} | ({"TEXPRIOR_RUNS": str(folder)} if folder else {})
    done = subprocess.run([sys.executable, *arguments], env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        print(done.stderr, file=sys.stderr)
    done.check_returncode()
    return done.stdout


def command_rows(size: Size) -> Iterator[Row]:
    """Compares commands that compute nothing with an interpreter that does nothing; counts heavy imports."""
    works = {" ".join(words): partial(run, ["-m", "texprior", *words]) for words in LISTED}
    works["pass"] = partial(run, ["-c", "pass"])
    times = interleaved(works, size.rounds(9), size.clock)
    for words in LISTED:
        name = " ".join(words)
        yield times.row(f"texprior {name}", "python -c pass", name, "pass", Target("<=", 0.35, plus=True))
        count = f"import sys; print(sum(name in sys.modules for name in {HEAVY}))"
        heavy = int(run(["-c", f"from texprior.cli import main; main({words!r}); {count}"]).splitlines()[-1])
        yield count_row(f"texprior {name}: imports of {', '.join(HEAVY)}", "none", heavy, 0, "imports")


def picture_rows(size: Size) -> Iterator[Row]:
    """Compares time and memory per megapixel of restored pictures with those at one megapixel.

    ``--quick`` has the same shape at a quarter of the side of tiles, margins and pictures, so with as many tiles.
    """
    tile = 128 if size.quick else 512
    sides = [tile, 2 * tile, 4 * tile]
    found: dict[int, list[dict[str, float]]] = {side: [] for side in sides}
    for _ in range(1 if size.quick else 3):
        for side in sides:
            arguments = [str(HERE / "one_picture.py"), str(side), str(tile), size.clock]
            found[side].append(json.loads(run(arguments)))
    base = 2 * tile
    for side in (sides[0], sides[2]):
        for key, unit, what in (("seconds", "s/MP", "time"), ("mb", "MB/MP", "peak memory above an idle model")):
            ours, theirs = (sorted(f[key] for f in found[s])[len(found[s]) // 2] for s in (side, base))
            per_mp, at_one = ours / side**2 * 1e6, theirs / base**2 * 1e6
            limit = Target("<=", 1.15)
            label = f"restore {side}x{side}: {what} per megapixel"
            clock = size.clock if key == "seconds" else ""
            yield Row(label, f"{base}x{base}", per_mp / at_one, limit, per_mp, at_one, unit, clock, len(found[side]))


def kept_rows(size: Size) -> Iterator[Row]:
    """Compares the memory that a training's photographs take with what counts against ``data.cache_mb``."""
    photographs = 64 if size.quick else 480
    found = json.loads(run([str(HERE / "kept.py"), str(photographs)]))
    taken, counted = found["taken_mb"], found["counted_mb"]
    what = f"memory of {photographs} kept photographs"
    yield Row(what, "what data.cache_mb counts", taken / counted, Target("<=", 1.1), taken, counted, "MB")


def worker_rows(_size: Size) -> Iterator[Row]:
    """Compares the trials per hour of one sweep worker and of two, from the first trial's start to the last one's end.

    What a process needs to start, some seconds, is not counted: a sweep of hours pays it once.
    """
    trials = 6
    # learning rates: no two trials are equal, so that one finds the other's training, and all cost the same
    space = {"training.adapter.lr": {"low": 1e-4, "high": 1e-3, "log": True}}
    sweep = {"space": space, "metric": "psnr_rgb", "confirm": {"top": 0}}
    once = {"budget": {"images": 16}}
    training = {"prior": once, "predictor": once, "adapter": {"budget": {"images": 1600}}}
    seconds: dict[int, list[float]] = {1: [], 2: []}
    with tempfile.TemporaryDirectory() as folder:
        file = _written(Path(folder), {**EXPERIMENT, "sweep": sweep, "training": training, **WORKER})
        for turn in range(2):
            for workers in (1, 2):
                runs = Path(folder) / f"runs-{turn}-{workers}"
                # the prior and the predictor are trained before the clock starts
                run(["-m", "texprior", "prior", file], runs)
                run(["-m", "texprior", "sweep", file, "--trials", "1"], runs)
                more = ["--trials", str(1 + trials), "--workers", str(workers)]
                run(["-m", "texprior", "sweep", file, *more], runs)
                seconds[workers].append(_span_of_trials(runs, trials))
    one, two = (sorted(found)[len(found) // 2] for found in (seconds[1], seconds[2]))
    yield Row(
        "trials per hour of two sweep workers", "one worker", one / two, Target(">=", 1.8), two, one, "s", "wall", 2
    )


def _span_of_trials(runs: Path, trials: int) -> float:
    """Returns the seconds from the start of the first of the last trials to the end of the last one."""
    import optuna

    storage = f"sqlite:///{runs / 'optuna.db'}"
    (name,) = optuna.get_all_study_names(storage)
    last = optuna.load_study(study_name=name, storage=storage).get_trials()[-trials:]
    started = min(t.datetime_start for t in last if t.datetime_start)
    ended = max(t.datetime_complete for t in last if t.datetime_complete)
    return (ended - started).total_seconds()


def team_rows(_size: Size) -> Iterator[Row]:
    """Compares the training of two processes over gloo with that of one; both share the batch of 16."""
    seconds: dict[int, list[float]] = {1: [], 2: []}
    with tempfile.TemporaryDirectory() as folder:
        file = _written(Path(folder), {**EXPERIMENT, "training": {"prior": {"budget": {"images": 480}}}})
        for turn in range(2):
            for processes in (1, 2):
                runs = Path(folder) / f"team-{turn}-{processes}"
                launch = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
                run([*(launch if processes > 1 else []), "-m", "texprior", "prior", file], runs)
                seconds[processes].append(_trained_for(runs))
    one, two = (sorted(found)[len(found) // 2] for found in (seconds[1], seconds[2]))
    note = f"efficiency {one / two / 2:.0%} of two times one process"
    yield Row("training on 2 processes over gloo", "1 process", one / two, None, two, one, "s", "wall", 2, note=note)


def _trained_for(runs: Path) -> float:
    """Returns the seconds in steps that the checkpoint of a prior's training records."""
    from texprior.store import about_tensors

    (checkpoint,) = runs.glob("two/prior-*/checkpoint.safetensors")
    return float(about_tensors(checkpoint)["elapsed_s"])


def _written(folder: Path, experiment: dict[str, object]) -> str:
    file = folder / "experiment.yaml"
    file.write_text(yaml.safe_dump(experiment), encoding="utf-8")
    return str(file)
