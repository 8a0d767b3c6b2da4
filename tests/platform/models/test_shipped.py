"""The models that texprior ships are found by their tasks; what lies beside them is no task."""

import re

import pytest
import torch

import texprior
from texprior import store
from texprior.errors import ConfigError
from texprior.flow.degrade import degrade
from texprior.flow.image import load_image
from texprior.flow.kinds import DEGRADATION
from texprior.models import shipped
from texprior.models.checksums import changed_files, write_checksums
from texprior.models.hub_card import read_header
from texprior.training.held_out import explained_alone

TASKS = sorted(texprior.shipped_models())
MAX_BYTES = 12 * 2**20


@pytest.fixture
def root(tmp_path, monkeypatch):
    """Two models, a prior and a file."""
    for name, file in {"snow": "adapter", "defocus": "adapter", "prior-0123456789": "prior"}.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / f"{file}.safetensors").write_bytes(b"x")
        write_checksums(tmp_path / name)
    (tmp_path / "notes.txt").write_text("x")
    monkeypatch.setattr(store, "shipped_root", lambda: tmp_path)
    return tmp_path


def test_tasks_are_models_alone(root):
    assert store.shipped_models() == {"defocus": root / "defocus", "snow": root / "snow"}
    assert store.model_of_task("snow") == root / "snow"


def test_an_unknown_task_is_answered_with_all_that_are_there(root):
    sentence = "texprior ships no model for the task 'fog'; the tasks are: defocus, snow"
    with pytest.raises(ConfigError, match=re.escape(sentence)):
        store.model_of_task("fog")


def test_a_model_is_named_in_one_way(root, tmp_path):
    assert shipped.chosen_model("here", None, "a and b").name == "here"
    assert shipped.chosen_model(None, "snow", "a and b") == root / "snow"
    for both in ((None, None), ("here", "snow")):
        with pytest.raises(ConfigError, match="name the model by one of a and b; the tasks are: defocus, snow"):
            shipped.chosen_model(*both, "a and b")


def test_an_installation_without_models_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(store, "shipped_root", lambda: tmp_path / "none")
    assert store.shipped_models() == {}
    with pytest.raises(ConfigError, match="the tasks are: none"):
        store.model_of_task("x")


def test_there_is_a_shipped_model_and_all_are_small():
    assert TASKS
    files = [path for path in store.shipped_root().rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < MAX_BYTES
    assert {path.suffix for path in files} == {".safetensors", ".yaml", ".json", ".md", ""}


def test_the_shipped_prior_says_what_it_reads_from_its_condition():
    """So a report on it has the number that its card rounds."""
    assert explained_alone(shipped.prior_of(store.model_of_task(TASKS[0]))) == pytest.approx(0.89, abs=5e-3)


@pytest.mark.parametrize("task", TASKS)
def test_a_shipped_model_is_whole_and_says_what_it_is(repository, task):
    folder = store.model_of_task(task)
    assert changed_files(folder) == changed_files(shipped.prior_of(folder)) == []
    header = read_header(folder / "README.md")
    assert header["license"]
    assert header["datasets"]
    assert {metric["type"] for metric in header["model-index"][0]["results"][0]["metrics"]} >= {
        "psnr_rgb",
        "lpips_alex",
    }
    assert f"platform/texprior/shipped/{task}," in (repository / "NOTICE").read_text(encoding="utf-8")
    assert f"| `{task}` |" in (repository / "docs" / "models.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("task", TASKS)
def test_a_shipped_model_restores_a_picture_of_its_degradation(task):
    from texprior_plugins.dataset.bundled import PHOTOGRAPHS

    model = texprior.load_model(task=task, device="cpu")
    clean = load_image(PHOTOGRAPHS["chelsea"].path)[None, :, 100:196, 120:216]
    degraded = degrade(clean, model.registry.build(DEGRADATION, model.experiment.degradation), 0, ["chelsea"])
    restored = texprior.restore(model, degraded[0])
    errors = [(picture - clean).square().mean() for picture in (degraded, restored.picture)]
    assert 10 * torch.log10(errors[0] / errors[1]) > 1  # dB
