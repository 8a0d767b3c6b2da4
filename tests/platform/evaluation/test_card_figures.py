"""The figures of a card are those of the model's own steps and strength, whatever else was scored."""

import json

import pytest
import torch
import yaml

from texprior import config
from texprior.errors import ConfigError
from texprior.evaluation.about import ABOUT, about_evaluation
from texprior.evaluation.card_figures import figures_of, own_figures
from texprior.evaluation.scores import Score, Scores
from texprior.models.export import sampling_with
from texprior.registry import Registry

ROWS = {
    "degraded": (0, 0.0, 20.0),
    "predictor": (0, 0.0, 25.0),
    "restored 2 calls w 1": (2, 1.0, 26.0),
    "restored 4 calls w 0.5": (4, 0.5, 27.0),
    "control: adapter off 4 calls": (4, 1.0, 21.0),
    "restored 4 calls w 1": (4, 1.0, 28.0),
    "restored 4 calls w chosen": (4, 1.0, 29.0),
}


@pytest.fixture(scope="module")
def registry():
    return Registry.discover()


@pytest.fixture
def model(tmp_path, registry):
    experiment = config.resolve({"name": "x", "sampling": {"steps": 4, "sampler": "ddim"}}, registry)
    (tmp_path / "config.yaml").write_text(experiment.to_yaml())
    return tmp_path


def write(path, rows):
    scores = [
        Score(method, picture, "psnr_rgb", value + (picture == "b"), calls, w)
        for method, (calls, w, value) in rows.items()
        for picture in "ab"
    ]
    Scores(tuple(scores), {"psnr_rgb": "higher"}).write(path)
    return path


def test_the_row_is_the_model_s_own(model, registry, tmp_path):
    figures = figures_of(write(tmp_path / "evaluation-val" / "scores.csv", ROWS), model, registry)
    assert (figures.data, figures.row, figures.pictures) == ("evaluation-val", "restored 4 calls w 1", 2)
    assert figures.means == {"psnr_rgb": 28.5}
    assert "| predictor | 25.5" in figures.table
    assert "w 0.5" not in figures.table
    assert "control" not in figures.table


def test_a_single_row_has_no_strength_in_its_name(model, registry, tmp_path):
    rows = {"degraded": (0, 0.0, 20.0), "restored 4 calls": (4, 1.0, 28.0)}
    figures = figures_of(write(tmp_path / "s.csv", rows), model, registry, "set14")
    assert (figures.data, figures.row) == ("set14", "restored 4 calls")


def test_calls_are_those_of_the_sampler_of_guidance_and_of_all_samples(model, registry, tmp_path):
    data = yaml.safe_load((model / "config.yaml").read_text())
    data["sampling"] |= {"steps": 3, "samples": 2, "guidance": 1.5, "sampler": {"heun": {}}}
    (model / "config.yaml").write_text(yaml.safe_dump(data))
    calls = 2 * 2 * (2 * 3 - 1)  # Heun calls twice a step, but for the last one; guidance takes two calls for one
    rows = {"degraded": (0, 0.0, 20.0), f"restored {calls} calls": (calls, 1.0, 28.0)}
    assert figures_of(write(tmp_path / "s.csv", rows), model, registry).row == "restored 20 calls"


def evaluated(model, registry, name, rows, *overrides, seed=0):
    """An evaluation in the model's folder, with its record."""
    own = config.load(model / "config.yaml", registry, stored=True)
    judged = own.evaluation.model_copy(update={"seed": seed})
    used = own.model_copy(update={"sampling": sampling_with(model, overrides, registry), "evaluation": judged})
    file = write(model / name / "scores.csv", rows)
    about = about_evaluation(used, own, torch.device("cpu"))
    file.with_name(ABOUT).write_text(json.dumps(about.record()))
    return file


def test_the_own_evaluation_on_test_comes_first(model, registry):
    assert own_figures(model, registry) is None
    for split in ("val", "test"):
        write(model / f"evaluation-{split}" / "scores.csv", ROWS)
        assert own_figures(model, registry).data == f"evaluation-{split}"


def test_scores_are_those_of_the_sampling_that_is_exported(model, registry):
    """Of another sampling there are no figures, unless an evaluation changed the sampling to it and nothing else."""
    own = write(model / "evaluation-val" / "scores.csv", ROWS)
    other = sampling_with(model, ["sampling.coarse_from=mean"], registry)
    half = sampling_with(model, ["sampling.texture_strength=0.5"], registry)
    assert own_figures(model, registry, sampling=half).row == "restored 4 calls w 0.5"
    for figures in (lambda: figures_of(own, model, registry, sampling=other),
                    lambda: own_figures(model, registry, sampling=other)):  # fmt: skip
        with pytest.raises(ConfigError, match=r"not sampled as the exported model does it \(sampling.coarse_from\)"):
            figures()

    evaluated(model, registry, "evaluation-val-a", ROWS, "sampling.coarse_from=mean", seed=7)
    file = evaluated(model, registry, "evaluation-val-b", ROWS, "sampling.coarse_from=mean")
    assert own_figures(model, registry, sampling=other).data == "evaluation-val-b"
    assert own_figures(model, registry).data == "evaluation-val"
    with pytest.raises(ConfigError, match="not sampled as the exported model does it"):
        figures_of(file, model, registry)


def test_scores_without_the_exports_row_are_passed_over(model, registry):
    """Of an evaluation with another strength there is nothing to show; one with the strength is found."""
    half, rows = ["sampling.texture_strength=0.5"], {"restored 4 calls": (4, 0.5, 27.0)}
    file = evaluated(model, registry, "evaluation-val-c", rows, *half)
    assert own_figures(model, registry) is None
    write(model / "evaluation-val" / "scores.csv", {"restored 4 calls": (4, 1.0, 28.0)})
    wanted = sampling_with(model, half, registry)
    assert own_figures(model, registry, sampling=wanted).data == "evaluation-val-c"
    # what is no record says nothing of its pictures, so it is passed over too
    file.with_name(ABOUT).write_text("[]")
    with pytest.raises(ConfigError, match="no row has the model's steps and texture strength"):
        own_figures(model, registry, sampling=wanted)


def test_a_cell_says_how_it_was_sampled(model, registry, tmp_path):
    other = sampling_with(model, ["sampling.coarse_from=mean"], registry)
    own = config.load(model / "config.yaml", registry, stored=True)
    file = write(tmp_path / "cell" / "scores.csv", ROWS)
    file.with_name("config.yaml").write_text(own.model_copy(update={"sampling": other}).to_yaml())
    assert figures_of(file, model, registry, sampling=other).row == "restored 4 calls w 1"
    with pytest.raises(ConfigError, match="not sampled as the exported model does it"):
        figures_of(file, model, registry)


def test_what_cannot_be_figures_is_said(model, registry, tmp_path):
    with pytest.raises(ConfigError, match="there is no such file"):
        figures_of(tmp_path / "none.csv", model, registry)
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    with pytest.raises(ConfigError, match="these are no scores of an evaluation"):
        figures_of(tmp_path / "other.csv", model, registry)
    rows = {"degraded": (0, 0.0, 20.0), "restored 2 calls w 1": (2, 1.0, 28.0)}
    with pytest.raises(ConfigError, match="its rows are degraded, restored 2 calls w 1; evaluate the model again"):
        figures_of(write(tmp_path / "s.csv", rows), model, registry)
