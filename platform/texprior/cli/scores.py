"""Scores as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from texprior.cli.output import table

if TYPE_CHECKING:
    from texprior.scores import Scores


def show_scores(scores: Scores) -> None:
    """The summary on stdout."""
    from texprior.summary import explanation, headings, rows

    table(["method", *headings(scores.better)], rows(scores), wrap=["method", *headings(scores.better)])
    click.echo(explanation(scores))
