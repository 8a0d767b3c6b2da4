"""Tables at the width of the terminal: nothing is cut off, and nothing is wider than the terminal."""

import io
import re

import pytest

from texprior.cli import output


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def printed(monkeypatch):
    """Prints on a terminal of some columns and returns the lines."""

    def printed(width, work):
        monkeypatch.setenv("COLUMNS", str(width))
        with monkeypatch.context() as patch:
            patch.setattr("sys.stdout", out := Terminal())
            work()
        return re.sub(r"\x1b\[[\d;]*m", "", out.getvalue()).splitlines()

    return printed


COLUMNS = ["trial", "state", "configuration", "psnr_rgb ↑", "reason"]
ROWS = [
    ["0 *", "finished", "adapter=cga, adapter.cga.width=32", "29.4512", ""],
    ["1", "failed", "adapter=sft", "", "the training diverged after 1,600 images, 3 steps were not finite"],
]


@pytest.mark.parametrize("width", [60, 80, 200])
def test_no_cell_is_cut_off_and_no_line_is_too_long(printed, width):
    lines = printed(width, lambda: output.table(COLUMNS, ROWS, wrap=["configuration", "reason"]))
    assert max(map(len, lines)) <= width
    words = {word for row in [COLUMNS, *ROWS] for cell in row for word in cell.split()}
    assert words <= set(" ".join(lines).split())


def test_a_table_that_is_too_wide_becomes_a_block_for_each_row(printed):
    lines = printed(60, lambda: output.table(COLUMNS, ROWS, title="trials", wrap=["configuration", "reason"]))
    shown = [line.strip() for line in lines]
    assert shown[0] == "trials"
    assert shown[2:6] == [
        "trial          0 *",
        "state          finished",
        "configuration  adapter=cga, adapter.cga.width=32",
        "psnr_rgb ↑     29.4512",
    ]
    # an empty cell has no line
    assert sum(line.startswith("reason") for line in shown) == 1


def test_a_table_that_fits_has_a_line_for_each_row(printed):
    lines = printed(200, lambda: output.table(COLUMNS, ROWS, wrap=["configuration", "reason"]))
    (line,) = (line for line in lines if "0 *" in line)
    assert "29.4512" in line


def test_without_a_terminal_rows_stay_whole(capsys):
    output.table(COLUMNS, ROWS, wrap=["configuration", "reason"])
    assert any("diverged" in line and "failed" in line for line in capsys.readouterr().out.splitlines())


@pytest.mark.parametrize("width", [60, 80, 200])
@pytest.mark.parametrize("command", [["plugins", "list"], ["models", "list"], ["weights", "list"], ["doctor"]])
def test_real_tables_fit_their_terminal_and_name_everything(printed, runs, command, width):
    from texprior.cli import main

    lines = printed(width, lambda: main(command))
    assert max(len(line) for line in lines if "/" not in line) <= width
    text = "".join(" ".join(lines).split())
    expected = {"plugins": "kernel_distance_mobilenet_v2", "models": "BSDS500", "weights": "lpips_vgg"}
    assert expected.get(command[0], "texprior/reference") in text


def test_a_narrow_list_of_plugins_names_components_as_show_takes_them(printed):
    from texprior.cli import main

    lines = printed(60, lambda: main(["plugins", "list", "--kind", "sampler"]))
    assert any(line.strip().startswith("sampler/heun ") for line in lines)
