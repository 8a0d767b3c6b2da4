"""``texprior runs``: what a tracker could not record, from the training that met it to its sending."""

import pytest

TRACKER = '''
import json
import os
from pathlib import Path

from texprior.plugin import Events, hookimpl


@hookimpl
def texprior_events():
    return [Events("notes", "acme_notes:Notes", tags=("tracker",))]


class Notes:
    """Writes a line for each event; fails while its file is a folder."""

    def __init__(self, options):
        self.path = Path(os.environ["ACME_NOTES"])

    def write(self, *line):
        with self.path.open("a") as file:
            file.write(json.dumps(line, default=str) + "\\n")

    def run_started(self, run):
        self.write("run_started", run.id, run.stage)

    def step(self, run_id, images_seen, metrics):
        self.write("step", run_id, images_seen, sorted(metrics))

    def image(self, run_id, key, images_seen, image_CHW):
        self.write("image", run_id, key, images_seen, list(image_CHW.shape))

    def artifact(self, run_id, path):
        self.write("artifact", run_id, path.name)

    def run_finished(self, run_id, status, summary, note):
        self.write("run_finished", run_id, status, sorted(summary))

    def where(self, run_id):
        return {}
'''


@pytest.fixture
def notes(tmp_path, monkeypatch):
    (tmp_path / "acme_notes.py").write_text(TRACKER)
    monkeypatch.setenv("ACME_NOTES", str(tmp_path / "notes"))
    return tmp_path / "notes"


def test_what_a_failing_tracker_missed_of_a_training_is_sent_by_a_command(texprior, write, runs, notes, tmp_path):
    file, plugin = write(events=["notes"]), ("--plugin", tmp_path / "acme_notes.py")
    whole = texprior("prior", file, *plugin, "--set", "name=whole")
    assert whole.code == 0, whole.err
    expected = notes.read_text()
    notes.unlink()
    notes.mkdir()
    cut = texprior("prior", file, *plugin, "--set", "name=cut", "--fresh", "--json")
    assert cut.code == 0, cut.err
    (folder,) = (runs / "unsent").iterdir()
    assert "error: events component 'acme-notes/notes' failed in run_started and is left out from here on" in cut.err
    assert f"20 values, 1 file could not be recorded and are kept in {folder}; 'texprior runs resend {folder}'" in (
        cut.err
    )

    (listed,) = texprior("runs", "unsent", "--json").json
    doctor = texprior("doctor", "--json")
    assert (doctor.code, doctor.json["store"]["unsent"]) == (1, [str(folder)])
    assert f"({folder}); 'texprior runs resend' records them" in doctor.json["wrong"][0]
    assert listed["component"] == {"acme-notes/notes": {}}
    assert listed["events"] == len(expected.splitlines())
    again = texprior("runs", "resend")
    assert (again.code, again.out) == (1, "")
    assert f"error: {folder}: acme-notes/notes failed again: " in again.err
    notes.rmdir()
    sent = texprior("runs", "resend", folder, "--json")
    assert (sent.code, sent.json["failed"]) == (0, [])
    assert notes.read_text() == expected
    assert "nothing is unsent" in texprior("runs", "unsent").err
    assert "nothing is unsent" in texprior("runs", "resend").err


def test_a_folder_that_cannot_be_sent_keeps_no_other_from_it(texprior, write, runs, notes, tmp_path):
    other = tmp_path / "other_notes.py"
    other.write_text(TRACKER.replace("acme_notes", "other_notes"))
    file, plugin = write(events=["notes"]), ("--plugin", other)
    notes.mkdir()
    assert texprior("prior", file, *plugin).code == 0
    notes.rmdir()
    (good,) = (runs / "unsent").iterdir()
    empty, lost = runs / "unsent" / "0-empty", runs / "unsent" / "1-lost"
    for folder in (empty, lost):
        folder.mkdir()
    (empty / "events.jsonl").write_bytes(b"")
    (lost / "events.jsonl").write_text((good / "events.jsonl").read_text().replace("other_notes.py", "gone.py"))
    listed = texprior("runs", "unsent", "--json")
    assert [row["folder"] for row in listed.json] == [str(lost), str(good)]
    assert f"{empty}: this is not a folder of unsent events" in listed.err
    sent = texprior("runs", "resend", "--json")
    assert sent.code == 1
    assert [row["folder"] for row in sent.json["sent"]] == [str(good)]
    assert [problem.partition(": ")[0] for problem in sent.json["failed"]] == [str(empty), str(lost)]
    assert "there is no such file" in sent.json["failed"][1]


def test_a_folder_that_is_none_is_a_sentence(texprior, tmp_path, runs):
    answer = texprior("runs", "resend", tmp_path)
    assert (answer.code, answer.out) == (2, "")
    assert f"error: {tmp_path}: this is not a folder of unsent events" in answer.err
