"""Summaries of scores: a table with standard errors, intervals and directions, for the terminal and for model cards."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import NamedTuple

from texprior.scores import Mean, Scores, choose_strength, mean_of

ARROWS = {"higher": "↑", "lower": "↓", "one": "→1"}


class Chosen(NamedTuple):
    """A metric at the texture strength that it chose on the other half of the pictures."""

    mean: Mean
    texture_strength: float
    """The mean of what the two halves chose."""


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


def chosen_strengths(scores: Scores) -> dict[int, dict[str, Chosen]]:
    """Network calls -> metric -> its mean at the strength chosen on one half and scored on the other.

    Empty where the restored pictures have one strength only, or are fewer than two.
    """
    restored = [s for s in scores.scores if s.method.startswith("restored")]
    if len({s.texture_strength for s in restored}) < 2 or len({s.picture for s in restored}) < 2:
        return {}
    found: dict[int, dict[str, Chosen]] = {}
    for calls in sorted({s.calls for s in restored}):
        for metric in scores.better:
            values, strength = choose_strength(scores, calls, metric)
            found.setdefault(calls, {})[metric] = Chosen(mean_of(list(values.values())), strength)
    return found


def rows(scores: Scores) -> list[list[str]]:
    """Method, then a cell for each metric; last the rows of chosen strengths."""
    plain = [[method, *(cell(row[metric]) for metric in scores.better)] for method, row in scores.summary().items()]
    chosen = [
        [f"restored {calls} calls w chosen", *(f"{cell(c.mean)}, w {c.texture_strength:g}" for c in row.values())]
        for calls, row in chosen_strengths(scores).items()
    ]
    return plain + chosen


def explanation(scores: Scores) -> str:
    """What the table shows, in a sentence."""
    pictures = len({s.picture for s in scores.scores})
    text = f"Mean over {pictures} picture{'s' * (pictures != 1)} ± standard error, with the 95 % bootstrap interval"
    if chosen_strengths(scores):
        text += "; 'w chosen': each metric chose its texture strength w on one half and was scored on the other"
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
    """Method -> metric -> mean, standard error, interval and number of pictures; chosen strengths with theirs."""
    plain = {m: {k: asdict(mean) for k, mean in row.items()} for m, row in scores.summary().items()}
    chosen = {
        f"restored {calls} calls w chosen": {
            metric: {**asdict(c.mean), "texture_strength": c.texture_strength} for metric, c in row.items()
        }
        for calls, row in chosen_strengths(scores).items()
    }
    return {**plain, **chosen}
