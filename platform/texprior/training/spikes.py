"""Notices if the loss of a training jumps.

After a jump the weights need thousands of images to recover, so what is stored depends on how long ago it was.
"""

from __future__ import annotations

from collections.abc import Sequence
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


def is_spike(loss: float, recent: Sequence[float]) -> bool:
    """Returns whether a step's loss is part of a spike; ``recent`` are the losses that ``remembered`` keeps."""
    if len(recent) < _FEWEST:
        return False
    usual = median(recent)
    # a loss may be negative, as that of a critic is, or vary around 0
    size = max(abs(usual), median(abs(each - usual) for each in recent))
    # if most are exactly 0, as of an objective that most noise levels skip, none of the others is unusual
    return size > 0 and loss - usual > JUMP * size


def remembered(loss: float, recent: Sequence[float]) -> list[float]:
    """Returns the losses that the next step is compared with, the one of this step included."""
    return [*recent, loss][-_WINDOW:]


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
