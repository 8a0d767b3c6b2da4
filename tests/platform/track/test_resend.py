"""What a tracker could not record is sent later, whole and once."""

import json
import socket

import pytest
import torch

from texprior.errors import ConfigError
from texprior.track import RunInfo
from texprior.track.resend import read_unsent, resend_events, unsent_folders

WHOLE = ["run_started", "step", "image", "artifact", "artifact", "step", "run_finished"]


@pytest.mark.parametrize("failing", WHOLE)
def test_what_a_tracker_could_not_record_is_kept_and_sent_whole(
    tmp_path, caplog, failing, recorder, tracker, record, events
):
    first = recorder(failing)
    told = tracker(first, tmp_path)
    record(told, tmp_path)
    (folder,) = unsent_folders(tmp_path)
    assert f"'texprior runs resend {folder}' records them" in caplog.records[-1].getMessage()
    kept = read_unsent(folder)
    assert (kept.component, kept.plugins) == ({"acme/tracker": {"option": 1}}, ["/idea.py"])
    later = recorder()
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


def test_a_sending_that_fails_goes_on_where_it_stopped(tmp_path, recorder, tracker, record, events):
    told = tracker(recorder("run_started"), tmp_path)
    with told.run(RunInfo("above", "e", "above", "sweep")):
        record(told, tmp_path, "a", parent="above")
        record(told, tmp_path, "b", parent="above")
    (folder,) = unsent_folders(tmp_path)
    first, second = recorder("image", after=8), recorder()
    with pytest.raises(OSError, match="full"):
        resend_events(read_unsent(folder), first)
    resend_events(read_unsent(folder), second)
    both = [e for e in events(first.calls) + events(second.calls) if e[0] != "run_started"]
    assert both == [(e, "a") for e in WHOLE[1:]] + [(e, "b") for e in WHOLE[1:]] + [("run_finished", "above")]
    started = [(c[1].id, c[1].resume) for c in second.calls if c[0] == "run_started"]
    assert started == [("above", True), ("b", True)]  # "a" has ended and is not opened again


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
