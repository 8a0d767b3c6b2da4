"""Summaries of scores: a table with standard errors, intervals and directions, for the terminal and for model cards."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict

from texprior.scores import Mean, Scores

ARROWS = {"higher": "↑", "lower": "↓", "one": "→1"}


def headings(better: Mapping[str, str]) -> list[str]:
    """The metrics with an arrow in the direction that is better."""
    return [f"{metric} {ARROWS[direction]}" for metric, direction in better.items()]


def cell(mean: Mean) -> str:
    """``mean ± standard error [95 % interval]``."""
    if not mean.pictures:
        return "no finite score"
    if math.isnan(mean.standard_error):
        return f"{mean.mean:.4g} (one picture)"
    return f"{mean.mean:.4g} ± {mean.standard_error:.2g} [{mean.low:.4g}, {mean.high:.4g}]"


def rows(scores: Scores) -> list[list[str]]:
    """Method, then a cell for each metric."""
    return [[method, *(cell(row[metric]) for metric in scores.better)] for method, row in scores.summary().items()]


def explanation(scores: Scores) -> str:
    """What the table shows, in a sentence."""
    pictures = len({s.picture for s in scores.scores})
    text = f"Mean over {pictures} picture{'s' * (pictures != 1)} ± standard error, with the 95 % bootstrap interval"
    if any(method.endswith("w chosen") for method in scores.methods()):
        text += "; 'w chosen': the texture strength was chosen on one half of the pictures and scored on the other"
    return f"{text}."


def markdown(scores: Scores) -> str:
    """The table for a model card."""
    lines: list[Sequence[str]] = [
        ["method", *headings(scores.better)],
        ["---"] * (len(scores.better) + 1),
        *rows(scores),
    ]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return f"{explanation(scores)}\n\n{table}\n"


def as_json(scores: Scores) -> dict[str, dict[str, dict[str, float]]]:
    """Method -> metric -> mean, standard error, interval and number of pictures."""
    return {m: {k: asdict(mean) for k, mean in row.items()} for m, row in scores.summary().items()}
