"""Tables of results as CSV, Markdown and LaTeX."""

import csv
import io
import re
import shutil
import subprocess

import pytest

from texprior.cli.commands.runs.result_tables import ResultTable, Value
from texprior.cli.commands.runs.table_forms import as_csv, as_latex, as_markdown, in_latex

NASTY = r"50%_a&b #1 {x} ~^\ <c> | $y"


@pytest.fixture
def table():
    rows = [
        (["one", NASTY], {"psnr_rgb": Value(30.0625, 0.51, 29.0, 31.5), "n": Value(432992.0)}),
        (["two", "b"], {"psnr_rgb": Value(31.5, 0.25, 31.0, 32.0), "n": Value(1.5e-7)}),
        (["three", "c"], {"n": Value(float("nan"))}),
    ]
    return ResultTable("Rows", ["name", "what"], {"psnr_rgb": "higher", "n": ""}, rows)


def test_csv_has_numbers_and_uncertainties_in_columns_of_their_own(table):
    head, one, two, three = csv.reader(io.StringIO(as_csv(table)))
    assert head == ["name", "what", "psnr_rgb", "psnr_rgb standard_error", "psnr_rgb low", "psnr_rgb high", "n"]
    assert one == ["one", NASTY, "30.0625", "0.51", "29", "31.5", "432992"]
    assert two[2:] == ["31.5", "0.25", "31", "32", "1.5e-07"]
    assert three == ["three", "c", "", "", "", "", ""]


def test_markdown_marks_the_best_and_keeps_its_columns(table):
    lines = as_markdown(table, "pm").splitlines()
    assert lines[0] == "| name | what | psnr_rgb ↑ | n |"
    assert lines[2].startswith(r"| one | 50%_a&b #1 {x} ~^\ <c> \| $y | 30.06 ± 0.51 | 432992 |")
    assert lines[3] == "| two | b | **31.5** ± 0.25 | 1.5e-07 |"
    assert lines[4] == "| three | c | - | - |"
    assert "**31.5** [31, 32]" in as_markdown(table, "interval")
    assert "| **31.5** |" in as_markdown(table, "none")


def test_a_label_of_latex_is_no_option_of_the_line_before():
    assert in_latex("[a]*") == "{[}a]{*}"


def test_latex_escapes_what_it_would_read_as_commands(table):
    assert in_latex(NASTY) == (
        r"50\%\_a\&b \#1 \{x\} \textasciitilde{}\textasciicircum{}\textbackslash{} "
        r"\textless{}c\textgreater{} \textbar{} \$y"
    )
    lines = as_latex(table, "pm").splitlines()
    assert r"name & what & psnr\_rgb $\uparrow$ & n \\" in lines
    assert lines[lines.index(r"\midrule") + 2] == r"two & b & $\mathbf{31.5} \pm 0.25$ & $1.5 \times 10^{-7}$ \\"
    assert r"$\mathbf{31.5} [31, 32]$" in as_latex(table, "interval")
    rows = [line for line in lines if line.endswith(r"\\")]
    assert [len(re.findall(r"(?<!\\)&", row)) for row in rows] == [3, 3, 3, 3]


def test_every_environment_of_latex_is_closed_and_every_brace_and_dollar_paired(table):
    text = as_latex(table, "interval")
    assert re.findall(r"\\begin{(\w+)}", text) == re.findall(r"\\end{(\w+)}", text)[::-1]
    bare = re.sub(r"\\[{}$]", "", text)
    assert bare.count("{") == bare.count("}")
    assert bare.count("$") % 2 == 0
    assert r"\begin{tabular}{llrr}" in text


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not here")
def test_latex_compiles(table, tmp_path):
    head = r"\documentclass{article}\usepackage{booktabs}\usepackage[T1]{fontenc}\begin{document}"
    bodies = "\n".join(as_latex(table, uncertainty) for uncertainty in ("pm", "interval", "none"))
    (tmp_path / "x.tex").write_text(f"{head}\n{bodies}\n\\end{{document}}\n", encoding="utf-8")
    command = ["pdflatex", "-halt-on-error", "-interaction=nonstopmode", "x.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:]
