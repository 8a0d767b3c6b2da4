"""The mlflow events component on a real SQLite store, read back with MLflow's own client."""

import math
import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from texprior.plugin import Ref
from texprior.track import DataInput, RunInfo, Tracker


@pytest.fixture
def observer(registry, store):
    return registry.build("events", Ref(name="mlflow", options={"tracking_uri": store}))


@pytest.fixture
def client(store, observer):
    observer.run_started(RunInfo("warm-up", "warm-up", "warm-up", "prior"))
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=store)


def start(observer, run_id, **more):
    observer.run_started(RunInfo(run_id, "study", f"name of {run_id}", more.pop("stage", "prior"), **more))
    return observer.where(run_id)["run_id"]


def test_mlflow_is_not_imported_before_the_first_run():
    script = """
import sys
from texprior.plugin import Ref
from texprior.track import DataInput
from texprior.registry import Registry
import texprior_plugins.events as module
registry = Registry()
registry.register(module)
observer = registry.build("events", Ref(name="mlflow"))
assert observer.where("x") == {}
assert "mlflow" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=120)


def test_where_says_how_to_find_the_run(observer, store, client):
    start(observer, "where")
    place = observer.where("where")
    assert place["tracking_uri"] == store
    assert place["experiment"] == "study"
    run = client.get_run(place["run_id"])
    assert run.info.experiment_id == place["experiment_id"]
    assert client.get_experiment(place["experiment_id"]).name == "study"
    assert observer.where("another") == {}


def test_children_hang_below_their_parent_also_across_processes(observer, registry, store, client):
    above = start(observer, "above", stage="ablate")
    child = start(observer, "child", parent="above")
    other_process = registry.build("events", Ref(name="mlflow", options={"tracking_uri": store}))
    late = start(other_process, "late", parent="above")
    for mlflow_id, name in ((child, "child"), (late, "late")):
        run = client.get_run(mlflow_id)
        assert run.data.tags["mlflow.parentRunId"] == above
        assert run.info.run_name == f"name of {name}"
    assert "mlflow.parentRunId" not in client.get_run(above).data.tags
    with pytest.raises(Exception, match="its parent 'nobody' is not in experiment 'study'"):
        start(observer, "orphan", parent="nobody")


def test_a_run_that_goes_on_below_another_one_hangs_there(observer, client):
    first, second = start(observer, "first"), start(observer, "second")
    child = start(observer, "moved", parent="first", resume=True)
    assert client.get_run(child).data.tags["mlflow.parentRunId"] == first
    assert start(observer, "moved", parent="second", resume=True) == child
    assert client.get_run(child).data.tags["mlflow.parentRunId"] == second


def test_names_of_one_key_are_kept_apart(observer, client):
    params = {"ablation": {"arms": {"a>1": 1, "a<1": 2, "导向滤波": 3, "双边滤波": 4}}}
    mlflow_id = start(observer, "keys", params=params)
    assert client.get_run(mlflow_id).data.params == {
        "ablation.arms.a_1": "1",
        "ablation.arms.a_1_2": "2",
        "ablation.arms.导向滤波": "3",
        "ablation.arms.双边滤波": "4",
    }


def test_params_are_flat_dotted_and_cut(observer, client):
    many = {f"p{i}": i for i in range(150)}
    nested = {"adapter": {"cga": {"width": 32, "bias": True}}, "metrics": [{"psnr": {}}], "stages": [1, 2]}
    params = {**many, **nested, "none": None, "text": "x" * 7000, "a+b": 0.5}
    mlflow_id = start(observer, "params", params=params, tags={"prior": "abc"})
    data = client.get_run(mlflow_id).data
    expected = {f"p{i}": str(i) for i in range(150)}
    expected |= {"adapter.cga.width": "32", "adapter.cga.bias": "true", "metrics.0.psnr": "{}", "stages": "[1, 2]"}
    expected |= {"none": "null", "text": "x" * 5997 + "...", "a_b": "0.5"}
    assert data.params == expected
    assert data.tags["prior"] == "abc"
    assert data.tags["texprior.run_id"] == "params"
    assert data.tags["texprior.stage"] == "prior"
    assert data.tags["texprior.status"] == "running"


def test_the_citations_of_what_is_used_are_a_file_of_the_run(observer, client, tmp_path):
    mlflow_id = start(observer, "cites", citations="@misc{a}\n\n@misc{b}")
    kept = Path(client.download_artifacts(mlflow_id, "citations.bib", str(tmp_path)))
    assert kept.read_text() == "@misc{a}\n\n@misc{b}"


def test_steps_are_buffered_and_all_written_at_the_end(observer, client):
    mlflow_id = start(observer, "steps")
    for images in range(0, 24000, 16):
        observer.step("steps", images, {"loss": images / 2, "train/psnr": -images})
    observer.step("steps", 24000, {"loss": math.nan})
    assert len(observer._runs["steps"].pending) > 0
    observer.run_finished("steps", "finished", {"val/lpips": 0.25}, "")
    loss = client.get_metric_history(mlflow_id, "loss")
    assert sorted(m.step for m in loss) == [*range(0, 24000, 16), 24000]
    assert {m.step: m.value for m in loss if m.step < 24000} == {i: i / 2 for i in range(0, 24000, 16)}
    assert math.isnan(client.get_run(mlflow_id).data.metrics["loss"])
    (summary,) = client.get_metric_history(mlflow_id, "val/lpips")
    assert (summary.value, summary.step) == (0.25, 24000)


def test_values_are_written_when_their_time_has_come(registry, store, client):
    options = {"tracking_uri": store, "flush_every_s": 1e-6}
    eager = registry.build("events", Ref(name="mlflow", options=options))
    mlflow_id = start(eager, "eager")
    eager.step("eager", 16, {"loss": 1.0})
    assert client.get_run(mlflow_id).data.metrics == {"loss": 1.0}


def test_a_picture_comes_back_level_for_level(observer, client, tmp_path):
    mlflow_id = start(observer, "picture")
    levels = torch.arange(3 * 4 * 6).reshape(3, 4, 6) * 3
    picture = (levels / 255).requires_grad_()
    observer.image("picture", "val/restored: é", 1600, picture)
    observer.image("picture", "val/restored: é", 3200, picture + 2)
    names = [f.path for f in client.list_artifacts(mlflow_id, "images")]
    assert sum("+step+1600+" in n for n in names) == sum("+step+3200+" in n for n in names) == 2
    (png,) = [n for n in names if n.endswith(".png") and "+step+1600+" in n]
    assert png.startswith("images/val~restored_ _+step")
    saved = np.asarray(Image.open(client.download_artifacts(mlflow_id, png, str(tmp_path))))
    assert np.array_equal(saved, levels.permute(1, 2, 0).numpy())


def test_artifacts_are_files_and_folders(observer, client, tmp_path, store):
    mlflow_id = start(observer, "files")
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.yaml").write_text("name: x")
    observer.artifact("files", folder)
    observer.artifact("files", folder / "config.yaml")
    assert [f.path for f in client.list_artifacts(mlflow_id)] == ["config.yaml", "model"]
    assert [f.path for f in client.list_artifacts(mlflow_id, "model")] == ["model/config.yaml"]
    beside = Path(store.removeprefix("sqlite:///")).parent / "artifacts"
    assert (beside / mlflow_id / "artifacts" / "model" / "config.yaml").read_text() == "name: x"


@pytest.mark.parametrize(
    ("status", "shown"),
    [("finished", "FINISHED"), ("failed", "FAILED"), ("pruned", "KILLED"), ("interrupted", "KILLED")],
)
def test_the_status_and_the_note(observer, client, status, shown):
    mlflow_id = start(observer, f"ends-{status}")
    observer.run_finished(f"ends-{status}", status, {}, "**why**")
    run = client.get_run(mlflow_id)
    assert run.info.status == shown
    assert run.info.end_time >= run.info.start_time
    assert run.data.tags["texprior.status"] == status
    assert run.data.tags["mlflow.note.content"] == "**why**"


def test_a_long_note_is_cut_and_kept_whole_beside(observer, client, tmp_path):
    mlflow_id = start(observer, "long")
    observer.run_finished("long", "failed", {}, "n" * 9000)
    assert len(client.get_run(mlflow_id).data.tags["mlflow.note.content"]) == 8000
    assert Path(client.download_artifacts(mlflow_id, "note.md", str(tmp_path))).read_text() == "n" * 9000


def test_the_users_own_note_and_tags_are_there_from_the_start_and_stay(registry, store, client):
    """A killed run has no end; a start without a note keeps that of the one before, and one with a note replaces it."""

    def go_on(**more):
        fresh = registry.build("events", Ref(name="mlflow", options={"tracking_uri": store}))
        mlflow_id = start(fresh, "labelled", resume=True, **more)
        return fresh, lambda: client.get_run(mlflow_id).data.tags

    _, tags = go_on(labels={"paper": "1", "a": "b"}, note="mine")
    assert (tags()["paper"], tags()["mlflow.note.content"]) == ("1", "mine")
    second, tags = go_on(labels={"paper": "2"})
    assert (tags()["paper"], tags()["a"], tags()["mlflow.note.content"]) == ("2", "b", "mine")
    second.run_finished("labelled", "interrupted", {}, "Ctrl-C")
    assert tags()["mlflow.note.content"] == "mine\n\nCtrl-C"
    third, tags = go_on(note="other")
    assert tags()["mlflow.note.content"] == "other"
    # the platform begins the description with the note
    third.run_finished("labelled", "finished", {}, "other\n\ndone")
    assert tags()["mlflow.note.content"] == "other\n\ndone"


def test_an_interrupted_run_is_continued_and_a_finished_one_is_not(registry, store, client):
    def again(resume):
        fresh = registry.build("events", Ref(name="mlflow", options={"tracking_uri": store}))
        return fresh, start(fresh, "resumed", params={"lr": 0.1 if resume else 0.2}, resume=resume)

    first, mlflow_id = again(resume=False)
    first.step("resumed", 16, {"loss": 2.0})
    first.run_finished("resumed", "interrupted", {}, "Ctrl-C")
    second, same = again(resume=True)
    assert same == mlflow_id
    run = client.get_run(mlflow_id)
    assert (run.info.status, run.data.tags["texprior.status"]) == ("RUNNING", "running")
    assert run.data.params == {"lr": "0.2"}
    second.step("resumed", 32, {"loss": 1.0})
    second.run_finished("resumed", "finished", {}, "")
    assert [m.step for m in client.get_metric_history(mlflow_id, "loss")] == [16, 32]
    assert client.get_run(mlflow_id).info.status == "FINISHED"
    assert (
        start(
            registry.build("events", Ref(name="mlflow", options={"tracking_uri": store})),
            "resumed",
            resume=True,
            reopen=True,
        )
        == mlflow_id
    )
    client.set_terminated(mlflow_id)
    _, another = again(resume=True)
    assert another != mlflow_id
    _, fresh = again(resume=False)
    assert fresh not in (mlflow_id, another)


def test_a_deleted_experiment_is_restored(observer, client):
    observer.run_started(RunInfo("a", "bin", "a", "prior"))
    client.delete_experiment(observer.where("a")["experiment_id"])
    observer.run_started(RunInfo("b", "bin", "b", "prior"))
    assert client.get_experiment_by_name("bin").lifecycle_stage == "active"


@pytest.mark.parametrize(
    "proxies", [{}, {"NO_PROXY": "localhost"}, {"http_proxy": "http://x:1", "no_proxy": "127.0.0.1"}]
)
def test_a_server_that_is_not_there_is_said_at_once(registry, monkeypatch, proxies):
    """Also where the environment names proxies that are not on the way to the server."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    for name, value in proxies.items():
        monkeypatch.setenv(name, value)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        uri = f"http://127.0.0.1:{free.getsockname()[1]}"
        tracker = Tracker({"mlflow": registry.build("events", Ref(name="mlflow", options={"tracking_uri": uri}))})
        with tracker.run(RunInfo("x", "study", "x", "prior")) as run:
            run.step(16, loss=1.0)
    assert list(tracker.broken) == ["mlflow"]
    assert "cannot be reached" in tracker.broken["mlflow"]


def test_the_embedded_store_is_made_in_silence(tmp_path):
    script = """
from texprior.plugin import Ref
from texprior.track import DataInput
from texprior.registry import Registry
from texprior.track import RunInfo
import texprior_plugins.events as module
registry = Registry()
registry.register(module)
observer = registry.build("events", Ref(name="mlflow"))
observer.run_started(RunInfo("x", "study", "x", "prior"))
observer.run_finished("x", "finished", {"a": 1.0}, "note")
"""
    unset = ("MLFLOW_TRACKING_URI", "MLFLOW_LOGGING_LEVEL", "TEXPRIOR_RUNS")
    environment = {k: v for k, v in os.environ.items() if k not in unset}
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert [p.name for p in tmp_path.iterdir()] == ["texprior-runs"]
    assert (tmp_path / "texprior-runs" / "mlflow.db").is_file()


def test_the_pictures_of_a_run_are_its_inputs(observer, client):
    seen = (
        DataInput("training", "bundled train", "0123456789", '{"bundled": {}}', 9),
        DataInput("evaluation", "bundled val", "9876543210", '{"bundled": {}}', 2),
    )
    run = client.get_run(start(observer, "inputs", data=seen, tags={"texprior.commit": "abc+"}))
    found = {i.dataset.name: (i.dataset.digest, i.tags[0].value) for i in run.inputs.dataset_inputs}
    assert found == {
        "bundled train": ("0123456789", "training"),
        "bundled val": ("9876543210", "evaluation"),
    }
    assert run.data.tags["mlflow.source.git.commit"] == "abc"


def test_a_trained_folder_is_a_logged_model_without_its_checkpoint(observer, client, tmp_path):
    folder = tmp_path / "model-0a-64"
    folder.mkdir()
    for name in ("config.yaml", "README.md", "adapter.safetensors", "checkpoint.safetensors"):
        (folder / name).write_text(name)
    mlflow_id = start(observer, "trained", stage="adapter")
    observer.step("trained", 64, {"loss": 1.0})
    observer.artifact("trained", folder)
    (output,) = client.get_run(mlflow_id).outputs.model_outputs
    model = client.get_logged_model(output.model_id)
    assert (model.name, model.source_run_id, output.step) == ("model-0a-64", mlflow_id, 64)
    assert str(model.status).endswith("READY")
    stored = Path(model.artifact_location.removeprefix("file://"))
    assert sorted(p.name for p in stored.iterdir()) == ["README.md", "adapter.safetensors", "config.yaml"]
