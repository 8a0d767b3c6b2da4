"""What of stored trainings can go, and what refers to it."""

import json
import os
import time

import pytest
import torch

from texprior.locks import take_lock
from texprior.runtime.identity import start_digest
from texprior.store import save_tensors, sha256
from texprior.training.folders import CHECKPOINT
from texprior.training.leftovers import KnownRuns, find_leftovers, remove_leftover

DAY_S = 86400
WEIGHTS = {"prior": "prior.safetensors", "predictor": "predictor.safetensors", "model": "adapter.safetensors"}


@pytest.fixture
def train(tmp_path):
    """Stores a training of last week: weights, unless it is not finished, and its checkpoint."""

    def train(name, seed=0.0, about=None, finished=True):
        folder = tmp_path / name
        if finished:
            file = folder / WEIGHTS[folder.name.partition("-")[0]]
            save_tensors(file, {"x": torch.full((1,), seed)}, {"images_seen": 16, **(about or {})})
        save_tensors(folder / CHECKPOINT, {"x": torch.full((9,), seed)}, {"images_seen": 16})
        return aged(folder)

    return train


def aged(folder):
    week_ago = time.time() - 7 * DAY_S
    for path in folder.iterdir():
        os.utime(path, (week_ago, week_ago))
    return folder


def removable(root, *deleted, **known):
    runs = KnownRuns(deleted={tuple(name.split("/")) for name in deleted}, **known)
    return [one.path.relative_to(root).as_posix() for one in find_leftovers(root, runs, DAY_S).removable]


def reasons(root, *deleted, **known):
    runs = KnownRuns(deleted={tuple(name.split("/")) for name in deleted}, **known)
    return {one.path.relative_to(root).as_posix(): one.why for one in find_leftovers(root, runs, DAY_S).kept}


PRIOR, OTHER, MODEL = "a/prior-0a-16", "a/predictor-0b-16", "a/model-0c-16"


def test_a_checkpoint_goes_if_its_training_is_finished(train, tmp_path):
    train(PRIOR)
    train(OTHER, finished=False)
    train(MODEL, about={"stopped_after_s": 5})
    assert removable(tmp_path) == [f"{PRIOR}/{CHECKPOINT}"]
    assert "is not finished" in reasons(tmp_path)[f"{OTHER}/{CHECKPOINT}"]
    assert "a limit in seconds ended" in reasons(tmp_path)[f"{MODEL}/{CHECKPOINT}"]


def test_what_changed_lately_stays(train, tmp_path):
    (train(PRIOR) / "README.md").write_text("changed")
    assert removable(tmp_path, PRIOR) == []
    assert set(reasons(tmp_path, PRIOR).values()) == {"it was changed lately"}


@pytest.mark.parametrize("lock", ["prior-0a-16", "prior-0a-99", "a-cell-77", "sweep-a-77-psnr"])
def test_what_runs_now_stays(train, tmp_path, lock):
    """The training itself, one that continues it, or a cell or sweep of its experiment."""
    train(PRIOR)
    held = take_lock(tmp_path / ".locks" / f"{lock}.lock")
    assert removable(tmp_path, PRIOR) == []
    held.release()
    assert removable(tmp_path) == [f"{PRIOR}/{CHECKPOINT}"]


def test_a_checkpoint_that_begins_a_training_after_the_search_stays(train, tmp_path):
    """The lock is taken before anything is removed, so what is decided holds."""
    folder = train(PRIOR)
    (one,) = find_leftovers(tmp_path, KnownRuns(), DAY_S).removable
    held = take_lock(tmp_path / ".locks" / "prior-0a-16.lock")
    assert remove_leftover(tmp_path, one) == "a training of it runs now"
    held.release()
    assert (folder / CHECKPOINT).is_file()
    assert remove_leftover(tmp_path, one) == ""
    assert sorted(path.name for path in folder.iterdir()) == ["prior.safetensors"]


def test_a_checkpoint_from_which_another_training_starts_stays(train, tmp_path):
    """The digest of a start counts the checkpoint, so without it stored work would be trained again."""
    train(PRIOR)
    train("a/prior-0d-16", about={"start_from": start_digest(str(tmp_path / PRIOR))})
    assert f"{PRIOR}/{CHECKPOINT}" not in removable(tmp_path)
    # of a training that is not finished only the settings are known
    train("b/prior-0e-16")
    (tmp_path / "b" / "cell-1").mkdir()
    (tmp_path / "b" / "cell-1" / "config.yaml").write_text(
        "training: {prior: {}}\n    start_from: runs/b/prior-0e-16\n"
    )
    assert "start_from" in reasons(tmp_path)[f"b/prior-0e-16/{CHECKPOINT}"]
    train("c/prior-0f-16")
    assert f"c/prior-0f-16/{CHECKPOINT}" not in removable(tmp_path, starts={"prior-0f-16"})


def test_a_folder_goes_only_if_its_run_was_deleted(train, tmp_path):
    folder = train(PRIOR)
    assert removable(tmp_path, "b/prior-0a-16") == [f"{PRIOR}/{CHECKPOINT}"]
    assert removable(tmp_path, PRIOR) == [PRIOR]
    (one,) = find_leftovers(tmp_path, KnownRuns(deleted={("a", "prior-0a-16")}), DAY_S).removable
    assert one.bytes == sum(file.stat().st_size for file in folder.iterdir())
    assert remove_leftover(tmp_path, one) == ""
    assert not folder.exists()


def test_a_prior_and_a_predictor_of_a_stored_model_stay(train, tmp_path):
    """They are known by their content, in whatever experiment the model is."""
    prior, predictor = train(PRIOR), train(OTHER, seed=2.0)
    model = train("b/model-0c-16", about={"prior_sha256": sha256(prior / WEIGHTS["prior"])})
    (model / WEIGHTS["predictor"]).write_bytes((predictor / WEIGHTS["predictor"]).read_bytes())
    aged(model)
    assert removable(tmp_path, PRIOR, OTHER) == [f"{f}/{CHECKPOINT}" for f in (OTHER, PRIOR, "b/model-0c-16")]
    assert {reasons(tmp_path, PRIOR, OTHER)[f] for f in (PRIOR, OTHER)} == {"a stored model was trained on it"}
    assert removable(tmp_path, PRIOR, OTHER, "b/model-0c-16")[-1] == "b/model-0c-16"


@pytest.mark.parametrize("study", ["sweep-a-77", "ablation-77", "cell-77", "alone-77"])
def test_nothing_goes_that_a_study_may_need(train, tmp_path, study):
    train(MODEL)
    (tmp_path / "a" / study).mkdir()
    assert removable(tmp_path, MODEL) == [f"{MODEL}/{CHECKPOINT}"]
    assert "is stored beside it" in reasons(tmp_path, MODEL)[MODEL]


def test_nothing_goes_that_something_names(train, tmp_path):
    train(PRIOR)
    (tmp_path / "b" / "cell-1").mkdir(parents=True)
    record = tmp_path / "b" / "cell-1" / "cell.json"
    record.write_text(json.dumps({"prior": "runs/a/prior-0a-16"}))
    assert reasons(tmp_path, PRIOR)[PRIOR] == "b/cell-1/cell.json names it"
    record.unlink()
    assert reasons(tmp_path, PRIOR, named={"prior-0a-16"})[PRIOR] == "a recorded run names it"


def test_no_folder_goes_while_anything_runs(train, tmp_path):
    """A sweep of another experiment may just have been given this prior."""
    train(PRIOR)
    held = take_lock(tmp_path / ".locks" / "model-99-16.lock")
    assert removable(tmp_path, PRIOR) == [f"{PRIOR}/{CHECKPOINT}"]
    held.release()


def test_links_and_other_folders_are_not_looked_at(train, tmp_path):
    outside = train("elsewhere-root/prior-0a-16")
    (tmp_path / "root" / "a").mkdir(parents=True)
    (tmp_path / "root" / "a" / "prior-0a-16").symlink_to(outside)
    (tmp_path / "root" / "b").symlink_to(outside.parent)
    train("root/c/prior-by-hand")
    assert removable(tmp_path / "root") == []
