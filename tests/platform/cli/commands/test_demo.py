"""``texprior demo --quick``, with budgets that are smaller still: the whole line, said in words and as JSON."""

import re
from pathlib import Path

import pytest

from texprior import demo as demo_module

SMALLER = {
    "threads": "1",
    "encoder": "none",
    **{f"data.{split}": "{bundled: {max_side: 96}}" for split in ("train", "val", "test")},
    **{f"training.{stage}.budget.images": "16" for stage in ("prior", "predictor", "adapter")},
    **{f"training.{stage}.patch": "32" for stage in ("prior", "predictor", "adapter")},
    "sampling.steps": "1",
    "metrics": "[psnr]",
    "events": "[]",
    "evaluation.limit": "2",
    "sweep.metric": "psnr_rgb",
    "sweep.trials": "1",
}


@pytest.fixture(scope="module")
def smaller():
    return [option for path, value in SMALLER.items() for option in ("--set", f"{path}={value}")]


def test_the_demo_from_scratch_trains_sweeps_restores_and_measures(texprior, smaller, runs):
    told = texprior("demo", "--quick", "--from-scratch", *smaller)
    assert told.code == 0, told.err
    for method in ("degraded", "predictor", "restored 1 calls"):
        assert re.search(rf"^\W*{method}\b", told.out, re.MULTILINE)
    assert "psnr_rgb ↑" in told.out
    assert "Restored minus predictor" in told.out
    shown = dict(
        line.split(": ", 1) for line in told.out.splitlines() if re.match("(contact sheet|model|prior): ", line)
    )
    assert list(shown) == ["contact sheet", "model", "prior"]
    assert all(Path(path).exists() and Path(path).is_relative_to(runs) for path in shown.values())
    assert told.err.splitlines()[-1].startswith("see the runs with: ")

    again = texprior("demo", "--quick", "--from-scratch", *smaller, "--json")
    assert again.code == 0, again.err
    found = again.json
    assert (found["model"], found["prior"], found["pictures"]) == (
        shown["model"],
        shown["prior"],
        [shown["contact sheet"]],
    )
    assert (found["tracking_uri"], found["experiment"]) == ("", "demo-quick")  # without a tracker
    assert list(found["metrics"]) == ["degraded", "predictor", "restored 1 calls"]
    assert "is trained already" in again.err


def test_the_demo_starts_from_the_shipped_prior(texprior, runs):
    mine = {path: value for path, value in SMALLER.items() if not path.startswith(("encoder", "training.prior"))}
    answer = texprior("demo", "--quick", *(o for p, v in mine.items() for o in ("--set", f"{p}={v}")), "--json")
    assert answer.code == 0, answer.err
    assert answer.json["prior"] == str(demo_module.shipped_prior())
    assert Path(answer.json["model"]).is_relative_to(runs)
    assert list(answer.json["metrics"]) == ["degraded", "predictor", "restored 1 calls"]
    assert "Stage I: done already, by the prior of the shipped model 'defocus'" in answer.err
    assert not list(runs.rglob("prior.safetensors"))


def test_a_setting_that_is_the_shipped_prior_s_is_refused_before_anything_is_trained(texprior, runs):
    answer = texprior("demo", "--quick", "--set", "encoder=none")
    assert answer.code == 2
    assert 'encoder: the prior has "mobilenet_v2", the experiment "none"' in answer.err
    assert not list(runs.rglob("*.safetensors"))
