"""The key ``prior`` of an experiment: adapt, sweep and ablate work on a trained prior, as with --prior."""

import json
from pathlib import Path

import pytest
import yaml

ARMS = {"arms": {"cga": {}, "sft": {"adapter": "sft"}}, "seeds": [0], "metric": "psnr_rgb", "predictor_alone": False}


@pytest.fixture
def on(in_study, tmp_path):
    """on(PRIOR, **more): a file of the tiny study without Stage I, on a trained prior."""

    def on(prior, **more):
        described = yaml.safe_load(in_study.file.read_text(encoding="utf-8"))
        for path in ("encoder", "denoiser"):
            del described[path]
        del described["training"]["prior"]
        file = tmp_path / "on.yaml"
        file.write_text(yaml.safe_dump({**described, "prior": str(prior), **more}), encoding="utf-8")
        return file

    return on


def test_adapt_finds_the_model_that_the_option_trained(texprior, in_study, on):
    folder = in_study.prior.json["prior"]
    keyed = texprior("adapt", on(folder), "--json")
    assert keyed.json["model"] == str(in_study.model), keyed.err
    assert keyed.json["prior"] == folder
    # a model stands for its prior, and the option wins over the key
    for answer in (
        texprior("adapt", on(in_study.model), "--json"),
        texprior("adapt", on("nowhere"), "--prior", folder, "--json"),
    ):
        assert answer.json == keyed.json, answer.err


@pytest.mark.parametrize("command", ["adapt", "sweep", "ablate"])
def test_a_dry_run_reuses_it_and_refuses_what_it_does_not_have(texprior, in_study, on, command):
    folder = in_study.prior.json["prior"]
    dry = texprior(command, on(folder, ablation=ARMS), "--dry-run", "--json")
    assert dry.code == 0, dry.err
    assert [one["folder"] for one in dry.json["trainings"] if one["stage"] == "prior"] in ([folder], [])
    assert [one["state"] for one in dry.json["trainings"] if one["stage"] == "prior"] in (["reused"], [])
    assert "prior" not in [row["stage"] for row in dry.json["stages"]]
    stated = texprior(command, on(folder, ablation=ARMS, decomposition="l0"), "--dry-run")
    assert stated.code == 2
    assert 'decomposition: the prior has "guided", the experiment "l0"' in stated.err


def test_an_arm_that_differs_from_its_prior_is_named(texprior, in_study, on):
    arms = {**ARMS, "arms": {"cga": {}, "l0": {"decomposition": "l0"}}}
    answer = texprior("ablate", on(in_study.prior.json["prior"], ablation=arms), "--dry-run")
    assert answer.code == 2
    assert "arm 'l0': this setting differs from those of the prior" in answer.err
    assert "nothing was started" in answer.err


def test_an_ablation_trains_its_arms_on_it_and_no_prior(texprior, in_study, on):
    folder = Path(in_study.prior.json["prior"])
    before = set(in_study.runs.glob("*/prior-*"))
    answer = texprior("ablate", on(folder, ablation=ARMS), "--json")
    assert answer.code == 0, answer.err
    assert set(in_study.runs.glob("*/prior-*")) == before
    assert {cell["status"] for cell in answer.json["cells"]} == {"finished"}
    cells = [Path(cell["folder"]) for cell in answer.json["cells"]]
    assert [json.loads((cell / "cell.json").read_text())["images"]["prior"] for cell in cells] == [64, 64]
    # with the option the cells are the same, and nothing is done again
    again = texprior("ablate", on("nowhere", ablation=ARMS), "--prior", in_study.model, "--json")
    assert [cell["folder"] for cell in again.json["cells"]] == [str(cell) for cell in cells]


def test_there_is_no_prior_to_train(texprior, in_study, on):
    for options in ([], ["--dry-run"]):
        answer = texprior("prior", on(in_study.prior.json["prior"]), *options)
        assert answer.code == 2
        assert "so there is none to train" in answer.err


def test_another_prior_than_that_of_a_sampled_model_is_refused(texprior, in_study, on, tmp_path):
    sampled = {"model": str(in_study.model), "grid": {"sampling.steps": [1, 2]}, "seeds": [0], "metric": "psnr_rgb"}
    other = tmp_path / "other"
    other.mkdir()
    for name in ("config.yaml", "prior.safetensors"):
        (other / name).write_bytes((Path(in_study.prior.json["prior"]) / name).read_bytes() + b" ")
    answer = texprior("ablate", on(other, ablation=sampled), "--dry-run")
    assert answer.code == 2
    assert "was trained on another prior" in answer.err
