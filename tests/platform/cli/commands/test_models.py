"""``texprior models``: a trained model is exported, shown, restored with and evaluated; shipped ones by task."""

import csv
import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from texprior import store


@pytest.fixture(scope="module")
def made(texprior, study, tmp_path_factory):
    """The tiny study's model, evaluated with its own settings and exported: the folder, and what the command said."""
    root = tmp_path_factory.mktemp("models")
    shutil.copytree(study.model, root / "model")
    shutil.copytree(study.prior.json["prior"], root / "prior")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TEXPRIOR_RUNS", str(root / "runs"))
        judging = ["evaluate", study.file, "--model", root / "model", "--split", "val", "--set", "events=[]"]
        answer = texprior(*judging)
        assert answer.code == 0, answer.err
        answer = texprior("models", "export", root / "model", "-o", root / "out", "--dataset", "three crops", "--json")
        assert answer.code == 0, answer.err
    return root / "out", answer.json


@pytest.fixture
def exported(made, tmp_path):
    """A copy of the exported model, alone."""
    return Path(shutil.copytree(made[0], tmp_path / "out"))


@pytest.fixture
def shipped_root(monkeypatch, tmp_path):
    """The folder of the shipped models, with a task ``blur`` whose files are no weights yet."""
    root = tmp_path / "shipped"
    (root / "blur").mkdir(parents=True)
    (root / "blur" / "adapter.safetensors").write_bytes(b"x")
    (root / "blur" / "SHA256SUMS").write_text(f"{'0' * 64}  adapter.safetensors\n")
    monkeypatch.setattr(store, "shipped_root", lambda: root)
    return root


def test_an_export_says_what_it_is(made):
    folder, (said,) = made
    assert (said["folder"], said["licence"], said["datasets"]) == (str(folder), "other", ["three crops"])
    assert said["scored_on"] == "evaluation-val, 2 pictures"
    assert 10 < said["metrics"]["psnr_rgb"] < 40
    assert said["bytes"] == sum(p.stat().st_size for p in folder.rglob("*") if p.is_file())


def test_it_restores_on_a_machine_with_nothing_else(texprior, exported, in_study, pictures, tmp_path, monkeypatch):
    picture = pictures / "val" / "chelsea.png"
    assert texprior("restore", picture, "--model", in_study.model, "-o", tmp_path / "before").code == 0
    monkeypatch.setenv("TEXPRIOR_RUNS", str(tmp_path / "none"))
    answer = texprior("restore", picture, "--model", exported, "-o", tmp_path / "after")
    assert answer.code == 0, answer.err
    before, after = (np.asarray(Image.open(tmp_path / d / "chelsea.png")).astype(int) for d in ("before", "after"))
    assert np.abs(before - after).max() <= 1  # of 255
    assert np.mean(before != after) < 0.02


def test_an_export_can_sample_otherwise_than_the_trained_model(texprior, made, tmp_path):
    for part in ("model", "prior"):
        shutil.copytree(made[0].parent / part, tmp_path / part)
    model = tmp_path / "model"
    told = yaml.safe_load((model / "config.yaml").read_text()) | {"prior": str(tmp_path / "prior")}
    (model / "config.yaml").write_text(yaml.safe_dump(told))
    answer = texprior("models", "export", model, "-o", tmp_path / "out", "--set", "sampling.texture_strength=0.5")
    assert (answer.code, answer.out) == (2, "")
    assert "no row has the model's steps and texture strength" in answer.err  # its evaluation has w 1 alone
    with (model / "evaluation-val" / "scores.csv").open(newline="") as stored:
        header, *rows = list(csv.reader(stored))
    method, strength = header.index("method"), header.index("texture_strength")
    for row in rows:
        row[strength] = "0.5" if row[method].startswith("restored") else row[strength]
    with (tmp_path / "half.csv").open("w", newline="") as half:
        csv.writer(half).writerows([header, *rows])
    chosen = [
        "--scores",
        tmp_path / "half.csv",
        "--set",
        "sampling.texture_strength=0.5",
        "--set",
        "sampling.features_mb=128",
    ]
    answer = texprior("models", "export", model, "-o", tmp_path / "out", *chosen, "--set", "sampling.tile=128")
    assert (answer.code, answer.out) == (2, "")
    assert "not sampled as the exported model does it (sampling.tile)" in answer.err  # which changes the pictures
    answer = texprior("models", "export", model, "-o", tmp_path / "out", *chosen)
    assert answer.code == 0, answer.err
    trained, exported = (yaml.safe_load((f / "config.yaml").read_text()) for f in (model, tmp_path / "out"))
    assert exported["sampling"] == trained["sampling"] | {"texture_strength": 0.5, "features_mb": 128}
    assert exported["prior"] is None  # a folder of this machine
    assert "restored 2 calls" in (tmp_path / "out" / "README.md").read_text()


def test_show_prints_the_card_and_checks_the_files(texprior, exported):
    answer = texprior("models", "show", exported)
    assert answer.code == 0, answer.err
    assert "# tiny: a restoration model" in answer.out
    assert answer.out.endswith("the files are those of the export\n")
    (exported / "prior" / "config.yaml").write_text("name: other\n")
    answer = texprior("models", "show", exported, "--json")
    assert answer.code == 1
    assert answer.json["changed"] == [str(exported / "prior" / "config.yaml")]


@pytest.mark.parametrize(
    "edited", ["model-index:", "model-index: [{name: a}]", "model-index: [{name: a, results: [{}]}]"]
)
def test_an_edited_card_is_shown(texprior, exported, edited):
    (exported / "README.md").write_text(f"---\nlicense: mit\n{edited}\n---\n# Mine\n")
    answer = texprior("models", "show", exported, "--json")
    # the card is not that of the export, which is said and is an exit code of its own
    assert (answer.code, answer.json["changed"]) == (1, [str(exported / "README.md")])
    assert (answer.json["licence"], answer.json["metrics"]) == ("mit", {})


def test_show_of_a_prior_is_the_prior_s_card(texprior, exported):
    answer = texprior("models", "show", exported / "prior")
    assert answer.code == 0, answer.err
    assert "a texture prior" in answer.out
    assert answer.out.endswith(f"folder: {exported / 'prior'}\nthe files are those of the export\n")


def test_an_evaluation_leaves_an_exported_model_as_it_is(texprior, exported, in_study):
    before = {p: p.read_bytes() for p in exported.rglob("*") if p.is_file()}
    judging = ["--model", exported, "--split", "val", "--set", "events=[]", "--json"]
    answer = texprior("evaluate", in_study.file, *judging)
    assert answer.code == 0, answer.err
    assert {p: p.read_bytes() for p in exported.rglob("*") if p.is_file()} == before
    assert answer.json["scores"].startswith(str(in_study.runs))


def test_a_task_is_found_by_its_name(texprior, exported, shipped_root, pictures, tmp_path, monkeypatch):
    blur = shipped_root / "blur"
    shutil.copytree(exported, blur, dirs_exist_ok=True)
    (row,) = texprior("models", "list", "--json").json
    assert (row["task"], row["folder"]) == ("blur", str(blur))
    assert "blur" in texprior("models", "list").out
    assert texprior("models", "path", "blur").out == f"{blur}\n"
    assert texprior("models", "path", "blur", "--prior").out == f"{blur / 'prior'}\n"
    assert "# tiny: a restoration model" in texprior("models", "show", "blur").out
    monkeypatch.chdir(tmp_path)
    answer = texprior("restore", pictures / "val" / "chelsea.png", "--task", "blur")
    assert answer.code == 0, answer.err
    assert Image.open("restored/chelsea.png").size == (120, 100)


@pytest.mark.parametrize(
    ("arguments", "fragment"),
    [
        (["restore", "a.png", "--task", "fog"], "ships no model for the task 'fog'; the tasks are: blur"),
        (["restore", "a.png"], "name the model by one of --model FOLDER and --task NAME; the tasks are: blur"),
        (["restore", "a.png", "--task", "blur", "--model", "m"], "name the model by one of"),
        (["models", "path", "fog"], "the tasks are: blur"),
        (["models", "show", "."], "this is no exported model; 'texprior models export' makes one"),
        (["models", "export", "none", "-o", "x"], "model none: there is no such folder"),
        (["models", "export", "a", "b", "--task", "x", "-o", "x"], "--task was given 1 times for 2 models"),
        (["models", "export", "a", "--set", "adapter=sft", "-o", "x"], "--set adapter=sft: a trained model cannot be"),
        (["models", "export", "a", "--scores", "x", "--scores", "y", "-o", "x"], "--scores was given 2 times for 1"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_done(
    texprior, shipped_root, tmp_path, monkeypatch, arguments, fragment
):
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    answer = texprior(*arguments)
    assert (answer.code, answer.out) == (2, "")
    assert fragment in answer.err
    assert list((tmp_path / "empty").iterdir()) == []
