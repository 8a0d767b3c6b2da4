"""Measures texprior against plain loops and against other libraries, and prints a table.

python benchmarks/run.py [--quick] [--only NAME ...] [--csv FILE] [--log] [--threads N] [--clock cpu|wall]
"""

from __future__ import annotations

import argparse
import csv
import datetime
import os
import platform
import re
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch

import commands
import filters
import processes
import sampling
import training
from rounds import Group, Row, Size

HERE = Path(__file__).resolve().parent
HISTORY = HERE / "results" / "history.csv"
GROUPS = (
    Group("sampling", sampling.loop_rows),
    Group("steps", training.step_rows),
    Group("epoch", training.epoch_rows),
    Group("adapters", training.adapter_rows),
    Group("restored", sampling.count_rows),
    Group("derived", training.derived_rows),
    Group("decompositions", filters.decomposition_rows),
    Group("degradations", filters.degradation_rows),
    Group("commands", processes.command_rows),
    Group("pictures", processes.picture_rows),
    Group("kept", processes.kept_rows),
    Group("workers", processes.worker_rows, slow=True),
    Group("team", processes.team_rows, slow=True),
    Group("large", commands.large_rows, slow=True),
    Group("shared", commands.shared_rows, slow=True),
)
PACKAGES = ("texprior", "torch", "numpy", "opencv-python-headless", "scikit-image", "scipy", "PyWavelets", "diffusers")
FIELDS = (
    *("group", "what", "against", "ratio", "low", "high", "target", "held"),
    *("ours", "theirs", "unit", "clock", "rounds", "note"),
)
"""Columns of the history, after those that say when and where a row was measured."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures the groups that are asked for; prints each row when it is there, and writes all at the end."""
    asked = _parser().parse_args(arguments)
    torch.set_num_threads(asked.threads)
    size = Size(asked.quick, asked.clock)
    chosen = [g for g in GROUPS if (g.name in asked.only if asked.only else not (g.slow and asked.quick))]
    print(
        "| what | against | ratio | target | | ours | theirs | clock | |\n|---|---|---|---|---|---|---|---|---|",
        flush=True,
    )
    found: list[tuple[str, Row]] = []
    path = asked.csv or (None if asked.quick else HISTORY)
    try:
        for group in chosen:
            started = time.monotonic()
            for row in group.measure(size):
                found.append((group.name, row))
                print(line(row), flush=True)
            print(f"{group.name}: {time.monotonic() - started:.0f} s", file=sys.stderr)
    finally:  # what was measured before a group failed stays
        if path is not None:
            write(path, found, about(asked.threads, asked.quick))
    missed = [row for _, row in found if row.held == "NOT HELD"]
    print(f"\n{len(found)} rows; {len(missed)} targets are not held", file=sys.stderr)
    if asked.log:
        log(found, about(asked.threads, asked.quick))


def line(row: Row) -> str:
    """Returns a row of the table, in Markdown; quartiles of the ratio are in brackets."""
    spread = f" ({row.low:.3g} to {row.high:.3g})" if row.low == row.low else ""
    sizes = [f"{value:.3g} {row.unit}" for value in (row.ours, row.theirs)]
    cells = [
        row.what,
        row.against,
        f"{row.ratio:.3g}{spread}",
        str(row.target or "-"),
        row.held,
        *sizes,
        row.clock,
        row.note,
    ]
    return f"| {' | '.join(cells)} |"


def about(threads: int, quick: bool) -> dict[str, str]:
    """Returns when, at which commit and on what the rows were measured."""
    versions = {name: _version(name) for name in PACKAGES}
    return {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "commit": _commit(),
        "cpu": _cpu(),
        "cores": str(os.cpu_count()),
        "threads": str(threads),
        "load": f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "",
        "size": "quick" if quick else "full",
        "versions": " ".join(f"{name}={found}" for name, found in versions.items() if found),
    }


def write(path: Path, found: Sequence[tuple[str, Row]], known: Mapping[str, str]) -> None:
    """Appends the rows to a CSV file; a new file gets its header."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = not path.is_file()
    with path.open("a", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        if new:
            writer.writerow([*known, *FIELDS])
        for group, row in found:
            numbers = [f"{n:.5g}" for n in (row.ratio, row.low, row.high)]
            sizes = [f"{n:.5g}" for n in (row.ours, row.theirs)]
            target = str(row.target or "")
            more = [*sizes, row.unit, row.clock, row.rounds, row.note]
            writer.writerow([*known.values(), group, row.what, row.against, *numbers, target, row.held, *more])


def log(found: Sequence[tuple[str, Row]], known: Mapping[str, str]) -> None:
    """Logs the ratios as one run of the experiment ``benchmarks``, where texprior's other runs are."""
    from texprior import config
    from texprior.registry import Registry
    from texprior.runtime.session import Session

    registry = Registry.discover()
    session = Session.start(config.resolve({"name": "benchmarks"}, registry), registry)
    name = f"benchmarks-{known['date'].replace(':', '')}"
    tags = {f"benchmark.{key}": value for key, value in known.items()}
    with session.tracker.run(session.run_info(name, name, "benchmark", **tags)) as run:
        for group, row in found:
            run.summary[f"{group}/{re.sub(r'[^A-Za-z0-9]+', '_', f'{row.what} by {row.against}')}"[:240]] = row.ratio


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Measures texprior against plain loops and other libraries.")
    parser.add_argument("--quick", action="store_true", help="small networks and few rounds, within a minute")
    names = [group.name for group in GROUPS]
    parser.add_argument("--only", action="append", default=[], choices=names, help="one group; may be repeated")
    parser.add_argument("--csv", type=Path, help=f"file to append to; by default {HISTORY.name}, and none with --quick")
    parser.add_argument("--log", action="store_true", help="log the ratios to MLflow, where texprior's runs are")
    parser.add_argument("--threads", type=int, default=1, help="torch's threads (default: 1)")
    parser.add_argument("--clock", choices=["cpu", "wall"], default="cpu", help="clock of what needs one core")
    return parser


def _commit() -> str:
    """Returns the short hash, with a + if tracked files differ from it; empty outside a repository."""
    try:
        command = ["git", "describe", "--always", "--abbrev=10", "--dirty=+", "--exclude=*"]
        shown = subprocess.run(command, cwd=HERE, capture_output=True, text=True)
    except OSError:
        return ""
    return shown.stdout.strip()


def _cpu() -> str:
    info = Path("/proc/cpuinfo")
    named = re.search(r"model name\s*: (.+)", info.read_text(encoding="utf-8")) if info.is_file() else None
    return named.group(1) if named else platform.processor() or platform.machine()


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


if __name__ == "__main__":
    main()
