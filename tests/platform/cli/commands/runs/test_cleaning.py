"""``texprior runs clean``, on real trainings and a real store."""

import hashlib

import pytest

from texprior.plugin import Ref
from texprior.registry import Registry
from texprior.track import RunInfo


def sha_of(file):
    return hashlib.sha256(file.read_bytes()).hexdigest()


def test_a_training_without_its_checkpoint_is_found_again(texprior, write, runs):
    file = write(training={"prior": {"budget": {"images": 16}, "batch": 8, "patch": 32}})
    prior = texprior("prior", file, "--json").json["prior"]
    weights, checkpoint = (runs / "tiny" / prior / f"{name}.safetensors" for name in ("prior", "checkpoint"))
    before, size = sha_of(weights), checkpoint.stat().st_size
    assert "it was changed lately" in texprior("runs", "clean").out
    shown = texprior("runs", "clean", "--older-than", "0")
    assert "would be removed" in shown.out
    assert "the training is finished" in shown.out
    assert checkpoint.is_file()
    assert "no folder is removed, because no store" in shown.err
    done = texprior("runs", "clean", "--older-than", "0", "--yes", "--json").json
    assert (done["removed"], done["bytes"], checkpoint.exists()) == ([str(checkpoint)], size, False)
    assert texprior("runs", "clean", "--older-than", "0").out == "nothing to remove\n"
    assert texprior("prior", file, "--json").json["prior"] == prior
    assert sha_of(weights) == before


@pytest.fixture
def stored(recorded, runs):
    """Two priors of the experiment ``study``, whose runs are recorded; the first one's is deleted."""
    observer = Registry.discover().build("events", Ref(name="mlflow", options={"tracking_uri": recorded.address}))
    made = []
    for name in ("prior-a1-16", "prior-b2-16"):
        (runs / "study" / name).mkdir(parents=True)
        (runs / "study" / name / "prior.safetensors").write_bytes(b"weights")
        observer.run_started(RunInfo(name, "study", name, "prior", tags={"texprior.stage": "prior"}))
        observer.run_finished(name, "finished", {}, "")
        made.append(observer.where(name)["run_id"])
    recorded.client.delete_run(made[0])
    yield runs / "study"
    recorded.client.delete_run(made[1])


def test_the_folder_of_a_deleted_run_goes(texprior, recorded, stored):
    arguments = ("runs", "clean", "--older-than", "0", "--store", recorded.address)
    answer = texprior(*arguments, "--json").json
    assert [one["path"] for one in answer["removable"]] == [str(stored / "prior-a1-16")]
    assert (answer["bytes"], answer["removed"]) == (7, [])
    assert (stored / "prior-a1-16").is_dir()
    assert "its run was deleted" in texprior(*arguments, "--yes").out
    assert [folder.name for folder in stored.iterdir()] == ["prior-b2-16"]


def test_a_store_that_is_named_must_be_there(texprior, runs):
    assert texprior("runs", "clean", "--store", f"sqlite:///{runs}/none.db").code == 2
