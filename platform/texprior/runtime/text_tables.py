"""Tables as text: Markdown for cards, notes and reports, CSV for files."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence


def markdown_table(columns: Sequence[object], rows: Iterable[Sequence[object]]) -> str:
    """Returns a Markdown table, without a newline at its end."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


def csv_text(rows: Iterable[Sequence[object]]) -> bytes:
    """Returns rows as CSV in UTF-8; the first row is the header.

    A newline follows each row.
    """
    return b"".join(csv_lines(rows))


def csv_lines(rows: Iterable[Sequence[object]]) -> Iterator[bytes]:
    """Yields the lines of ``csv_text``, for a table that is too large for the memory."""
    line = io.StringIO()
    writer = csv.writer(line, lineterminator="\n")
    for row in rows:
        writer.writerow(row)
        yield line.getvalue().encode()
        line.seek(0)
        line.truncate()
