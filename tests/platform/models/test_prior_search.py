"""The prior of a model is found by its content: where it was, under another name, in another folder of the runs."""

import re

import pytest
import torch

from texprior.errors import ConfigError
from texprior.models import prior_search
from texprior.models.prior_search import MOVED, PRIOR, find_prior, record_prior, recorded_prior
from texprior.store import save_tensors, sha256


@pytest.fixture
def line(tmp_path, monkeypatch):
    """A prior, another one beside it, and a model on the first; the record of the model's weights."""
    monkeypatch.setenv("TEXPRIOR_RUNS", str(tmp_path / "runs"))
    monkeypatch.setattr(prior_search, "shipped_root", lambda: tmp_path / "shipped")
    home = tmp_path / "runs" / "rain"
    for number, name in enumerate(("prior-a-8", "prior-b-8")):
        save_tensors(home / name / PRIOR, {"x": torch.full((1,), float(number))})
    model = home / "model-c-8"
    model.mkdir()
    return home, model, {"prior_sha256": sha256(home / "prior-a-8" / PRIOR), "prior_path": "../prior-a-8"}


@pytest.mark.parametrize("place", ["rain/mine", "other/prior-a-8", "archive/rain/mine", "mine"])
def test_a_prior_that_was_moved_or_renamed_is_found(line, tmp_path, place):
    home, model, about = line
    assert find_prior(model, about) == home / "prior-a-8"
    target = tmp_path / "runs" / place
    target.parent.mkdir(parents=True, exist_ok=True)
    (home / "prior-a-8").rename(target)
    assert find_prior(model, about) == target


def test_the_runs_of_the_model_are_searched_too(line, tmp_path, monkeypatch):
    home, model, about = line
    monkeypatch.setenv("TEXPRIOR_RUNS", str(tmp_path / "elsewhere"))
    (home.parent / "snow").mkdir()
    (home / "prior-a-8").rename(home.parent / "snow" / "mine")
    assert find_prior(model, about) == home.parent / "snow" / "mine"


def test_a_model_on_a_shipped_prior_finds_that_of_the_installed_texprior(line, tmp_path):
    """The model was trained with another installation, or was copied without its prior."""
    home, model, about = line
    (tmp_path / "shipped").mkdir()
    (home / "prior-a-8").rename(tmp_path / "shipped" / "prior-12345678")
    assert find_prior(model, about) == tmp_path / "shipped" / "prior-12345678"


def test_a_prior_that_is_gone_is_said_with_what_is_there(line, tmp_path):
    home, model, about = line
    other = sha256(home / "prior-b-8" / PRIOR)[:16]
    (home / "prior-a-8").rename(tmp_path / "far")
    expected = (
        f"its prior (sha256 {about['prior_sha256'][:16]}...) is not at {home / 'prior-a-8'}; looked for its content "
        f"there and in {home} and in {tmp_path / 'runs'} and in {tmp_path / 'shipped'}; "
        f"other priors are there: {home / 'prior-b-8'} (sha256 {other}...); name its folder with --prior"
    )
    with pytest.raises(ConfigError, match=re.escape(expected)):
        find_prior(model, about)


def test_another_prior_at_the_recorded_place_is_not_taken(line):
    home, model, about = line
    (home / "prior-a-8" / PRIOR).write_bytes((home / "prior-b-8" / PRIOR).read_bytes())
    with pytest.raises(ConfigError, match="is not at"):
        find_prior(model, about)


def test_a_new_place_is_recorded_beside_the_weights(line, tmp_path):
    home, model, about = line
    record_prior(model, about, home / "prior-a-8")
    assert not (model / MOVED).exists()
    (home / "prior-a-8").rename(tmp_path / "far")
    record_prior(model, about, tmp_path / "far")
    assert recorded_prior(model, about) == tmp_path / "far"
    assert find_prior(model, about) == tmp_path / "far"
