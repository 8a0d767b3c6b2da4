"""What a tracker could not record is sent later, whole and once."""

import errno
import fcntl
import json
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
import torch

from texprior.errors import ConfigError
from texprior.track import RunInfo
from texprior.track.resend import read_unsent, resend_events, unsent_folders
from texprior.track.unsent import Unsent

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
        resend_events(kept, None)
    head |= {"host": "elsewhere.invalid"}
    (tmp_path / "events.jsonl").write_text(json.dumps(head) + "\n")
    with pytest.raises(ConfigError, match=r"cannot be seen from here; run this command on elsewhere\.invalid"):
        resend_events(read_unsent(tmp_path), None)
    (tmp_path / "writer.lock").touch()
    assert resend_events(read_unsent(tmp_path), None) == 0
    assert not tmp_path.exists()


WRITE = """
import json, sys
from pathlib import Path
from texprior.track import RunInfo
from texprior.track.unsent import Unsent
kept = Unsent(Path(sys.argv[1]) / "unsent", {"acme/tracker": {}})
kept.keep("run_started", RunInfo("r", "e", "r", "prior"))
# as it looks from another host, which cannot ask for this process
events = kept.folders[0] / "events.jsonl"
head, _, rest = events.read_text().partition("\\n")
events.write_text(json.dumps(json.loads(head) | {"host": "elsewhere.invalid"}) + "\\n" + rest)
print("written", flush=True)
sys.stdin.readline()
kept.keep("step", "r", 16, {"loss": 1.0})
print("written", flush=True)
sys.stdin.readline()
"""


def test_the_events_of_a_live_writer_stay_whatever_its_host(tmp_path, recorder, events):
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    writer = subprocess.Popen([sys.executable, "-c", WRITE, str(tmp_path)], **pipes)
    try:
        assert writer.stdout.readline() == "written\n"
        (folder,) = unsent_folders(tmp_path)
        read_early = read_unsent(folder)
        with pytest.raises(ConfigError, match=r"of elsewhere\.invalid still writes to this folder"):
            resend_events(read_early, recorder())
        writer.stdin.write("\n")
        writer.stdin.flush()
        assert writer.stdout.readline() == "written\n"
    finally:
        writer.kill()
        writer.communicate(timeout=60)
    later = recorder()
    assert resend_events(read_early, later) == 2  # also what was written after the folder was read
    assert events(later.calls) == [("run_started", "r"), ("step", "r")]
    assert not folder.exists()
    assert resend_events(read_early, recorder()) == 0  # a second sender that had read it too


def test_a_writer_whose_folder_was_sent_begins_another_one(tmp_path, recorder):
    kept = Unsent(tmp_path / "unsent", {"acme/tracker": {}})
    kept.keep("run_started", RunInfo("r", "e", "r", "prior"))
    (folder,) = unsent_folders(tmp_path)
    assert resend_events(read_unsent(folder), recorder()) == 1
    kept.keep("step", "r", 16, {"loss": 1.0})
    (another,) = unsent_folders(tmp_path)
    assert [line["event"] for line in read_unsent(another).lines] == ["run_started", "step"]


def test_without_locks_beside_the_runs_events_go_to_the_temporary_folder(tmp_path, monkeypatch):
    """The kernel here gives locks to every file system, so only its answer can be put in."""
    (tmp_path / "elsewhere").mkdir()
    flock = fcntl.flock

    def only_elsewhere(descriptor, operation):
        if "/runs/" in str(Path(f"/proc/self/fd/{descriptor}").readlink()):
            raise OSError(errno.ENOSYS, "Function not implemented")
        flock(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", only_elsewhere)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "elsewhere"))
    kept = Unsent(tmp_path / "runs" / "unsent", {"acme/tracker": {}})
    kept.keep("run_started", RunInfo("r", "e", "r", "prior"))
    assert [folder.parent for folder in kept.folders] == [tmp_path / "elsewhere" / "texprior-unsent"]
    assert kept.lost == ""
    assert unsent_folders(tmp_path / "runs") == []
