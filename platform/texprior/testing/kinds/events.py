"""Checks the rules of observers.

It sends a script of events to the component and examines what the component did.
"""

from __future__ import annotations

import contextlib
import io
import os
import tempfile
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from texprior.testing.catalogue import check
from texprior.testing.material import photographs, same
from texprior.testing.outcomes import require
from texprior.testing.probe import PROBES, Probe, having
from texprior.testing.subject import Subject
from texprior.track import Observer, RunInfo, Status

METHODS = ("run_started", "step", "image", "artifact", "run_finished", "where")
ENDS: tuple[Status, ...] = ("finished", "failed", "pruned", "interrupted")


@contextlib.contextmanager
def empty_folder() -> Iterator[Path]:
    """Enters an empty folder and sets TEXPRIOR_RUNS to a folder in it.

    Both are undone at the end.
    """
    before = os.environ.get("TEXPRIOR_RUNS")
    with tempfile.TemporaryDirectory(prefix="texprior-conformance-", ignore_cleanup_errors=True) as name:
        os.environ["TEXPRIOR_RUNS"] = str(Path(name, "runs"))
        try:
            with contextlib.chdir(name):
                yield Path(name)
        finally:
            os.environ.pop("TEXPRIOR_RUNS")
            if before is not None:
                os.environ["TEXPRIOR_RUNS"] = before


PROBES["events"] = Probe(dict, lambda _component, _inputs: (), methods=having(*METHODS), around=empty_folder)


@dataclass
class Told:
    """What happened while the events were sent."""

    raised: dict[str, str] = field(default_factory=dict)
    """Part of the script -> the exception that was raised, and where."""
    printed: str = ""
    places: dict[str, Any] = field(default_factory=dict)
    """What ``where`` returned, by the moment of the call."""
    picture_kept: bool = True
    left: list[str] = field(default_factory=list)
    """Files that the construction left in the current folder."""


def told(subject: Subject) -> Told:
    """Sends all events to a new observer and returns what happened.

    This happens in an empty folder, once per subject.
    """
    if "told" not in subject.memory:
        with empty_folder() as folder, contextlib.redirect_stdout(io.StringIO()) as out:
            story = Told()
            observer = subject.registry.build("events", subject.ref())
            story.left = sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))
            # an error in one part must not hide the errors of the others: each has its own rule
            for chapter in (_a_run, _not_a_number, _a_run_in_a_run, _four_ends, _gone_on, _nobody_knows):
                try:
                    chapter(observer, folder, story)
                except Exception as error:
                    last = traceback.extract_tb(error.__traceback__)[-1]
                    place = f"{Path(last.filename).name}:{last.lineno}"
                    story.raised[chapter.__name__] = f"{type(error).__name__} at {place}: {error}"
            story.printed = out.getvalue()
            subject.memory["told"] = story
    story = subject.memory["told"]
    assert isinstance(story, Told)
    return story


def _start(observer: Observer, run_id: str, **more: Any) -> None:
    # parameters of several types, as a real run has them
    params = {"adapter.cga.width": 32, "training": {"lr": 1e-3, "steps": [1, 2]}, "nothing": None}
    observer.run_started(RunInfo(run_id, "conformance", f"run {run_id}", "adapter", params=params, **more))


def _a_run(observer: Observer, folder: Path, story: Told) -> None:
    _start(observer, "one", tags={"texprior.version": "1"})
    story.places["in a run"] = observer.where("one")
    observer.step("one", 16, {"loss": 0.5, "lr": 1e-3})
    observer.step("one", 32, {"loss": 0.25})
    picture = photographs(1, 24, 32)[0]
    before = picture.clone()
    observer.image("one", "val/restored 1", 32, picture)
    story.picture_kept = same(picture, before)
    (folder / "sheet.txt").write_text("a file", encoding="utf-8")
    (folder / "model").mkdir()
    (folder / "model" / "config.yaml").write_text("name: x\n", encoding="utf-8")
    observer.artifact("one", folder / "sheet.txt")
    observer.artifact("one", folder / "model")
    observer.run_finished("one", "finished", {"psnr_rgb": 30.5}, "A note in *Markdown*.")


def _not_a_number(observer: Observer, _folder: Path, _story: Told) -> None:
    _start(observer, "nan")
    observer.step("nan", 16, {"loss": float("nan"), "gradient": float("inf")})
    observer.run_finished("nan", "finished", {"loss": float("nan")}, "")


def _a_run_in_a_run(observer: Observer, _folder: Path, _story: Told) -> None:
    _start(observer, "above")
    _start(observer, "below", parent="above")
    observer.step("below", 8, {"loss": 1.0})
    observer.step("above", 8, {"trials": 1.0})
    observer.run_finished("below", "finished", {}, "")
    observer.run_finished("above", "finished", {}, "")


def _four_ends(observer: Observer, _folder: Path, _story: Told) -> None:
    for status in ENDS:
        _start(observer, f"end-{status}")
        observer.run_finished(f"end-{status}", status, {}, "the reason" if status == "failed" else "")


def _gone_on(observer: Observer, _folder: Path, _story: Told) -> None:
    # the first run with this id is unknown to the observer, the second is known
    _start(observer, "again", resume=True)
    observer.run_finished("again", "interrupted", {}, "")
    _start(observer, "again", resume=True)
    observer.step("again", 16, {"loss": 0.5})
    observer.run_finished("again", "finished", {}, "")


def _nobody_knows(observer: Observer, _folder: Path, story: Told) -> None:
    story.places["for an unknown run"] = observer.where("never started")


def _require_calm(subject: Subject, chapter: Callable[..., None]) -> None:
    raised = told(subject).raised.get(chapter.__name__)
    require(raised is None, f"it raises {raised}")


@check("events.run", "events")
def run(subject: Subject) -> None:
    """The observer accepts a whole run without an exception: start, steps, a picture, a file, a folder, the end.

    Fix: accept all calls that ``texprior.track.Observer`` lists, with parameters of any type and keys with spaces.
    """
    _require_calm(subject, _a_run)


@check("events.not-a-number", "events")
def not_a_number(subject: Subject) -> None:
    """The observer accepts values that are NaN or infinite, because a training that diverges must be visible.

    Fix: pass the values on; write them as text if the store cannot hold such numbers.
    """
    _require_calm(subject, _not_a_number)


@check("events.nested", "events")
def nested(subject: Subject) -> None:
    """The observer accepts nested runs, told apart by their ids. One run names the other as its ``parent``, and both
    are active at the same time.

    Fix: store the data of a run under its id; do not rely on a "current run".
    """
    _require_calm(subject, _a_run_in_a_run)


@check("events.ends", "events")
def run_ends(subject: Subject) -> None:
    """The observer accepts each of the four final statuses: finished, failed, pruned, interrupted.

    Fix: map every status to one that your store knows.
    """
    _require_calm(subject, _four_ends)


@check("events.resume", "events")
def resume(subject: Subject) -> None:
    """The observer accepts a resumed run (``resume``), whether it knows the run or not.

    Fix: look for the run by its id, and start a new one if there is none.
    """
    _require_calm(subject, _gone_on)


@check("events.where", "events")
def where(subject: Subject) -> None:
    """``where`` returns a mapping of text to text during a run, and does not raise for an unknown run.

    Fix: return ``{}`` if there is no place to name.
    """
    _require_calm(subject, _nobody_knows)
    for moment, place in told(subject).places.items():
        plain = isinstance(place, dict) and all(isinstance(part, str) for item in place.items() for part in item)
        require(plain, f"{moment} it returns {place!r}")


@check("events.quiet", "events")
def quiet(subject: Subject) -> None:
    """The observer prints nothing to stdout, because a command with ``--json`` prints its one document there.

    Fix: use ``logging`` or stderr.
    """
    printed = told(subject).printed
    require(not printed, f"it prints to stdout: {printed.strip().splitlines()[:1]}")


@check("events.picture", "events")
def picture(subject: Subject) -> None:
    """The observer does not change a picture that it receives.

    Fix: work on a copy (``image_CHW.detach().clone()``).
    """
    require(told(subject).picture_kept, "the picture has changed afterwards")


@check("events.inert", "events")
def inert(subject: Subject) -> None:
    """The construction of the observer leaves no file: it opens and creates nothing before the first run.

    Fix: connect and create files in ``run_started``.
    """
    left = told(subject).left
    require(not left, f"its construction leaves {', '.join(left[:3])}")
