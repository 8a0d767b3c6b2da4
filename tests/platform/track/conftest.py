"""Observers in memory, some of which fail, and a whole run that is told to them."""

import math

import pytest
import torch

from texprior.track import RunInfo, Tracker
from texprior.track.unsent import Unsent


class Recorder:
    """An observer in memory. It fails in the events whose names are in ``fails``, after ``after`` calls."""

    def __init__(self, *fails, after=0):
        self.calls, self.fails, self.after = [], set(fails), after

    def __getattr__(self, event):
        if event not in ("run_started", "step", "image", "artifact", "run_finished"):
            raise AttributeError(event)

        def call(*arguments):
            if event in self.fails and len(self.calls) >= self.after:
                raise OSError("the disk is full")
            self.calls.append((event, *arguments))

        return call

    def where(self, run_id):
        return {"store": "memory"} if any(c[0] == "run_started" and c[1].id == run_id for c in self.calls) else {}


class Buffering(Recorder):
    """Holds values back until an image comes."""

    def __init__(self, *fails, after=0):
        super().__init__(*fails, after=after)
        self.held = []

    def step(self, run_id, images_seen, metrics):
        self.held.append((images_seen, metrics))
        if "step" in self.fails:
            raise OSError("the disk is full")

    def pending(self, run_id):
        return self.held


@pytest.fixture(scope="session")
def recorder():
    """recorder(*fails, after=0): an observer in memory."""
    return Recorder


@pytest.fixture(scope="session")
def buffering():
    """buffering(*fails): one that holds values back until an image comes."""
    return Buffering


@pytest.fixture(scope="session")
def tracker():
    """tracker(observer, root): calls this observer, and keeps below ``root`` what it could not record."""

    def tracker(observer, root, name="acme/tracker"):
        return Tracker({name: observer}, {name: Unsent(root / "unsent", {name: {"option": 1}}, ["/idea.py"])})

    return tracker


@pytest.fixture(scope="session")
def record():
    """record(told, tmp_path): tells a whole run, two steps, a picture, a file, a folder."""

    def record(told, tmp_path, run_id="r", **more):
        folder = tmp_path / f"made-{run_id}"
        folder.mkdir(exist_ok=True)
        (folder / "scores.csv").write_text("a,b\n")
        with told.run(RunInfo(run_id, "e", f"name of {run_id}", "prior", params={"lr": 0.1}, **more)) as run:
            run.step(16, loss=2.0, lr=0.5)
            run.image("sheet", torch.full((3, 2, 2), 0.25), 16)
            run.artifact(folder)
            run.artifact(folder / "scores.csv")
            run.step(32, loss=math.nan)
            run.summary["best"] = 1.0
            run.notes.append("note")

    return record


@pytest.fixture(scope="session")
def events():
    """events(calls): (event, id of its run) of each call."""
    return lambda calls: [(c[0], c[1].id if c[0] == "run_started" else c[1]) for c in calls]
