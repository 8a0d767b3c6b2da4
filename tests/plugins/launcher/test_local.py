"""Processes of this machine: all run at the same time, and what fails is named."""

from functools import partial

from texprior.plugin import Options
from texprior_plugins.launcher.local import Local

# a work that ends only if the other has begun
MEETING = """
import pathlib, time
folder = pathlib.Path({folder!r})
(folder / {mine!r}).touch()
end = time.monotonic() + 60
while not (folder / {other!r}).exists():
    assert time.monotonic() < end
    time.sleep(0.01)
"""


def test_works_run_at_the_same_time(tmp_path):
    works = {
        mine: partial(exec, MEETING.format(folder=str(tmp_path), mine=mine, other=other))
        for mine, other in (("a", "b"), ("b", "a"))
    }
    assert Local(Options()).run(works, 1, None) == {}


def test_a_work_that_ends_badly_is_named_with_how():
    works = {
        "dies": partial(exec, "import os; os.kill(os.getpid(), 9)"),
        "leaves": partial(exec, "raise SystemExit(3)"),
        "works": partial(exec, "pass"),
    }
    assert Local(Options()).run(works, 1, None) == {"dies": "was killed by SIGKILL", "leaves": "ended with code 3"}
