"""``texprior runs tag``, ``note`` and ``delete``."""

import io

import pytest


@pytest.fixture
def fresh(recorded):
    """A run of this test's own, with a run below it."""
    experiment = recorded.client.get_experiment_by_name("other").experiment_id
    run = recorded.client.create_run(experiment, run_name="fresh", tags={"texprior.stage": "evaluation"})
    below = recorded.client.create_run(experiment, run_name="below", tags={"mlflow.parentRunId": run.info.run_id})
    yield run.info.run_id
    for made in (run, below):
        recorded.client.delete_run(made.info.run_id)


def test_tags_are_set_found_and_removed(ask, recorded, fresh):
    assert ask("tag", fresh, "paper=figure 3", "a=b=c", "--json").json["tags"] == {"paper": "figure 3", "a": "b=c"}
    (found,) = ask("list", "--tag", "paper=figure 3", "--json").json
    assert (found["id"], found["tags"]) == (fresh, {"paper": "figure 3", "a": "b=c"})
    assert ask("tag", fresh, "a=", "--json").json["tags"] == {"paper": "figure 3"}
    assert "a" not in recorded.client.get_run(fresh).data.tags


@pytest.mark.parametrize("tag", ["texprior.run_id=x", "mlflow.user=x", "x", "=y"])
def test_a_tag_by_which_runs_are_found_is_not_overwritten(ask, recorded, fresh, tag):
    before = recorded.client.get_run(fresh).data.tags
    assert ask("tag", fresh, tag).code == 2
    assert recorded.client.get_run(fresh).data.tags == before


def test_a_note_is_added_to_what_is_there(ask, recorded, fresh):
    ask("note", fresh, "one")
    assert ask("note", fresh, "two *words*", "--json").json["note"] == "one\n\ntwo *words*"
    assert recorded.client.get_run(fresh).data.tags["mlflow.note.content"] == "one\n\ntwo *words*"
    assert "has room for" in ask("note", fresh, "x" * 8000).err


def test_nothing_is_deleted_unasked(ask, recorded, fresh):
    answer = ask("delete", fresh)
    assert (answer.code, answer.out) == (2, "")
    assert "nothing was deleted; --yes deletes 1 run" in answer.err
    assert recorded.client.get_run(fresh).info.lifecycle_stage == "active"


class Keyboard(io.StringIO):
    def isatty(self):
        return True


def test_who_is_asked_may_say_no(ask, recorded, fresh, monkeypatch):
    monkeypatch.setattr("sys.stdin", Keyboard("n\n"))
    answer = ask("delete", fresh)
    assert (answer.code, answer.out) == (0, "")
    assert f"Delete 1 run from {recorded.address}?" in answer.err
    assert answer.err.endswith("nothing was deleted\n")
    assert recorded.client.get_run(fresh).info.lifecycle_stage == "active"
    monkeypatch.setattr("sys.stdin", Keyboard("y\n"))
    assert "deleted 1 run" in ask("delete", fresh).out
    assert recorded.client.get_run(fresh).info.lifecycle_stage == "deleted"


def test_deleted_runs_leave_the_list_and_can_come_back(ask, recorded, fresh, tmp_path):
    model = tmp_path / "empty" / "other" / "fresh" / "adapter.safetensors"
    model.parent.mkdir(parents=True)
    model.write_text("weights")
    answer = ask("delete", fresh, "--yes", "--json")
    assert answer.json == {"schema_version": 1, "deleted": [fresh]}
    assert f"{fresh[:8]} evaluation 'fresh', other, running" in answer.err
    assert "it may still be running; 1 run below it stay" in answer.err
    assert recorded.client.get_run(fresh).info.lifecycle_stage == "deleted"
    assert fresh not in [row["id"] for row in ask("list", "--json").json]
    assert model.read_text() == "weights"
    recorded.client.restore_run(fresh)
    assert fresh in [row["id"] for row in ask("list", "--json").json]
