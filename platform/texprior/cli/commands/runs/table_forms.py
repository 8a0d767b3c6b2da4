"""Writes a table of results as CSV, Markdown or LaTeX."""

from __future__ import annotations

import math
from collections.abc import Mapping

from texprior.cli.commands.runs.result_tables import ResultTable, Value
from texprior.runtime.text_tables import csv_text, markdown_table

_ARROWS = {"higher": r"$\uparrow$", "lower": r"$\downarrow$", "one": r"$\to 1$", "": ""}
_ESCAPED = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    # after a line's end, and after a rule, these two begin an option
    "[": "{[}",
    "*": "{*}",
    "→": r"$\to$",
    "±": r"$\pm$",
    **{mark: f"\\{mark}" for mark in "&%$#_{}"},
}
"""Characters that LaTeX reads as commands, or that its old fonts print as others."""


def as_csv(table: ResultTable) -> str:
    """Returns a table as CSV: for each value also its standard error and interval, in columns of their own.

    A metric that leaves pictures out also has their number.

    A column that would be empty is left out.
    """
    parts = [
        (column, part)
        for column in table.better
        for part in ("value", "error", "low", "high", "pictures")
        if part == "value" or any(math.isfinite(getattr(row[column], part)) for _, row in table.rows if column in row)
    ]
    endings = {"value": "", "error": " standard_error", "low": " low", "high": " high", "pictures": " pictures"}
    head = [*table.labels, *(f"{column}{endings[part]}" for column, part in parts)]
    rows = [[*labels, *(_plain(row, column, part) for column, part in parts)] for labels, row in table.rows]
    return csv_text([head, *rows]).decode()


def as_markdown(table: ResultTable, uncertainty: str) -> str:
    """Returns a table as Markdown; the best value of a column is bold."""
    from texprior.evaluation.tables import ARROWS

    heads = [f"{column} {ARROWS[way]}" if way else column for column, way in table.better.items()]
    rows = []
    for labels, row in table.rows:
        cells = [_markdown_cell(table, column, row.get(column), uncertainty) for column in table.better]
        rows.append([*map(_in_markdown, labels), *cells])
    return f"{markdown_table([*map(_in_markdown, (*table.labels, *heads))], rows)}\n\n{caption(table, uncertainty)}\n"


def as_latex(table: ResultTable, uncertainty: str) -> str:
    r"""Returns a table as LaTeX for the package ``booktabs``; the best value of a column is bold.

    The document needs ``\usepackage{booktabs}`` and ``\usepackage[T1]{fontenc}``.
    """
    heads = [f"{in_latex(column)} {_ARROWS[way]}".strip() for column, way in table.better.items()]
    lines = [[*map(in_latex, table.labels), *heads]]
    for labels, row in table.rows:
        cells = [_latex_cell(table, column, row.get(column), uncertainty) for column in table.better]
        lines.append([*map(in_latex, labels), *cells])
    head, *body = (f"{' & '.join(line)} \\\\" for line in lines)
    columns = "l" * len(table.labels) + "r" * len(table.better)
    return "\n".join(
        [
            r"% \usepackage{booktabs} \usepackage[T1]{fontenc}",
            r"\begin{table}",
            r"\centering",
            rf"\caption{{{in_latex(caption(table, uncertainty))}}}",
            rf"\begin{{tabular}}{{{columns}}}",
            *(r"\toprule", head, r"\midrule", *body, r"\bottomrule"),
            r"\end{tabular}",
            r"\end{table}",
            "",
        ]
    )


def caption(table: ResultTable, uncertainty: str) -> str:
    """Returns what a table shows, in a sentence."""
    values = [row[column] for _, row in table.rows for column in row]
    said = table.title
    if uncertainty == "pm" and any(math.isfinite(v.error) for v in values):
        said += "; ± standard error over pictures"
    with_interval = [v for v in values if math.isfinite(v.low)]
    if with_interval and any(_shows_interval(v, uncertainty) for v in with_interval):
        said += "; [95 % interval]"
    return f"{said}; the best of a column is bold." if any(table.better.values()) else f"{said}."


def in_latex(text: str) -> str:
    """Returns a text that LaTeX prints as it is."""
    return "".join(_ESCAPED.get(character, character) for character in " ".join(text.split()))


def _plain(row: Mapping[str, Value], column: str, part: str) -> str:
    value: float = getattr(row[column], part) if column in row else math.nan
    return f"{value:.6g}" if math.isfinite(value) else ""


def number(value: float) -> str:
    """Returns a value with four digits; a whole number with all of its digits."""
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else f"{value:.4g}"


def _shows_interval(value: Value, uncertainty: str) -> bool:
    """Returns whether the interval is written: if it is asked for, or if there is no standard error instead."""
    return math.isfinite(value.low) and (
        uncertainty == "interval" or (uncertainty == "pm" and not math.isfinite(value.error))
    )


def _uncertain(value: Value, uncertainty: str, pm: str) -> str:
    if _shows_interval(value, uncertainty):
        return f" [{number(value.low)}, {number(value.high)}]"
    return f" {pm} {value.error:.2g}" if uncertainty != "none" and math.isfinite(value.error) else ""


def _markdown_cell(table: ResultTable, column: str, value: Value | None, uncertainty: str) -> str:
    if value is None or not math.isfinite(value.value):
        return "-"
    bold = "**" if value.value == table.best(column) else ""
    return f"{bold}{number(value.value)}{bold}{_uncertain(value, uncertainty, '±')}"


def _in_markdown(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _latex_cell(table: ResultTable, column: str, value: Value | None, uncertainty: str) -> str:
    if value is None or not math.isfinite(value.value):
        return "--"
    shown = _powers(number(value.value))
    if value.value == table.best(column):
        shown = rf"\mathbf{{{shown}}}"
    rest = _uncertain(value, uncertainty, r"\pm")
    return f"${shown}{' '.join(_powers(part) for part in rest.split(' '))}$"


def _powers(text: str) -> str:
    r"""Returns a number of a formula with ``\times 10^{n}`` instead of ``e+n``."""
    digits, sign, power = text.partition("e")
    if not sign:
        return text
    tail = power.lstrip("+-0123456789")
    return rf"{digits} \times 10^{{{int(power.removesuffix(tail))}}}{tail}"
