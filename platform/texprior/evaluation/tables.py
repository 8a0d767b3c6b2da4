"""Summarises scores as tables with standard errors, intervals and directions: terminal, model cards, JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from texprior.evaluation.intervals import FEWEST, NO_INTERVAL
from texprior.evaluation.scores import Mean, Paired, Scores
from texprior.runtime.text_tables import markdown_table

ARROWS = {"higher": "↑", "lower": "↓", "one": "→1"}


def metric_headings(better: Mapping[str, str]) -> list[str]:
    """Lists the metrics with an arrow in the direction that is better."""
    return [f"{metric} {ARROWS[direction]}" for metric, direction in better.items()]


def mean_cell(mean: Mean) -> str:
    """Returns ``mean ± standard error [95 % interval]``, without the interval if there is none."""
    if not mean.pictures:
        return "no finite score"
    if math.isnan(mean.standard_error):
        return f"{mean.mean:.4g} (one picture)"
    return f"{mean.mean:.4g} ± {mean.standard_error:.2g}{_interval(mean, '.4g')}"


def score_rows(scores: Scores) -> list[list[str]]:
    """Returns a row for each method: its name, then a cell for each metric."""
    return [[method, *(mean_cell(row[metric]) for metric in scores.better)] for method, row in scores.summary().items()]


def paired_cell(paired: Paired) -> str:
    """Returns ``mean difference [95 % interval], wins/pictures``, without the interval if there is none."""
    mean = paired.difference
    if not mean.pictures:
        return "no finite score"
    return f"{mean.mean:+.3g}{_interval(mean, '+.3g')}, {paired.wins}/{mean.pictures}"


def _interval(mean: Mean, form: str) -> str:
    """Returns the interval as text with a space before it; empty if there is none."""
    return f" [{mean.low:{form}}, {mean.high:{form}}]" if math.isfinite(mean.low) else ""


def paired_rows(scores: Scores, baseline: str = "predictor") -> list[list[str]]:
    """Returns a row for each restored version.

    The row has its name, then its paired difference from the baseline per metric.
    """
    found = scores.against(baseline)
    return [[method, *(paired_cell(row[metric]) for metric in scores.better)] for method, row in found.items()]


PAIRED = (
    f"Restored minus predictor, picture by picture: mean, 95 % bootstrap interval ({NO_INTERVAL}), "
    "pictures on which it is better."
)


def explain_table(scores: Scores) -> str:
    """Returns what the table shows, in a sentence."""
    pictures = len({s.picture for s in scores.scores})
    text = f"Mean over {pictures} picture{'s' * (pictures != 1)} ± standard error"
    counts = [len(scores.complete(metric)) for metric in scores.better]
    if max(counts, default=0) >= FEWEST:
        text += ", with the 95 % bootstrap interval"
    if min(counts, default=0) < FEWEST:
        text += f"; {NO_INTERVAL}"
    if any(method.endswith("w chosen") for method in scores.methods()):
        text += "; 'w chosen': the texture strength was chosen on one half of the pictures and scored on the other"
    for metric, count in scores.incomplete().items():
        text += f"; {metric} leaves out {count} of them, which it cannot score in every row"
    return f"{text}."


def scores_markdown(scores: Scores) -> str:
    """Returns the tables of a model card, Markdown."""
    text = f"{explain_table(scores)}\n\n{_table(scores, score_rows(scores))}"
    differences = paired_rows(scores)
    return f"{text}\n{PAIRED}\n\n{_table(scores, differences)}" if differences else text


def _table(scores: Scores, found: Sequence[Sequence[str]]) -> str:
    return markdown_table(["method", *metric_headings(scores.better)], found) + "\n"


def scores_json(scores: Scores) -> dict[str, dict[str, dict[str, float]]]:
    """Returns method -> metric -> mean, standard error, interval and number of pictures."""
    return {m: {k: asdict(mean) for k, mean in row.items()} for m, row in scores.summary().items()}


def paired_json(scores: Scores, baseline: str = "predictor") -> dict[str, dict[str, Any]]:
    """Returns restored version -> metric -> paired difference from the baseline, with wins and ties."""
    return {m: {k: asdict(pair) for k, pair in row.items()} for m, row in scores.against(baseline).items()}
