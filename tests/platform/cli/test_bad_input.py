"""Bad input: each a sentence that names the place, with the right exit code, never a traceback."""

import shutil

import pytest
from PIL import Image


@pytest.mark.parametrize(
    ("change", "fragment"),
    [
        ({"denoizer": "unet"}, "denoizer: unknown key; did you mean 'denoiser'?"),
        ({"sampling": {"stepz": 3}}, "sampling.stepz: unknown key; did you mean 'steps'?"),
        ({"seed": "many"}, "seed: input should be a valid integer"),
        ({"training": {"prior": {"budget": {"images": 0}}}}, "training.prior.budget.images: input should be greater"),
        ({"training": {"prior": {"batch": 8, "microbatch": 3}}}, "microbatch 3 does not divide batch 8"),
        ({"sampling": {"sigma_min": 3.0, "sigma_max": 2.0}}, "sigma_min 3.0 must be smaller than sigma_max 2.0"),
        ({"adapter": "cgaa"}, "adapter: there is no adapter 'cgaa'; did you mean 'cga'?"),
        ({"adapter": {"cga": {"wide": 3}}}, "adapter.cga.wide: unknown key"),
        ({"adapter": {"cga": {"width": "wide"}}}, "adapter.cga.width: input should be a valid integer"),
        ({"adapter": {"cga": {}, "sft": {}}}, "adapter: expected a component's name"),
        ({"metrics": ["psnrr"]}, "metrics.0: there is no metric 'psnrr'; did you mean 'psnr'?"),
        ({"requires_plugins": ["acme-rain>=0.1"]}, "plugin 'acme-rain' is not loaded; pip install 'acme-rain>=0.1'"),
        ({"sweep": {"space": {"adapter.cga.kernel": [2]}}}, "sweep.space.adapter.cga.kernel"),
        ({"device": "cuda:99"}, "device: cuda:99 is not there"),
        ({"extends": "elsewhere.yaml"}, "elsewhere.yaml: there is no such experiment file"),
        ({"name": "a/b"}, "name: write letters, digits"),
    ],
)
def test_a_wrong_experiment(texprior, write, runs, change, fragment):
    file = write(**change)
    answer = texprior("prior", file)
    assert (answer.code, answer.out) == (2, "")
    assert fragment in answer.err
    assert str(file.parent) in answer.err or "device" in change
    assert not runs.exists()


@pytest.mark.parametrize(
    ("text", "fragment"),
    [
        ("name: [", "line 1"),
        ("- 1\n- 2\n", "an experiment is a mapping"),
        ("seed: 1\n", "name: this key is required"),
        ("name: a\nseed: 1\nseed: 2\n", "experiment.yaml:3: seed: this key was already given at"),
        ("name: a\nseed: !!python/object/apply:os.mkdir [made]\n", "could not determine a constructor"),
        ("\x00", "special characters are not allowed"),
        (b"\xff\xfe\x00", "cannot be read"),
    ],
)
def test_a_file_that_is_no_experiment(texprior, tmp_path, monkeypatch, text, fragment):
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "experiment.yaml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    answer = texprior("prior", file)
    assert (answer.code, answer.out) == (2, "")
    assert fragment in answer.err
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize(
    ("options", "fragment"),
    [
        (["--set", "seed"], "--set seed: expected PATH=VALUE"),
        (["--set", "sede=1"], "--set sede=1: sede: unknown key; did you mean 'seed'?"),
        (["--set", "seed=[1"], "the value is not valid YAML"),
        (["--plugin", "nowhere.py"], "plugin file nowhere.py: there is no such file"),
        (["--device", "tpu"], "device: write auto, cpu, mps, cuda or cuda:N"),
    ],
)
def test_wrong_options(texprior, write, runs, options, fragment):
    answer = texprior("prior", write(), *options)
    assert (answer.code, answer.out) == (2, "")
    assert fragment in answer.err


def test_a_missing_experiment(texprior, tmp_path):
    for command in (["prior"], ["adapt"], ["sweep"], ["evaluate", "--model", tmp_path]):
        answer = texprior(*command[:1], tmp_path / "none.yaml", *command[1:])
        assert (answer.code, answer.out) == (2, "")
        assert "none.yaml: there is no such experiment file" in answer.err


def folder_of(path):
    return {"data": {"train": {"folder": {"path": str(path)}}}}


@pytest.mark.parametrize(
    ("made", "fragment"), [(False, "there is no such folder"), (True, "there is no picture in it")]
)
def test_a_missing_and_an_empty_training_folder(texprior, write, runs, tmp_path, made, fragment):
    folder = tmp_path / "photographs"
    if made:
        folder.mkdir()
    for options in ([], ["--dry-run"]):
        answer = texprior("prior", write(**folder_of(folder)), *options)
        assert (answer.code, answer.out) == (2, "")
        assert str(folder) in answer.err
        assert fragment in answer.err


def test_broken_and_small_pictures_among_good_ones_are_named_and_the_rest_trains(
    texprior, write, runs, pictures, tmp_path
):
    folder = tmp_path / "photographs"
    shutil.copytree(pictures / "train", folder)
    (folder / "broken.png").write_bytes(b"no picture")
    Image.new("RGB", (31, 60)).save(folder / "small.png")
    answer = texprior("prior", write(**folder_of(folder)), "--json")
    assert answer.code == 1
    assert set(answer.json["broken"]) == {"broken.png", "small.png"}
    assert "broken.png: this is not a picture that can be read" in answer.err
    assert "small.png: 31x60 px is smaller than the training patch of 32 px" in answer.err
    from pathlib import Path

    assert (Path(answer.json["prior"]) / "prior.safetensors").is_file()


def test_a_folder_of_pictures_that_are_all_too_small(texprior, write, runs, tmp_path):
    folder = tmp_path / "photographs"
    folder.mkdir()
    Image.new("RGB", (31, 60)).save(folder / "small.png")
    answer = texprior("prior", write(**folder_of(folder)))
    assert (answer.code, answer.out) == (1, "")
    assert "none of the training photographs can be read" in answer.err
    assert "small.png: 31x60 px" in answer.err


def test_a_sweep_by_a_metric_that_is_not_measured(texprior, in_study):
    answer = texprior("sweep", in_study.file, "--set", "sweep.metric=psnr_rbg")
    assert (answer.code, answer.out) == (2, "")
    assert "sweep.metric: the experiment does not measure 'psnr_rbg'; did you mean 'psnr_rgb'?" in answer.err


def test_a_sweep_in_a_storage_that_is_none(texprior, in_study):
    answer = texprior("sweep", in_study.file, "--storage", "nonsense://")
    assert (answer.code, answer.out) == (2, "")
    assert "Optuna's storage nonsense:// cannot be used" in answer.err


@pytest.mark.parametrize(
    ("options", "fragment"),
    [
        (["--model", "nowhere"], "model nowhere: there is no such folder"),
        (["--model", "PRIOR"], "this is no model folder, or it is not finished"),
        (["--model", "MODEL", "--prior", "nowhere"], "prior nowhere: there is no such folder"),
        (["--model", "MODEL", "--steps", "none"], "sampling.steps: input should be a valid integer"),
        (["--model", "MODEL", "--texture-strength", "3"], "sampling.texture_strength: input should be less"),
        (["--model", "MODEL", "--tile", "100"], "sampling.tile: input should be a multiple of 16"),
        (["--model", "MODEL", "--set", "seed=3"], "only sampling.* and threads can be set"),
    ],
)
def test_wrong_restoration(texprior, in_study, pictures, tmp_path, options, fragment):
    named = {"MODEL": in_study.model, "PRIOR": in_study.prior.json["prior"]}
    out = tmp_path / "out"
    answer = texprior("restore", pictures / "val", "-o", out, *(named.get(o, o) for o in options))
    assert (answer.code, answer.out) == (2, "")
    assert fragment in answer.err
    assert not out.exists()


def test_a_model_refuses_another_prior(texprior, in_study, tmp_path, pictures):
    other = texprior("prior", in_study.file, "--set", "seed=1", "--set", "events=[]", "--json").json["prior"]
    answer = texprior("restore", pictures / "val", "--model", in_study.model, "--prior", other, "-o", tmp_path / "out")
    assert (answer.code, answer.out) == (2, "")
    assert "it was trained on the prior with sha256" in answer.err


@pytest.mark.parametrize(
    "command", [["restore", "--model", "MODEL"], ["decompose", "--with", "guided"], ["degrade", "--with", "rain"]]
)
def test_pictures_and_folders_that_cannot_be_used(texprior, in_study, pictures, tmp_path, command):
    name, *options = [in_study.model if part == "MODEL" else part for part in command]
    empty = tmp_path / "empty"
    empty.mkdir()
    for image, fragment in ((tmp_path / "none.png", "there is no such file or folder"), (empty, "there is no picture")):
        answer = texprior(name, image, *options, "-o", tmp_path / "out")
        assert (answer.code, answer.out) == (2, "")
        assert f"{image}: {fragment}" in answer.err
    file = tmp_path / "file"
    file.write_text("x", encoding="utf-8")
    answer = texprior(name, pictures / "val", *options, "-o", file)
    assert (answer.code, answer.out) == (2, "")
    assert f"-o {file}: this cannot be a folder for results" in answer.err


@pytest.mark.parametrize("command", ["prior", "adapt", "sweep"])
def test_a_runs_folder_that_cannot_be_written_is_refused_before_training(
    texprior, write, runs, tmp_path, monkeypatch, command
):
    file = tmp_path / "file"
    file.write_text("x", encoding="utf-8")
    monkeypatch.setenv("TEXPRIOR_RUNS", str(file))
    answer = texprior(command, write())
    assert (answer.code, answer.out) == (2, "")
    assert f"{file} cannot be written; name another folder in TEXPRIOR_RUNS" in answer.err
