"""Tables as text: Markdown for cards, notes and reports, CSV for files."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence


def markdown_table(columns: Sequence[object], rows: Iterable[Sequence[object]]) -> str:
    """Returns a Markdown table, without a newline at its end."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


def csv_text(rows: Iterable[Sequence[object]]) -> bytes:
    """Returns rows as CSV in UTF-8; the first row is the header.

    A newline follows each row.
    """
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()
