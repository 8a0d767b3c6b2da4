"""Observers that fail while a run is going on: the run goes on, and they are left out or tried again."""

import math

from texprior.track import RunInfo, Tracker
from texprior.track.resend import read_unsent, resend_events, unsent_folders

WHOLE = ["run_started", "step", "image", "artifact", "artifact", "step", "run_finished"]


def test_an_observer_that_is_no_tracker_is_named_and_left_out(tmp_path, caplog, recorder, record, events):
    bad, good = recorder("step"), recorder()
    told = Tracker({"acme/bad": bad, "acme/good": good})
    record(told, tmp_path)
    record(told, tmp_path, "s")
    assert [e for e, _ in events(good.calls)] == WHOLE * 2
    assert [e for e, _ in events(bad.calls)] == ["run_started"]
    assert told.broken == {"acme/bad": "OSError: the disk is full"}
    (said,) = [r.getMessage() for r in caplog.records]
    assert said == "events component 'acme/bad' failed in step and is left out from here on: the disk is full"


def test_values_that_a_tracker_held_back_are_kept_once(tmp_path, buffering, tracker, record):
    for failing in ("image", "step"):
        observer = buffering(failing)
        record(tracker(observer, tmp_path / failing), tmp_path)
        (folder,) = unsent_folders(tmp_path / failing)
        steps = [
            (line["images_seen"], line["metrics"]) for line in read_unsent(folder).lines if line["event"] == "step"
        ]
        assert steps[0] == (16, {"loss": 2.0, "lr": 0.5})
        assert [images for images, _ in steps] == [16, 32]
        assert math.isnan(steps[1][1]["loss"])


def test_a_tracker_is_tried_again_when_the_next_run_starts(tmp_path, recorder, tracker, record, events):
    observer = recorder("step")
    told = tracker(observer, tmp_path)
    with told.run(RunInfo("above", "e", "above", "sweep")) as above:
        above.step(1, x=1.0)
        observer.fails.clear()
        record(told, tmp_path, "below", parent="above")
        above.step(2, x=2.0)
    assert [e for e, run in events(observer.calls) if run == "below"] == WHOLE
    assert [e for e, run in events(observer.calls) if run == "above"] == ["run_started"]
    (folder,) = unsent_folders(tmp_path)
    later = recorder()
    resend_events(read_unsent(folder), later)
    assert [c[2] for c in later.calls if c[0] == "step"] == [1, 2]
