"""What a tracker could not record is written to a folder, or to another one, and counted in a sentence."""

import tempfile

from texprior.track.resend import read_unsent
from texprior.track.unsent import Unsent

WHOLE = ["run_started", "step", "image", "artifact", "artifact", "step", "run_finished"]


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


def test_the_sentence_counts_what_is_kept(tmp_path, caplog, recorder, tracker, record):
    record(tracker(recorder("run_started"), tmp_path), tmp_path)
    said = caplog.records[-1].getMessage()
    assert said.startswith(
        "events component 'acme/tracker' failed (OSError: the disk is full): "
        "3 values, 1 picture, 2 files could not be recorded and are kept in "
    )


def test_a_folder_that_cannot_be_written_is_replaced(tmp_path, monkeypatch, caplog, recorder, tracker, record):
    (tmp_path / "unsent").write_text("no folder")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "elsewhere"))
    (tmp_path / "elsewhere").mkdir()
    record(tracker(recorder("step"), tmp_path), tmp_path)
    (folder,) = (tmp_path / "elsewhere" / "texprior-unsent").iterdir()
    assert str(folder) in caplog.records[-1].getMessage()
    assert [line["event"] for line in read_unsent(folder).lines] == WHOLE


def test_what_can_be_kept_nowhere_is_said(tmp_path, monkeypatch, caplog, recorder, tracker, record):
    (tmp_path / "unsent").write_text("no folder")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "unsent"))
    record(tracker(recorder("step"), tmp_path), tmp_path)
    assert "some events could be neither recorded nor stored on disk: " in caplog.records[-1].getMessage()
