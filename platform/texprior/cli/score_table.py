"""Shows scores as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from texprior.cli.output import table

if TYPE_CHECKING:
    from texprior.evaluation.scores import Scores


def show_scores(scores: Scores) -> None:
    """Prints the summary of the scores to stdout.

    It also prints the differences between methods, if there are any.
    """
    from texprior.evaluation.tables import PAIRED, explain_table, metric_headings, paired_rows, score_rows

    columns = ["method", *metric_headings(scores.better)]
    table(columns, score_rows(scores), wrap=columns)
    click.echo(explain_table(scores))
    differences = paired_rows(scores)
    if differences:
        table(columns, differences, wrap=columns)
        click.echo(PAIRED)
