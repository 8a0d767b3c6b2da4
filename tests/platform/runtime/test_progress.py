"""The progress of long work, by a clock that the test turns."""

import io
import sys

import pytest

from texprior.runtime.progress import Reporter, clock_time


@pytest.fixture
def clock():
    class Clock:
        now = 0.0

        def __call__(self):
            return self.now

    return Clock()


def test_a_line_every_ten_seconds_with_rate_and_time_left(clock, capsys):
    with Reporter(clock) as report:
        for second in range(41):
            clock.now = second
            report("prior", 1000 + 10 * second, 1400, {"loss": 0.5})
    assert capsys.readouterr() == (
        "",
        "prior: 1100 of 1400, 10/s, 0:30 left, loss 0.5\n"
        "prior: 1200 of 1400, 10/s, 0:20 left, loss 0.5\n"
        "prior: 1300 of 1400, 10/s, 0:10 left, loss 0.5\n"
        "prior: 1400 of 1400, took 0:40, loss 0.5\n",
    )


def test_work_of_one_name_is_counted_anew_after_its_end(clock, capsys):
    with Reporter(clock) as report:
        for start in (0, 100):
            for done in (0, 4):
                clock.now = start + done
                report("evaluate", done, 4, {})
    assert capsys.readouterr().err == "evaluate: 4 of 4, took 0:04\n" * 2


def test_a_terminal_shows_a_bar_and_messages_above_it(clock, monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    with Reporter(clock) as report:
        for second in range(3):
            clock.now = second
            report("prior", 10 * second, 20, {"loss": 0.25, "images/s": 110.0})
        report.say("a message [not markup]")
    shown = terminal.getvalue()
    assert "━" in shown
    assert "20/20" in shown
    assert "110/s, loss 0.25" in shown
    assert "a message [not markup]" in shown


@pytest.mark.parametrize(("seconds", "text"), [(0, "0:00"), (59.6, "1:00"), (3599, "59:59"), (3661, "1:01:01")])
def test_clock_time(seconds, text):
    assert clock_time(seconds) == text
