"""Measures works in turn, and says what a row of the table is."""

from __future__ import annotations

import gc
import operator
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

Clock = Literal["cpu", "wall"]
_COMPARE: Mapping[str, Callable[[float, float], bool]] = {"<=": operator.le, ">=": operator.ge, "==": operator.eq}


class Target(NamedTuple):
    """What a value should be, such as ``<= 1.02``."""

    sign: str
    limit: float
    plus: bool = False
    """Whether the limit is on the difference of the two medians, s, and not on the ratio."""

    def __str__(self) -> str:
        return f"{self.sign} +{self.limit:g} s" if self.plus else f"{self.sign} {self.limit:g}"


@dataclass(frozen=True)
class Row:
    """One comparison: what was measured, against what, and the ratio."""

    what: str
    against: str
    ratio: float
    target: Target | None
    ours: float
    """Median of what was measured: s, or the unit in ``unit``."""
    theirs: float
    unit: str = "s"
    clock: str = ""
    """``cpu``: CPU seconds of the work, which other processes hardly change; ``wall``: what a user waits."""
    rounds: int = 1
    low: float = float("nan")
    """Lower quartile of the ratios of single rounds; with ``high`` it says how far the ratio can be trusted."""
    high: float = float("nan")
    note: str = ""

    @property
    def held(self) -> str:
        """Whether the target is held: ``held``, ``NOT HELD``, or empty without a target."""
        if self.target is None:
            return ""
        value = self.ours - self.theirs if self.target.plus else self.ratio
        return "held" if _COMPARE[self.target.sign](value, self.target.limit) else "NOT HELD"


class Times:
    """Seconds of each work in each round."""

    def __init__(self, clock: Clock) -> None:
        self.clock: Clock = clock
        self.of: dict[str, list[float]] = {}

    def row(
        self, what: str, against: str, ours: str, theirs: str, target: Target | None, note: str = "", scale: float = 1
    ) -> Row:
        """Returns the row that compares two works: the median of the ratios of single rounds.

        ``scale`` multiplies the time of ours, for works of different sizes.
        """
        mine, other = [scale * t for t in self.of[ours]], self.of[theirs]
        ratios = [a / b for a, b in zip(mine, other, strict=True)]
        low, middle, high = statistics.quantiles(ratios, n=4) if len(ratios) > 1 else ratios * 3
        medians = statistics.median(mine), statistics.median(other)
        return Row(what, against, middle, target, *medians, "s", self.clock, len(ratios), low, high, note)


def cpu_seconds() -> float:
    """Returns the CPU seconds of this process and of those that it started and that have ended."""
    import resource  # not on Windows

    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def interleaved(works: Mapping[str, Callable[[], object]], rounds: int, clock: Clock, warm: bool = True) -> Times:
    """Times works in turn (A, B, A, B, ...), so that a slow minute of the machine falls on all of them.

    With ``warm``, each runs once before the clock starts.
    """
    read = cpu_seconds if clock == "cpu" else time.perf_counter
    times = Times(clock)
    for work in works.values() if warm else ():
        work()
    # a collection in the middle of a work would be charged to whichever allocates at that moment
    gc.collect()
    gc.disable()
    try:
        for _ in range(rounds):
            for name, work in works.items():
                started = read()
                work()
                times.of.setdefault(name, []).append(read() - started)
    finally:
        gc.enable()
    return times


def count_row(what: str, against: str, counted: int, expected: int, unit: str, note: str = "") -> Row:
    """Returns a row that compares a number of calls with the number that there must be."""
    ratio = counted / expected if expected else 1.0 + counted
    return Row(what, against, ratio, Target("==", 1), counted, expected, unit, note=note)


class Group(NamedTuple):
    """Rows that are measured together."""

    name: str
    measure: Callable[[Size], Iterator[Row]]
    slow: bool = False
    """Whether ``--quick`` leaves it out."""


class Size(NamedTuple):
    """How much is measured."""

    quick: bool
    clock: Clock
    """The clock of works that need one core; what runs on several is always measured by the wall clock."""

    def rounds(self, full: int) -> int:
        return min(full, 2) if self.quick else full
