"""The line of a study's progress: counts, and the time left over all workers."""

import pytest

from texprior.runtime.study_progress import StudyProgress


@pytest.mark.parametrize(("counts", "seconds", "line"), [
    # 2 running are half done: (1 + 4) pieces of 600 s in 2 workers
    ((3, 1, 2, 4), [500.0, 600.0, 700.0],
     "4 of 10 cells done (3 finished, 1 failed, 2 running, 4 waiting); about 25:00 left with 2 workers"),
    ((1, 0, 1, 0), [60.0], "1 of 2 cells done (1 finished, 1 running); about 0:30 left with 1 worker"),
    ((0, 0, 1, 3), [],
     "0 of 4 cells done (1 running, 3 waiting); time left is not known before the first has finished"),
    ((2, 0, 0, 1), [9.0, 9.0], "2 of 3 cells done (2 finished, 1 waiting); no worker is running"),
    ((2, 1, 0, 0), [9.0, 9.0], "3 of 3 cells done (2 finished, 1 failed); nothing is left"),
])  # fmt: skip
def test_the_line(counts, seconds, line):
    assert str(StudyProgress("cells", *counts, seconds)) == line
