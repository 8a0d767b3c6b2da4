"""An exported model restores as the trained one does, anywhere, and nothing but an export is replaced."""

import math
import re
import shutil

import pytest
import torch
import yaml

from texprior import config
from texprior.errors import ConfigError, TexpriorError
from texprior.models.checksums import LIST, changed_files, read_checksums
from texprior.models.export import Chosen, export_models, sampling_with
from texprior.models.folders import load_model
from texprior.models.hub_card import Figures, Terms, read_header
from texprior.models.prior_search import find_prior
from texprior.pipeline import restore
from texprior.runtime.builder import Builder
from texprior.store import about_tensors, load_tensors, save_tensors, sha256

LEAST_DB = 80.0
"""Half precision gives 88 dB here, bfloat16, which has 3 bits less, 69 dB."""


@pytest.fixture
def export(registry, tmp_path):
    def export(*models, replace=False, output="out"):
        chosen = [model if isinstance(model, Chosen) else Chosen(model) for model in models]
        return export_models(chosen, tmp_path / output, registry, Terms(), replace)

    return export


def restored(folder, registry):
    """A picture of noise and a ramp, restored by the model in a folder."""
    here = Builder(config.resolve({"name": "x", "device": "cpu", "sampling": {"amp": False}}, registry), registry)
    model = load_model(folder, here)
    picture = torch.rand(1, 3, 24, 32, generator=torch.Generator().manual_seed(0)) / 2
    picture += torch.linspace(0, 0.5, 32)
    return restore(model, picture, "x", model.experiment.sampling, 0)


def test_it_restores_like_the_trained_model_after_everything_else_is_gone(save, export, registry, tmp_path):
    trained = save("rain")
    before = restored(trained, registry)
    (folder,) = export(trained)
    assert folder == tmp_path / "out"
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    folder.rename(elsewhere / "mine")
    shutil.rmtree(tmp_path / "trained")
    after = restored(elsewhere / "mine", registry)
    error = (after.picture - before.picture).square().mean().item()
    assert 0 < error < 10 ** (-LEAST_DB / 10), f"{-10 * math.log10(error):.1f} dB"
    # and both really sample a layer
    assert (before.picture - before.base).abs().max() > 0.01


def test_its_weights_are_half_of_the_size_and_no_pickle(save, export):
    trained = save("rain")
    (folder,) = export(trained)
    files = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    parts = ["README.md", LIST, "adapter.safetensors", "config.yaml", "predictor.safetensors"]
    assert files == sorted(
        [*parts, *(f"prior/{name}" for name in ("README.md", LIST, "config.yaml", "prior.safetensors"))]
    )
    for name in ("adapter.safetensors", "predictor.safetensors", "prior/prior.safetensors"):
        kinds = {tensor.dtype for tensor in load_tensors(folder / name)[0].values()}
        assert kinds == {torch.float16}
    assert changed_files(folder) == changed_files(folder / "prior") == []


def test_it_holds_the_resolved_experiment_without_what_was_the_machine_s(save, export):
    trained = save("rain")
    (folder,) = export(trained)
    stored = yaml.safe_load((folder / "config.yaml").read_text())
    assert (stored["name"], stored["adapter"]["cga"]["width"], stored["device"]) == ("rain", 8, "auto")
    assert (stored["threads"], stored["events"]) == (None, [])
    assert not [path for path in folder.rglob("*") if path.is_file() and b"secret" in path.read_bytes()]


def test_several_models_share_one_prior(save, export, registry, tmp_path):
    rain, snow = save("rain"), save("snow", seed=3)
    folders = export(rain, snow)
    assert folders == [tmp_path / "out" / "rain", tmp_path / "out" / "snow"]
    assert len(list((tmp_path / "out").rglob("prior.safetensors"))) == 1
    pictures = [restored(folder, registry).picture for folder in folders]
    assert not torch.equal(*pictures)


def test_an_export_of_an_export_has_the_same_bytes(save, export, tmp_path):
    (first,) = export(Chosen(save("rain"), "a"))
    (second,) = export(Chosen(first, "a"), output="again")
    for name in ("adapter.safetensors", "predictor.safetensors", "config.yaml"):
        here, there = sha256(first / name), sha256(second / name)
        assert (here == there) == (name != "adapter.safetensors"), name  # it names its prior's folder
    assert [sha256(p) for p in (tmp_path / "out").glob("prior-*/prior.safetensors")] == [
        sha256(p) for p in (tmp_path / "again").glob("prior-*/prior.safetensors")
    ]


def test_what_was_measured_on_held_out_photographs_is_exported(save, export):
    """So that an ablation on an exported prior says how much of the texture it reads from its condition."""
    trained = save("rain")
    prior = find_prior(trained, about_tensors(trained / "adapter.safetensors"))
    (prior / "held_out.json").write_text("{}")
    (folder,) = export(Chosen(trained))
    assert (folder / "prior" / "held_out.json").read_text() == "{}"
    assert "held_out.json" in read_checksums(folder / "prior")


def test_the_card_has_figures_provenance_and_the_training_s_card(save, export):
    trained = save("rain")
    (folder,) = export(
        Chosen(trained, figures=Figures("set14", "restored 2 calls", 3, {"psnr_rgb": 30.5}, "| table |"))
    )
    card = (folder / "README.md").read_text()
    assert read_header(folder / "README.md")["model-index"][0]["name"] == "rain"
    assert "set14, 3 pictures:\n\n| table |" in card
    assert f"- adapter's weights: `{sha256(trained / 'adapter.safetensors')}`" in card
    assert "### Citations\n\nbooks" in card
    assert "Scores on val" not in card
    assert "## A prior" in (folder / "prior" / "README.md").read_text()


@pytest.mark.parametrize("name", ["config.yaml", "predictor.safetensors", "prior/config.yaml"])
def test_a_changed_file_is_refused_and_a_changed_card_is_not(save, export, registry, name):
    (folder,) = export(save("rain"))
    (folder / "README.md").write_text("edited")
    restored(folder, registry)
    with (folder / name).open("ab") as file:
        file.write(b"\n")
    with pytest.raises(TexpriorError, match=f"{(folder / name).name} changed since the export"):
        restored(folder, registry)


def test_a_tied_weight_stays_one_and_other_types_stay(tmp_path):
    from texprior.models.export import _halve

    weight = torch.ones(100)
    save_tensors(tmp_path / "a", {"x": weight, "y": weight, "n": torch.tensor([70000])}, {"k": 1})
    _halve(tmp_path / "a", tmp_path / "b", {"more": 2})
    tensors, about = load_tensors(tmp_path / "b")
    assert tensors["x"].data_ptr() == tensors["y"].data_ptr()
    assert (tensors["x"].dtype, tensors["n"].item(), about) == (torch.float16, 70000, {"k": 1, "more": 2})


def test_a_weight_beyond_half_precision_is_said(tmp_path):
    from texprior.models.export import _halve

    save_tensors(tmp_path / "a", {"x": torch.tensor([70000.0])})
    with pytest.raises(TexpriorError, match="'x' has weights beyond 65504, the limit of half precision"):
        _halve(tmp_path / "a", tmp_path / "b")


def test_an_earlier_export_is_replaced_only_if_asked_and_nothing_else_ever(save, export, tmp_path):
    rain, snow = save("rain"), save("snow", seed=3)
    export(rain, snow)
    with pytest.raises(ConfigError, match="an earlier export is there"):
        export(rain)
    export(rain, replace=True)
    assert not (tmp_path / "out" / "snow").exists()
    assert [path.name for path in tmp_path.iterdir() if "out" in path.name] == ["out"]
    (tmp_path / "out" / "prior" / "mine.txt").write_text("mine")
    with pytest.raises(ConfigError, match=re.escape("prior/mine.txt is no part of an export")):
        export(rain, replace=True)
    assert (tmp_path / "out" / "adapter.safetensors").is_file()


def test_a_failed_export_leaves_the_earlier_one(save, export, tmp_path):
    rain = save("rain")
    export(rain)
    (tmp_path / "trained" / "prior" / "prior.safetensors").unlink()
    with pytest.raises(ConfigError, match="its prior"):
        export(rain, replace=True)
    assert [path.name for path in tmp_path.iterdir() if "out" in path.name] == ["out"]
    assert changed_files(tmp_path / "out") == []


@pytest.mark.parametrize(
    ("tasks", "fragment"),
    [
        (("a/b", "c"), "task 'a/b': a task is the name of a folder"),
        (("prior-x", "c"), "task 'prior-x'"),
        (("..", "c"), r"task '\.\.'"),
        (("a", "a"), "two models would both be 'a'; give each a task of its own with --task"),
    ],
)
def test_tasks_are_names_of_different_folders(save, export, tmp_path, tasks, fragment):
    rain = save("rain")
    with pytest.raises(ConfigError, match=fragment):
        export(*(Chosen(rain, task) for task in tasks))
    assert not (tmp_path / "out").exists()


def test_what_is_no_model_and_no_folder_is_said(save, export, tmp_path):
    with pytest.raises(ConfigError, match="there is no such folder"):
        export(tmp_path / "none")
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="this is a file; name a folder"):
        export(save("rain"), output="file")


def test_what_its_trainings_started_from_stays_where_it_is(save, export, registry):
    trained = save("rain")
    data = yaml.safe_load((trained / "config.yaml").read_text())
    for stage in ("prior", "predictor", "adapter"):
        data["training"][stage]["start_from"] = "/home/someone/runs/first"
    (trained / "config.yaml").write_text(yaml.safe_dump(data))
    (folder,) = export(trained)
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert not [path for path in files if b"someone" in path.read_bytes()]


@pytest.mark.parametrize(("override", "sentence"), [
    ("sampling.condition_noise=0.5", "sampling.condition_noise: 0.5 cannot be used"),
    ("sampling.sigma_max=largest", "sampling.sigma_max: 'largest' is where the process ends"),
])  # fmt: skip
def test_a_sampling_that_the_model_cannot_do_is_refused(save, export, registry, tmp_path, override, sentence):
    trained = save("rain")
    with pytest.raises(ConfigError, match=sentence):
        export(Chosen(trained, sampling=sampling_with(trained, [override], registry)))
    assert not (tmp_path / "out").exists()


def test_a_prior_that_was_moved_is_named(save, export, tmp_path):
    trained = save("rain")
    moved = (tmp_path / "trained" / "prior").rename(tmp_path / "elsewhere")
    with pytest.raises(ConfigError, match="name its folder with --prior"):
        export(trained)
    (folder,) = export(Chosen(trained, prior=moved))
    assert (folder / "prior" / "prior.safetensors").is_file()
    (moved / "prior.safetensors").write_bytes((trained / "adapter.safetensors").read_bytes())
    with pytest.raises(ConfigError, match="it was trained on another prior than"):
        export(Chosen(trained, prior=moved), output="second")
