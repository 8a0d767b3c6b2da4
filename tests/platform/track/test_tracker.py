"""Observers that fail while a run is going on: the run goes on, and a tracker's events are kept and sent later."""

import json
import math
import socket
import tempfile

import pytest
import torch

from texprior.errors import ConfigError
from texprior.track import RunInfo, Tracker
from texprior.track.resend import read_unsent, resend_events, unsent_folders
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


def tracker(observer, root, name="acme/tracker"):
    return Tracker({name: observer}, {name: Unsent(root / "unsent", {name: {"option": 1}}, ["/idea.py"])})


def test_a_folder_whose_beginning_cannot_be_written_is_not_left(tmp_path, monkeypatch):
    """A disk that is full: what was kept below the temporary folder can be sent, and nothing else lies about."""
    from texprior.track import unsent

    append = unsent._append

    def full(path, line):
        if tmp_path / "runs" in path.parents:
            path.touch()
            raise OSError("no space left on device")
        append(path, line)

    monkeypatch.setattr(unsent, "_append", full)
    monkeypatch.setattr(unsent.tempfile, "gettempdir", lambda: str(tmp_path / "elsewhere"))
    kept = Unsent(tmp_path / "runs" / "unsent", {"acme/tracker": {}})
    kept.keep("step", "r", 16, {"loss": 1.0})
    assert list((tmp_path / "runs" / "unsent").iterdir()) == []
    assert [folder.parent for folder in kept.folders] == [tmp_path / "elsewhere" / "texprior-unsent"]


def record(told, tmp_path, run_id="r", **more):
    """A whole run: two steps, a picture, a file, a folder."""
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


def events(calls):
    return [(c[0], c[1].id if c[0] == "run_started" else c[1]) for c in calls]


WHOLE = ["run_started", "step", "image", "artifact", "artifact", "step", "run_finished"]


def test_an_observer_that_is_no_tracker_is_named_and_left_out(tmp_path, caplog):
    bad, good = Recorder("step"), Recorder()
    told = Tracker({"acme/bad": bad, "acme/good": good})
    record(told, tmp_path)
    record(told, tmp_path, "s")
    assert [e for e, _ in events(good.calls)] == WHOLE * 2
    assert [e for e, _ in events(bad.calls)] == ["run_started"]
    assert told.broken == {"acme/bad": "OSError: the disk is full"}
    (said,) = [r.getMessage() for r in caplog.records]
    assert said == "events component 'acme/bad' failed in step and is left out from here on: the disk is full"


@pytest.mark.parametrize("failing", WHOLE)
def test_what_a_tracker_could_not_record_is_kept_and_sent_whole(tmp_path, caplog, failing):
    first = Recorder(failing)
    told = tracker(first, tmp_path)
    record(told, tmp_path)
    (folder,) = unsent_folders(tmp_path)
    assert f"'texprior runs resend {folder}' records them" in caplog.records[-1].getMessage()
    kept = read_unsent(folder)
    assert (kept.component, kept.plugins) == ({"acme/tracker": {"option": 1}}, ["/idea.py"])
    later = Recorder()
    (tmp_path / "made-r" / "scores.csv").unlink()  # the copy is what is sent
    seen = {}
    for line in kept.lines:
        if line["event"] == "artifact":
            path = folder / line["file"]
            seen[path.name] = (path if path.is_file() else path / "scores.csv").read_text()
    assert resend_events(kept, later) == len(kept.lines)
    recorded = [e for e in events(first.calls) if e[0] != "run_started"] + events(later.calls)[1:]
    assert [e for e, _ in recorded] == WHOLE[1:]
    run = later.calls[0][1]
    assert run.resume == (failing != "run_started")
    assert (run.params, run.name) == ({"lr": 0.1}, "name of r")
    assert set(seen) <= {"made-r", "scores.csv"}
    assert set(seen.values()) <= {"a,b\n"}
    for call in later.calls:
        if call[0] == "image":
            assert call[1:4] == ("r", "sheet", 16)
            assert call[4].equal(torch.full((3, 2, 2), 0.25))
        if call[0] == "run_finished":
            assert call[1:] == ("r", "finished", {"best": 1.0}, "note")
    assert not folder.exists()


def test_the_sentence_counts_what_is_kept(tmp_path, caplog):
    record(tracker(Recorder("run_started"), tmp_path), tmp_path)
    said = caplog.records[-1].getMessage()
    assert said.startswith(
        "events component 'acme/tracker' failed (OSError: the disk is full): "
        "3 values, 1 picture, 2 files could not be recorded and are kept in "
    )


def test_values_that_a_tracker_held_back_are_kept_once(tmp_path):
    for failing in ("image", "step"):
        observer = Buffering(failing)
        record(tracker(observer, tmp_path / failing), tmp_path)
        (folder,) = unsent_folders(tmp_path / failing)
        steps = [
            (line["images_seen"], line["metrics"]) for line in read_unsent(folder).lines if line["event"] == "step"
        ]
        assert steps[0] == (16, {"loss": 2.0, "lr": 0.5})
        assert [images for images, _ in steps] == [16, 32]
        assert math.isnan(steps[1][1]["loss"])


def test_a_tracker_is_tried_again_when_the_next_run_starts(tmp_path):
    observer = Recorder("step")
    told = tracker(observer, tmp_path)
    with told.run(RunInfo("above", "e", "above", "sweep")) as above:
        above.step(1, x=1.0)
        observer.fails.clear()
        record(told, tmp_path, "below", parent="above")
        above.step(2, x=2.0)
    assert [e for e, run in events(observer.calls) if run == "below"] == WHOLE
    assert [e for e, run in events(observer.calls) if run == "above"] == ["run_started"]
    (folder,) = unsent_folders(tmp_path)
    later = Recorder()
    resend_events(read_unsent(folder), later)
    assert [c[2] for c in later.calls if c[0] == "step"] == [1, 2]


def test_a_sending_that_fails_goes_on_where_it_stopped(tmp_path):
    told = tracker(Recorder("run_started"), tmp_path)
    with told.run(RunInfo("above", "e", "above", "sweep")):
        record(told, tmp_path, "a", parent="above")
        record(told, tmp_path, "b", parent="above")
    (folder,) = unsent_folders(tmp_path)
    first, second = Recorder("image", after=8), Recorder()
    with pytest.raises(OSError, match="full"):
        resend_events(read_unsent(folder), first)
    resend_events(read_unsent(folder), second)
    both = [e for e in events(first.calls) + events(second.calls) if e[0] != "run_started"]
    assert both == [(e, "a") for e in WHOLE[1:]] + [(e, "b") for e in WHOLE[1:]] + [("run_finished", "above")]
    started = [(c[1].id, c[1].resume) for c in second.calls if c[0] == "run_started"]
    assert started == [("above", True), ("b", True)]  # "a" has ended and is not opened again


def test_a_folder_that_cannot_be_written_is_replaced(tmp_path, monkeypatch, caplog):
    (tmp_path / "unsent").write_text("no folder")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "elsewhere"))
    (tmp_path / "elsewhere").mkdir()
    record(tracker(Recorder("step"), tmp_path), tmp_path)
    (folder,) = (tmp_path / "elsewhere" / "texprior-unsent").iterdir()
    assert str(folder) in caplog.records[-1].getMessage()
    assert [line["event"] for line in read_unsent(folder).lines] == WHOLE


def test_what_can_be_kept_nowhere_is_said(tmp_path, monkeypatch, caplog):
    (tmp_path / "unsent").write_text("no folder")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "unsent"))
    record(tracker(Recorder("step"), tmp_path), tmp_path)
    assert "some events could be neither recorded nor stored on disk: " in caplog.records[-1].getMessage()


def test_folders_that_are_none_and_folders_in_use_are_refused(tmp_path):
    with pytest.raises(ConfigError, match="this is not a folder of unsent events"):
        read_unsent(tmp_path)
    (tmp_path / "events.jsonl").write_text('{"event": "step"}\n')
    with pytest.raises(ConfigError, match="does not name its tracker"):
        read_unsent(tmp_path)
    head = {"component": {"mlflow": {}}, "plugins": [], "host": socket.gethostname(), "pid": 1}
    (tmp_path / "events.jsonl").write_text(json.dumps(head) + '\n{"event": "st')
    kept = read_unsent(tmp_path)
    assert kept.lines == []
    with pytest.raises(ConfigError, match="process 1 is still writing to this folder; wait until it ends"):
        kept.require_idle()
