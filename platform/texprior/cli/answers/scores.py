"""The answers of the commands that score pictures."""

from __future__ import annotations

from pathlib import Path

from texprior.cli.answers.base import Answer
from texprior.evaluation.about import About
from texprior.evaluation.scores import Mean, Paired
from texprior.sweeps.records import Better


class EvaluateAnswer(Answer):
    """The scores of a model."""

    model: Path
    split: str
    about: About
    """What the scores depend on."""
    scores: Path
    """The file scores.csv, a row for each score."""
    sheet: Path | None
    """The contact sheet; null if no picture was scored."""
    run: dict[str, str]
    """Where the run is shown; empty without a tracker."""
    better: dict[str, Better]
    metrics: dict[str, dict[str, Mean]]
    """Method -> metric -> mean over the pictures."""
    against_predictor: dict[str, dict[str, Paired]]
    """Restored version -> metric -> difference from the predictor, picture by picture."""
    broken: dict[str, str]
    """Pictures that could not be read: key -> reason."""


class ScoreAnswer(Answer):
    """The scores of folders of pictures."""

    folders: dict[str, Path]
    """Method -> folder."""
    reference: Path | None
    baseline: str
    left_out: dict[str, list[str]]
    """Picture -> the methods that lack it."""
    better: dict[str, Better]
    metrics: dict[str, dict[str, Mean]]
    """Method -> metric -> mean over the pictures."""
    against_baseline: dict[str, dict[str, Paired]]
    """Method -> metric -> difference from the baseline, picture by picture."""
    broken: dict[str, str]
    """Pictures that could not be scored: key -> reason."""


class AlphaCurveAnswer(Answer):
    """Quality against the share of texture."""

    alphas: list[float]
    better: dict[str, Better]
    pictures: dict[str, list[str]]
    """Metric -> the pictures that it scores at every alpha."""
    curves: dict[str, dict[str, list[Mean]]]
    """Decomposition -> metric -> mean over the pictures at every alpha."""
    change: dict[str, dict[str, Paired]]
    """Decomposition -> metric -> difference of the last alpha from the first."""
    figure: Path
    scores: Path
    runs: dict[str, dict[str, str]]
    """Decomposition -> where its run is shown."""
    broken: dict[str, str]
    """Pictures that could not be read: key -> reason."""
