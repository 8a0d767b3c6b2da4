"""The models that texprior ships are found by their tasks; what lies beside them is no task."""

import re

import pytest

from texprior.errors import ConfigError
from texprior.models import shipped
from texprior.models.checksums import write_checksums


@pytest.fixture
def root(tmp_path, monkeypatch):
    """Two models, a prior and a file."""
    for name, file in {"snow": "adapter", "defocus": "adapter", "prior-0123456789": "prior"}.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / f"{file}.safetensors").write_bytes(b"x")
        write_checksums(tmp_path / name)
    (tmp_path / "notes.txt").write_text("x")
    monkeypatch.setattr(shipped, "shipped_root", lambda: tmp_path)
    return tmp_path


def test_tasks_are_models_alone(root):
    assert shipped.shipped_models() == {"defocus": root / "defocus", "snow": root / "snow"}
    assert shipped.model_of_task("snow") == root / "snow"


def test_an_unknown_task_is_answered_with_all_that_are_there(root):
    sentence = "texprior ships no model for the task 'fog'; the tasks are: defocus, snow"
    with pytest.raises(ConfigError, match=re.escape(sentence)):
        shipped.model_of_task("fog")


def test_a_model_is_named_in_one_way(root, tmp_path):
    assert shipped.chosen_model("here", None, "a and b").name == "here"
    assert shipped.chosen_model(None, "snow", "a and b") == root / "snow"
    for both in ((None, None), ("here", "snow")):
        with pytest.raises(ConfigError, match="name the model by one of a and b; the tasks are: defocus, snow"):
            shipped.chosen_model(*both, "a and b")


def test_an_installation_without_models_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(shipped, "shipped_root", lambda: tmp_path / "none")
    assert shipped.shipped_models() == {}
    with pytest.raises(ConfigError, match="the tasks are: none"):
        shipped.model_of_task("x")
