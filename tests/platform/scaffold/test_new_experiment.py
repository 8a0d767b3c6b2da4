"""An experiment file for folders of pictures: pairs, clean photographs, degraded ones, and what is refused."""

import numpy as np
import pytest
from PIL import Image

from texprior import config
from texprior.errors import ConfigError
from texprior.registry import Registry
from texprior.scaffold.new_experiment import Folders, new_experiment
from texprior.store import named_folder


@pytest.fixture(scope="module")
def registry():
    return Registry.discover()


@pytest.fixture
def folder(tmp_path):
    """folder(NAME, pictures): a folder of grey pictures, 80 x 70 px unless the value is a size."""

    def folder(name, pictures):
        (tmp_path / name).mkdir()
        for picture, size in pictures.items():
            array = np.full((*(size or (70, 80)), 3), 40 if name == "lq" else 90, dtype=np.uint8)
            Image.fromarray(array).save(tmp_path / name / picture)
        return str(tmp_path / name)

    return folder


def made(folders, tmp_path, registry, name="mine.yaml"):
    found = new_experiment(folders, tmp_path / name, 320, registry)
    found.write()
    return found, config.load(tmp_path / name, registry)


def keys_of(registry, experiment, split):
    from texprior.flow.kinds import DATASET

    return registry.build(DATASET, getattr(experiment.data, split)).keys(split)


def value_at(experiment, path):
    for name in path.split("."):
        experiment = getattr(experiment, name)
    return experiment


PICTURES = {f"{n}.png": None for n in range(12)}


def test_pairs_are_listed_in_three_splits_and_not_degraded_again(tmp_path, registry, folder):
    found, experiment = made(Folders(folder("gt", PICTURES), folder("lq", PICTURES)), tmp_path, registry)
    assert experiment.degradation is None
    assert [len(keys_of(registry, experiment, s)) for s in ("train", "val", "test")] == [10, 1, 1]
    assert found.seen["pairs"].psnr[1] == pytest.approx(20 * np.log10(255 / 50))
    for stage in ("predictor", "adapter"):
        assert getattr(experiment.training, stage).budget.images == 320
        # not 1,600, which is longer than the training
        assert getattr(experiment.training, stage).warmup_images == 32
    assert "PSNR of the degraded pictures: 14.2 dB" in found.text


def test_the_settings_are_those_of_the_shipped_models(tmp_path, registry, folder):
    """On their prior, and equal to what the shipped models say of themselves."""
    _, experiment = made(Folders(folder("gt", PICTURES), None), tmp_path, registry)
    shipped = config.load(named_folder("shipped:defocus") / "config.yaml", registry, stored=True)
    assert experiment.prior == "shipped:defocus"
    for path in ("process.residual_scale", "diffusion.noise_levels", "sampling.steps", "training.adapter.objective"):
        assert value_at(experiment, path) == value_at(shipped, path)
    for stage in ("predictor", "adapter"):
        assert getattr(experiment.training, stage).decay == getattr(shipped.training, stage).decay
    assert experiment.predictor == shipped.predictor


def test_a_prior_of_ones_own_is_trained_on_all_levels(tmp_path, registry, folder):
    _, experiment = made(Folders(folder("gt", PICTURES), None, own_prior=True), tmp_path, registry)
    assert (experiment.prior, experiment.diffusion.noise_levels.name) == (None, "log-normal")
    assert [getattr(experiment.training, stage).budget.images for stage in ("prior", "predictor", "adapter")] == [
        320
    ] * 3


def test_several_degraded_pictures_of_one_clean_one_stay_in_one_split(tmp_path, registry, folder):
    lq = {f"{scene}_{n}.png": None for scene in range(5) for n in range(2)}
    _, experiment = made(
        Folders(folder("gt", {f"{n}.png": None for n in range(5)}), folder("lq", lq)), tmp_path, registry
    )
    scenes = [{key.split("_")[0] for key in keys_of(registry, experiment, s)} for s in ("train", "val", "test")]
    assert list(map(len, scenes)) == [3, 1, 1]
    assert len(set.union(*scenes)) == 5


def test_pairs_that_do_not_match_are_named(tmp_path, registry, folder):
    with pytest.raises(ConfigError, match=r"1 pictures of .*lq have no partner in .*gt: x.*--task"):
        new_experiment(
            Folders(folder("gt", PICTURES), folder("lq", {**PICTURES, "x.png": None})), tmp_path / "a.yaml", 1, registry
        )


def test_a_pair_of_two_sizes_is_left_out_and_said(tmp_path, registry, folder):
    folders = Folders(folder("gt", PICTURES), folder("lq", {**PICTURES, "3.png": (70, 60)}))
    found, experiment = made(folders, tmp_path, registry)
    assert "3" not in [key for s in ("train", "val", "test") for key in keys_of(registry, experiment, s)]
    assert any("60 x 70" in note and "left out" in note for note in found.notes)


@pytest.mark.parametrize(("task", "name"), [(None, "defocus"), ({"rain": {}}, "rain")])
def test_clean_photographs_get_a_degradation(tmp_path, registry, folder, task, name):
    _, experiment = made(Folders(folder("gt", PICTURES), None, task), tmp_path, registry)
    assert experiment.degradation.name == name
    assert len(keys_of(registry, experiment, "train")) == 10


def test_with_a_task_degraded_pictures_are_no_pairs(tmp_path, registry, folder):
    folders = Folders(folder("gt", PICTURES), folder("lq", {"other.png": None}), "snow")
    found, experiment = made(folders, tmp_path, registry)
    assert (experiment.degradation.name, experiment.data.train.name) == ("snow", "folder")
    assert set(found.seen) == {"clean", "degraded"}


def test_degraded_pictures_alone_are_not_trained_on(tmp_path, registry, folder):
    found, experiment = made(Folders(None, folder("lq", PICTURES)), tmp_path, registry)
    assert (experiment.data.train.name, experiment.degradation.name) == ("bundled", "real_esrgan")
    assert found.lists == {}


def test_a_file_that_is_there_is_kept(tmp_path, registry, folder):
    folders = Folders(folder("gt", PICTURES), None)
    (tmp_path / "mine.yaml").write_text("mine")
    with pytest.raises(ConfigError, match="is not overwritten"):
        new_experiment(folders, tmp_path / "mine.yaml", 1, registry).write()
    (tmp_path / "other-splits").mkdir()
    (tmp_path / "other-splits" / "val.txt").write_text("mine")
    with pytest.raises(ConfigError, match=r"val\.txt: this file exists"):
        new_experiment(folders, tmp_path / "other.yaml", 1, registry).write()
    assert (tmp_path / "mine.yaml").read_text() == (tmp_path / "other-splits" / "val.txt").read_text() == "mine"
    assert not (tmp_path / "other.yaml").exists()


def test_small_pictures_and_equal_pairs_are_noted(tmp_path, registry, folder):
    small = new_experiment(
        Folders(folder("small", dict.fromkeys(PICTURES, (40, 90))), None), tmp_path / "a.yaml", 1, registry
    )
    assert any("smaller than a training patch" in note for note in small.notes)
    same = folder("same", PICTURES)
    assert any(
        "nearly equal" in note for note in new_experiment(Folders(same, same), tmp_path / "a.yaml", 1, registry).notes
    )


@pytest.mark.parametrize("name", ["a b.yaml", "é.yaml", "-x.yaml"])
def test_the_experiments_name_is_one_that_a_folder_may_have(tmp_path, registry, folder, name):
    _, experiment = made(Folders(folder("gt", PICTURES), None), tmp_path, registry, name)
    assert experiment.name in ("a-b", "mine", "x")
