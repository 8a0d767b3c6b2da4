"""Tables as Markdown and CSV, held against Python's own reader."""

import csv
import io

from texprior.runtime.text_tables import csv_text, markdown_table


def test_a_markdown_table_has_a_line_for_its_head_its_rule_and_each_row():
    assert markdown_table(["a", "b"], [[1, "x"], [2.5, ""]]) == "| a | b |\n| --- | --- |\n| 1 | x |\n| 2.5 |  |"


def test_csv_is_read_back_with_commas_quotes_and_lines():
    rows = [["name", "value"], ['say "a, b"', "two\nlines"], ["ü", ""]]
    assert list(csv.reader(io.StringIO(csv_text(rows).decode()))) == rows
    assert csv_text([["a", 1]]) == b"a,1\n"
