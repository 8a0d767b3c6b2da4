"""Says in one line how far a sweep or an ablation is, over all of its workers, and how long it takes still."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from texprior.runtime.progress import clock_time


@dataclass(frozen=True)
class StudyProgress:
    """How many pieces of a study's work, such as trials, are in which state."""

    what: str
    """What the pieces are, such as ``trials``."""
    finished: int
    failed: int
    running: int
    waiting: int
    seconds: Sequence[float] = ()
    """What each finished piece took, s."""

    @property
    def left_s(self) -> float | None:
        """Expected seconds until all have ended, with as many workers as are running; None if that is not known.

        A piece takes as long as the finished ones did on average, and those that are running are half done.
        """
        if not self.running + self.waiting:
            return 0.0
        if not self.running or not self.seconds:
            return None
        return (self.running / 2 + self.waiting) * fmean(self.seconds) / self.running

    def __str__(self) -> str:
        done, number = self.finished + self.failed, self.finished + self.failed + self.running + self.waiting
        counts = {"finished": self.finished, "failed": self.failed, "running": self.running, "waiting": self.waiting}
        said = ", ".join(f"{count} {state}" for state, count in counts.items() if count)
        return f"{done} of {number} {self.what} done ({said}); {self._left()}"

    def _left(self) -> str:
        left = self.left_s
        if left == 0:
            return "nothing is left"
        if not self.running:
            return "no worker is running"
        if left is None:
            return "time left is not known before the first has finished"
        return f"about {clock_time(left)} left with {self.running} worker{'s' * (self.running != 1)}"
