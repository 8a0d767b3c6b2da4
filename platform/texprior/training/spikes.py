"""Notices if the loss of a training jumps.

After a jump the weights need thousands of images to recover, so what is stored depends on how long ago it was.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from statistics import median

from texprior.config.schema import Training

JUMP = 10.0
"""A step is part of a spike if its loss exceeds the median of the steps before by over this many times their size.

The size is the median's, or the median deviation from it if that is larger.

In the trainings of experiments/LOG.md that jumped it was 26 to 6,000 times; other steps were at most 2.2 times."""
_WINDOW, _FEWEST = 100, 20
"""Most and fewest steps that the median is taken from."""
LATE = 0.25
"""A spike in this last share of a training is late: the weights may not have recovered at the end."""


class SpikeFinder:
    """Compares the loss of each step with the median of the steps before it that were no part of a spike."""

    def __init__(self, losses: Iterable[float] = ()) -> None:
        self._losses = deque(losses, maxlen=_WINDOW)

    @property
    def losses(self) -> list[float]:
        """The losses that the next step is compared with; a finder that is made of them goes on from here."""
        return list(self._losses)

    def is_spike(self, loss: float) -> bool:
        """Returns whether a step's loss is part of a spike, and takes note of it if it is not."""
        if len(self._losses) >= _FEWEST:
            usual = median(self._losses)
            # a loss may be negative, as that of a critic is, or vary around 0
            size = max(abs(usual), median(abs(each - usual) for each in self._losses))
            if loss - usual > JUMP * size:
                return True
        self._losses.append(loss)
        return False


def spike_sentence(stage: str, settings: Training, spikes: int, last_spike: int, images_seen: int) -> str:
    """Returns what a training's spikes mean and what to do; empty if there was none in its last part."""
    if not spikes or last_spike < (1 - LATE) * images_seen:
        return ""
    cures = f"set training.{stage}.lr below {settings.lr:g}, or a training.{stage}.decay that ends lower"
    return (
        f"{stage}: the loss jumped by over {JUMP:g} times its usual size in {spikes} steps, the last at image "
        f"{last_spike:,} of {images_seen:,}; the weights may not have recovered, so scores may be worse, and differ "
        f"from one training to the next: {cures}"
    )
