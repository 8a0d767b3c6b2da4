"""Draws the stored scores of the tasks over the FLOPs of their trainings.

    python experiments/two-tasks/compute.py

Run it at the top level of the repository. It reads the scores and settings in ``results``, counts the products of one
image's step as ``texprior ablate`` does, and writes ``results/compute.csv`` and ``results/compute.png``. Nothing is
trained.
"""

from __future__ import annotations

import csv
import io
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import torch
from matplotlib.figure import Figure

from texprior.config import load
from texprior.evaluation.scores import read_scores
from texprior.registry import Registry
from texprior.runtime.session import Session
from texprior.store import write_atomically
from texprior.training.compute import flops_per_image

RESULTS = Path("experiments/two-tasks/results")
TASKS = ("defocus", "noise", "strong-noise", "super-resolution")
REGISTRY = Registry.discover()
STARTED_FROM = {"defocus-lpips-alone": "defocus-whole"}
"""Result -> the one whose predictor it was trained further from."""
UNIT = 1e14
METRICS = ("lpips_alex", "psnr_rgb")


class Row(NamedTuple):
    """The means of one stored row, and what its trainings cost."""

    task: str
    row: str
    flops: float
    """Without the prior."""
    flops_prior: float
    """Of the prior, which the tasks share; 0 if the row needs none."""
    means: dict[str, float]


@cache
def cost(result: str) -> dict[str, float]:
    """Returns training -> FLOPs of a stored result, and those of the prior that all tasks share."""
    experiment = load(RESULTS / result / "config.yaml", REGISTRY, ["threads=1", "device=cpu"], stored=True)
    with tempfile.TemporaryDirectory() as folder:
        image = flops_per_image(Session(experiment, REGISTRY, root=Path(folder)))
    training = experiment.training
    return {
        "prior": image["prior"] * load(RESULTS.parent / "prior.yaml", REGISTRY).training.prior.budget.images,
        "predictor": image["predictor"] * training.predictor.budget.images,
        "adapter": image["adapter"] * training.adapter.budget.images,
    }


def means(result: str, row: str) -> dict[str, float]:
    """Returns metric -> mean over the pictures of a row."""
    return read_scores(RESULTS / result / "scores-val.csv").means()[row]


def rows() -> Iterator[Row]:
    """Yields what is stored: the predictor, the whole method, and the predictor that was given more."""
    for task in TASKS:
        whole = cost(f"{task}-whole")
        stage_two = whole["predictor"] + whole["adapter"]
        yield Row(task, "predictor", whole["predictor"], 0, means(f"{task}-whole", "predictor"))
        for strength in (0.5, 1.0):
            found = means(f"{task}-whole", f"restored 1 calls w {strength:g}")
            yield Row(task, f"restored, w = {strength:g}", stage_two, whole["prior"], found)
        alone = f"{task}-alone"
        if (RESULTS / alone).is_dir():
            yield Row(task, "predictor alone, all the time", cost(alone)["predictor"], 0, means(alone, "predictor"))
        further = f"{task}-lpips-alone"
        if (RESULTS / further).is_dir():
            spent = cost(further)["predictor"] + cost(STARTED_FROM[further])["predictor"]
            yield Row(task, "predictor, further with LPIPS", spent, 0, means(further, "predictor"))


def draw(found: list[Row]) -> Figure:
    """Draws one column a task and one line of axes a metric; a bar reaches from without the prior to with all of it."""
    figure = Figure(figsize=(13, 6), layout="constrained")
    axes = figure.subplots(len(METRICS), len(TASKS), squeeze=False)
    names = list(dict.fromkeys(row.row for row in found))
    for line, metric in enumerate(METRICS):
        for column, task in enumerate(TASKS):
            here = axes[line][column]
            for row in found:
                if row.task != task:
                    continue
                colour, value = f"C{names.index(row.row)}", row.means[metric]
                spent = [row.flops / UNIT, (row.flops + row.flops_prior) / UNIT]
                here.plot(spent, [value, value], color=colour, linewidth=2)
                label = row.row if (line, column) == (0, 0) else None
                here.plot(spent[0], value, "s" if row.flops_prior else "o", color=colour, label=label)
            here.set_xlim(left=0)
            here.grid(alpha=0.25)
            if line == 0:
                here.set_title(task.replace("-", " "), fontsize=10)
            if column == 0:
                here.set_ylabel("LPIPS ↓" if metric == "lpips_alex" else "PSNR, dB ↑", fontsize=9)
            if line == len(METRICS) - 1:
                here.set_xlabel("FLOPs of the trainings, $10^{14}$", fontsize=9)
    figure.legend(loc="outside lower center", ncols=3, fontsize=9, frameon=False)
    return figure


def main() -> None:
    """Writes the table and the picture."""
    torch.set_num_threads(1)
    found = list(rows())
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["task", "row", "flops_without_prior", "flops", *METRICS])
    for row in found:
        scores = [f"{row.means[metric]:.4f}" for metric in METRICS]
        table.writerow([row.task, row.row, f"{row.flops:.4g}", f"{row.flops + row.flops_prior:.4g}", *scores])
    write_atomically(RESULTS / "compute.csv", text.getvalue().encode())
    picture = io.BytesIO()
    draw(found).savefig(picture, format="png", dpi=110, metadata={"Software": None})
    write_atomically(RESULTS / "compute.png", picture.getvalue())


if __name__ == "__main__":
    main()
