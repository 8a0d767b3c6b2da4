"""Shows the progress of long work on stderr.

On a terminal this is a bar with rate and time left, else a line every ten seconds.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Self

import click

if TYPE_CHECKING:
    from rich.progress import Progress as Bars
    from rich.progress import TaskID

_EVERY_S = 10.0
"""Seconds between two lines without a terminal: rare enough for a log file, often enough to see that work continues."""


@dataclass
class _Work:
    """A piece of work in progress, and how far it was when this process started or resumed it."""

    first: int
    started: float
    told: float
    bar: TaskID | None = None

    def rate(self, done: int, now: float) -> float:
        """Returns the items per second in this process; 0 if no time has passed yet."""
        return (done - self.first) / (now - self.started) if now > self.started else 0.0


class Reporter:
    """Shows what a session passes to its ``progress``.

    It is a context manager around all work of a command.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._bars: Bars | None = None
        self._work: dict[str, _Work] = {}

    def __enter__(self) -> Self:
        if sys.stderr.isatty():
            self._bars = _bars()
            self._bars.start()
        return self

    def __exit__(self, *_error: type[BaseException] | BaseException | TracebackType | None) -> None:
        if self._bars is not None:
            self._bars.stop()
            self._bars = None

    def __call__(self, what: str, done: int, total: int, values: Mapping[str, float]) -> None:
        """Shows how far a piece of work is."""
        now = self._clock()

        # A smaller count than the first one means that work of the same name has started again.
        work = self._work.get(what)
        if work is None or done < work.first:
            work = self._work[what] = _Work(done, now, now)
            if self._bars is not None:
                work.bar = self._bars.add_task(what, total=total, completed=done, values="")

        # A training measures its own rate, without the time between its steps.
        rate = values.get("images/s") or work.rate(done, now)
        shown = ", ".join(f"{name} {value:.4g}" for name, value in values.items() if name != "images/s")
        if self._bars is not None and work.bar is not None:
            self._bars.update(work.bar, completed=done, total=total, values=_join(f"{rate:.3g}/s" * (rate > 0), shown))
        elif now - work.told >= _EVERY_S or (done >= total and now > work.told):
            work.told = now
            click.echo(_join(f"{what}: {done} of {total}", *_pace(work, done, total, rate, now), shown), err=True)
        if done >= total:
            self._finish(what)

    def say(self, message: str) -> None:
        """Prints a line above the bar."""
        if self._bars is not None:
            # a message is no markup: rich would drop a part in brackets
            self._bars.console.print(message, markup=False, highlight=False)
        else:
            click.echo(message, err=True)

    def _finish(self, what: str) -> None:
        work = self._work.pop(what)
        if self._bars is not None and work.bar is not None:
            self._bars.stop_task(work.bar)


def _pace(work: _Work, done: int, total: int, rate: float, now: float) -> list[str]:
    if done >= total:
        return [f"took {clock_time(now - work.started)}"]
    return [f"{rate:.3g}/s", f"{clock_time((total - done) / rate)} left"] if rate > 0 else []


def clock_time(seconds: float) -> str:
    """Formats seconds as h:mm:ss, or as m:ss below an hour."""
    minutes, second = divmod(round(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"


def _join(*parts: str) -> str:
    return ", ".join(part for part in parts if part)


def _bars() -> Bars:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[values]}"),
        TimeRemainingColumn(elapsed_when_finished=True),
        console=Console(file=sys.stderr),
        refresh_per_second=4,
    )


Progress = Callable[[str, int, int, Mapping[str, float]], None]
"""Reports progress: name of the work, done, total, and values to show."""


def no_progress(_what: str, _done: int, _total: int, _values: Mapping[str, float]) -> None:
    """Shows nothing."""
