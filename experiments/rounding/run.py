"""Trains a predictor on rounded and one on unrounded inputs, and scores each of them on both.

    python experiments/rounding/run.py

Run it at the top level of the repository. Finished trainings below ``TEXPRIOR_RUNS`` are found again. It writes
``results/scores.csv`` and ``results/record.json``, and prints the table of the README.
"""

import csv
import datetime
import json
import subprocess
import sys
from pathlib import Path
from statistics import mean
from typing import Any

import torch

import texprior
from texprior.evaluation.scores import Score, Scores, read_scores
from texprior.runtime.run_record import current_commit

HERE = Path("experiments/rounding")
PRIOR = "experiments/defocus/results/prior"
BITS = ("8", "null")
ROWS = ("degraded", "predictor")


def run(*arguments: str) -> dict[str, Any]:
    """Runs a command of texprior on the study's experiment; returns its JSON."""
    command = [sys.executable, "-m", "texprior", arguments[0], str(HERE / "experiment.yaml"), *arguments[1:], "--json"]
    done: dict[str, Any] = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    return done


def measure() -> dict[tuple[str, str], list[Score]]:
    """Trains what is not trained yet; returns (bits of training, bits of scoring) -> scores."""
    found = {}
    for trained in BITS:
        model = run("adapt", "--prior", PRIOR, "--set", f"data.degraded_bits={trained}")["model"]
        for scored in BITS:
            evaluated = run("evaluate", "--model", model, "--set", f"data.degraded_bits={scored}")
            scores = read_scores(Path(evaluated["scores"])).scores
            found[trained, scored] = [s for s in scores if s.method in ROWS]
    return found


def write_results(found: dict[tuple[str, str], list[Score]]) -> None:
    """Writes every score, and what made them."""
    (HERE / "results").mkdir(exist_ok=True)
    with (HERE / "results" / "scores.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["trained_bits", "scored_bits", "method", "picture", "metric", "better", "value"])
        for (trained, scored), scores in found.items():
            for s in scores:
                row = [s.method, s.picture, s.metric, BETTER[s.metric], f"{s.value:.6g}"]
                writer.writerow([trained, scored, *row])
    command = f"python {HERE}/run.py"
    versions = {"texprior": texprior.__version__, "torch": torch.__version__}
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    result = {"what": "two predictors, each scored on rounded and unrounded inputs", "command": command}
    result |= {"commit": current_commit() or None, "stored_with": None, "date": today, "versions": versions}
    result |= {"known": "" if result["commit"] else "The code was in no git repository."}
    because = "the stored values have 6 digits, and CPUs differ in the last bits of float32"
    check = {"scores": "scores.csv", "config": "../experiment.yaml", "rows": {"degraded": "degraded"}}
    check |= {"where": {"trained_bits": "8", "scored_bits": "8"}, "because": because}
    check |= {"tolerance": {"psnr_rgb": 0.002, "lpips_alex": 0.0005}}
    text = json.dumps({"results": {"scores.csv": result}, "checks": [check]}, indent=2)
    (HERE / "results" / "record.json").write_text(text + "\n", encoding="utf-8")


BETTER = {"psnr_rgb": "higher", "lpips_alex": "lower"}


def main() -> None:
    """Prints the table: PSNR / LPIPS of every training on every kind of input."""
    found = measure()
    write_results(found)
    print("| trained on | scored on | degraded | predictor |\n|---|---|---|---|")
    for (trained, scored), scores in found.items():
        means = [
            " / ".join(f"{mean(Scores(tuple(scores), BETTER).of(row, metric).values()):.4g}" for metric in BETTER)
            for row in ROWS
        ]
        print(f"| {trained} | {scored} | {means[0]} | {means[1]} |")


if __name__ == "__main__":
    main()
