"""Observers of runs: one that is right, and what goes wrong with them."""

import json
from pathlib import Path

from texprior.plugin import Events, Options, hookimpl

CAUGHT_BY = {
    "right": [],
    "chokes_on_nan": ["events.not-a-number"],
    "prints": ["events.quiet"],
    "one_run_at_a_time": ["events.nested"],
    "finished_only": ["events.ends"],
    "resumes_what_is_there": ["events.resume"],
    "lost": ["events.where"],
    "draws_on_the_picture": ["events.picture"],
    "opens_at_once": ["events.inert"],
    "no_folders": ["events.run"],
    "half_done": ["any.contract"],
    "buffers": [],
    "never_empty": ["events.pending"],
    "mixes_runs": ["events.pending"],
    "forgets_the_steps": ["events.pending"],
}
TRACKERS = ("buffers", "never_empty", "mixes_runs", "forgets_the_steps")


class Right:
    """Keeps what it is told in memory."""

    def __init__(self, options):
        self.runs = {}

    def run_started(self, run):
        self.runs[run.id] = []

    def step(self, run_id, images_seen, metrics):
        self.runs[run_id].append((images_seen, dict(metrics)))

    def image(self, run_id, key, images_seen, image_CHW):
        self.runs[run_id].append((images_seen, key, image_CHW.clone()))

    def artifact(self, run_id, path):
        self.runs[run_id].append(str(path))

    def run_finished(self, run_id, status, summary, note):
        self.runs[run_id].append((status, dict(summary), note))

    def where(self, run_id):
        return {"run_id": run_id} if run_id in self.runs else {}


class ChokesOnNan(Right):
    def step(self, run_id, images_seen, metrics):
        json.dumps(dict(metrics), allow_nan=False)
        super().step(run_id, images_seen, metrics)


class Prints(Right):
    def step(self, run_id, images_seen, metrics):
        print(run_id, images_seen, metrics)  # noqa: T201
        super().step(run_id, images_seen, metrics)


class OneRunAtATime(Right):
    def run_started(self, run):
        self.runs = {run.id: []}


class FinishedOnly(Right):
    def run_finished(self, run_id, status, summary, note):
        super().run_finished(run_id, {"finished": 0, "failed": 1, "interrupted": 2}[status], summary, note)


class ResumesWhatIsThere(Right):
    def run_started(self, run):
        if run.resume:
            self.runs[run.id].append("again")
        else:
            super().run_started(run)


class Lost(Right):
    def where(self, run_id):
        return {"run_id": run_id, "steps": len(self.runs.get(run_id, []))}


class DrawsOnThePicture(Right):
    def image(self, run_id, key, images_seen, image_CHW):
        image_CHW[:, 0] = 1
        super().image(run_id, key, images_seen, image_CHW)


class OpensAtOnce(Right):
    def __init__(self, options):
        super().__init__(options)
        Path("runs.jsonl").write_text("", encoding="utf-8")


class NoFolders(Right):
    def artifact(self, run_id, path):
        self.runs[run_id].append(path.read_bytes())


class HalfDone:
    def __init__(self, options):
        pass

    run_started = step = run_finished = lambda self, *told: None
    where = lambda self, run_id: {}  # noqa: E731


class Buffers(Right):
    """A tracker that writes the values of a run at its end."""

    def __init__(self, options):
        super().__init__(options)
        self.held = {}

    def step(self, run_id, images_seen, metrics):
        self.held.setdefault(run_id, []).append((images_seen, dict(metrics)))

    def run_finished(self, run_id, status, summary, note):
        self.runs[run_id] += self.held.pop(run_id, [])
        super().run_finished(run_id, status, summary, note)

    def pending(self, run_id):
        return self.held.get(run_id, [])


class NeverEmpty(Buffers):
    def run_finished(self, run_id, status, summary, note):
        self.runs[run_id] += self.held.get(run_id, [])


class MixesRuns(Buffers):
    def pending(self, run_id):
        return [values for held in self.held.values() for values in held]


class ForgetsTheSteps(Buffers):
    def pending(self, run_id):
        return [values for _, values in super().pending(run_id)]


@hookimpl
def texprior_events():
    classes = (
        *(Right, ChokesOnNan, Prints, OneRunAtATime, FinishedOnly, ResumesWhatIsThere),
        *(Lost, DrawsOnThePicture, OpensAtOnce, NoFolders, HalfDone),
        *(Buffers, NeverEmpty, MixesRuns, ForgetsTheSteps),
    )
    return [
        Events(name, f"{__name__}:{c.__name__}", Options, "Listens.", api=2, tracker=name in TRACKERS)
        for name, c in zip(CAUGHT_BY, classes, strict=True)
    ]
