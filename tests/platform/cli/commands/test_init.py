"""``texprior init`` writes an experiment that the other commands take; ``adapt --train-prior`` trains all of it."""

from pathlib import Path

import pytest
import yaml

from texprior import config
from texprior.registry import Registry


def test_init_writes_a_file_says_what_it_takes_and_never_writes_over_it(texprior, pictures, runs, tmp_path):
    file, base = tmp_path / "new" / "mine.yaml", tmp_path / "base.yaml"
    small = {"width": 8, "levels": 1, "blocks": 1}
    small = {"encoder": "none", "denoiser": {"unet": {**small, "heads": 1}}, "predictor": {"unet": small}, "threads": 1}
    base.write_text(yaml.safe_dump({**small, "adapter": {"cga": {"width": 8}}, "events": []}))
    options = ["--extends", base, "--clean", pictures, "--task", "{defocus: {radius: 3}}", "-o", file, "--images", 32]
    answer = texprior("init", *options, "--json")
    assert answer.code == 0, answer.err
    found = answer.json
    # the folder has train, val and test: they are the splits
    assert found["splits"] == {"train": 3, "val": 2, "test": 1}
    assert found["pictures"]["clean"]["sizes"] == [[120, 100], [120, 100]]
    assert [(row["stage"], row["budget_images"]) for row in found["stages"]] == [
        ("prior", 32), ("predictor", 32), ("adapter", 32)
    ]  # fmt: skip
    assert found["next"][0] == f"texprior adapt {file} --train-prior"
    experiment = config.load(file, Registry.discover())
    assert (experiment.name, experiment.degradation.options["radius"]) == ("mine", 3)
    assert experiment.denoiser.options["width"] == 8  # of the base
    assert not runs.exists() or not list(runs.glob("mine/*"))
    before = file.read_bytes()
    again = texprior("init", *options)
    assert (again.code, file.read_bytes()) == (2, before)
    assert "is not overwritten" in again.err


@pytest.mark.parametrize(("options", "said"), [
    ([], "name a folder of pictures"),
    (["--clean", "nowhere"], "nowhere: there is no such folder"),
    (["--clean", "nowhere", "--task", "rian"], "'rain'"),
    (["--clean", "nowhere", "--extends", "base.yaml"], "base.yaml"),
    (["--clean", "nowhere", "--own-prior", "--extends", "base.yaml"], "leave one of the two out"),
    (["--clean", "nowhere", "-o", "mine.json"], "an experiment is a .yaml file"),
])  # fmt: skip
def test_bad_input_is_a_sentence_and_nothing_is_written(texprior, tmp_path, monkeypatch, options, said):
    monkeypatch.chdir(tmp_path)
    answer = texprior("init", *options)
    assert answer.code == 2
    assert said in answer.err
    assert list(tmp_path.iterdir()) == []


def test_a_file_on_the_shipped_prior_is_trained_and_restores(texprior, pictures, runs, tmp_path):
    file = tmp_path / "mine.yaml"
    answer = texprior("init", "--clean", pictures, "-o", file, "--images", 8, "--json")
    assert answer.code == 0, answer.err
    # no prior is to be trained
    assert answer.json["next"][0] == f"texprior adapt {file}"
    assert [row["stage"] for row in answer.json["stages"]] == ["predictor", "adapter"]
    small = ["--set", "predictor={unet: {width: 8, levels: 1, blocks: 1}}", "--set", "training.adapter.batch=2"]
    done = texprior("adapt", file, *small, "--set", "threads=1", "--set", "events=[]", "--json")
    assert done.code == 0, done.err
    assert Path(done.json["prior"]).parent.name == "shipped"
    restored = texprior("restore", pictures / "test", "--model", done.json["model"], "-o", tmp_path / "out")
    assert restored.code == 0, restored.err
    assert sorted(path.name for path in (tmp_path / "out").glob("*.png")) == ["flower.png"]


def test_adapt_trains_a_missing_prior_if_it_is_told_to(texprior, write, runs):
    few = {stage: {"budget": {"images": 8}, "batch": 8, "patch": 32} for stage in ("prior", "predictor", "adapter")}
    file = write(training=few)
    missing = texprior("adapt", file)
    assert missing.code == 2
    assert "add --train-prior" in missing.err
    dry = texprior("adapt", file, "--train-prior", "--dry-run", "--json").json
    assert [one["state"] for one in dry["trainings"]] == ["trained here"] * 3
    assert [row["stage"] for row in dry["stages"]] == ["prior", "predictor", "adapter"]
    done = texprior("adapt", file, "--train-prior", "--json")
    assert done.code == 0, done.err
    assert (Path(done.json["prior"]) / "prior.safetensors").is_file()
    # the second time it is found, and so it is without the option
    again = texprior("adapt", file, "--json")
    assert again.json == done.json
    assert yaml.safe_load((Path(done.json["model"]) / "config.yaml").read_text())["prior"] is None
