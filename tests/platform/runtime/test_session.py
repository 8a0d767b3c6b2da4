"""A data section is looked at once in a process, whoever asks, and another one is looked at by itself."""

import pytest
from PIL import Image

from texprior import config
from texprior.errors import ConfigError
from texprior.flow import precision
from texprior.flow.precision import CHOICE, gains_from_bfloat16
from texprior.registry import Registry
from texprior.runtime import session as module
from texprior.runtime.session import Session
from texprior.runtime.split_check import require_splits
from texprior.runtime.team import Team
from texprior.training.predictor import predictor_place
from texprior.training.prior import prior_place


@pytest.fixture(scope="module")
def registry():
    return Registry.discover()


def folder(path, *levels):
    path.mkdir()
    for level in levels:
        Image.new("RGB", (32, 32), (level, level, level)).save(path / f"{level}.png")
    return {"folder": {"path": str(path)}}


@pytest.fixture
def data(tmp_path):
    return {"train": folder(tmp_path / "train", 10, 20), "val": folder(tmp_path / "val", 30)}


def session(registry, data, **more):
    return Session(config.resolve({"name": "x", "events": [], "data": data, **more}, registry), registry)


def counted(monkeypatch):
    """Counts the builds of data sets and the looks for pictures that two splits share."""
    calls = {"built": 0, "compared": 0}
    build, find = Registry.build, module.find_overlap

    def building(self, kind, *rest, **more):
        calls["built"] += getattr(kind, "name", kind) == "dataset"
        return build(self, kind, *rest, **more)

    def finding(*arguments, **more):
        calls["compared"] += 1
        return find(*arguments, **more)

    monkeypatch.setattr(Registry, "build", building)
    monkeypatch.setattr(module, "find_overlap", finding)
    return calls


def test_a_data_section_is_looked_at_once(registry, data, monkeypatch):
    calls, one = counted(monkeypatch), session(registry, data, evaluation={"split": "val"})
    arm = one.with_(experiment=one.experiment.model_copy(update={"threads": 1}))  # another experiment, the same data
    for s in (one, arm, one, arm):
        assert [len(s.pictures(split).keys) for split in ("train", "val")] == [2, 1]
        s.run_info("id", "name", "cell")
    assert calls == {"built": 2, "compared": 1}


def test_another_seed_and_another_section_are_looked_at_again(registry, data, monkeypatch):
    calls, one = counted(monkeypatch), session(registry, data)
    one.pictures("val")
    one.with_(experiment=one.experiment.model_copy(update={"seed": 1})).pictures("val")  # it may split by the seed
    assert calls == {"built": 4, "compared": 2}
    one.with_(experiment=session(registry, {**data, "cache_mb": 64}).experiment).pictures("val")
    assert calls == {"built": 4, "compared": 3}


def test_a_shared_picture_is_refused_each_time(registry, data, tmp_path):
    broken = session(registry, {**data, "val": folder(tmp_path / "copy", 10)})
    for _ in range(2):
        with pytest.raises(ConfigError, match=r"^data\.val: shares 1 picture with data\.train, such as 10\.png$"):
            broken.pictures("val")


def test_the_cache_folder_is_named_or_beside_the_runs(registry, data, tmp_path, monkeypatch):
    monkeypatch.delenv("TEXPRIOR_CACHE", raising=False)
    one = Session(session(registry, data).experiment, registry, root=tmp_path)
    assert one.cache_folder == tmp_path / "cache"
    monkeypatch.setenv("TEXPRIOR_CACHE", str(tmp_path / "elsewhere"))
    assert one.cache_folder == tmp_path / "elsewhere"


REGIONS = """
from PIL import Image
from texprior.flow.image import Sample, load_image
from texprior.plugin import Dataset, Options, hookimpl


class SlideOptions(Options):
    folder: str
    shared: bool = False


class Slides:
    def __init__(self, options):
        self.folder, self.shared = options.folder, options.shared

    def keys(self, split):
        slides = {"train": ["a"], "val": ["a" if self.shared else "b"]}.get(split, [])
        # of another place in each split, so that no key is in two of them
        return [f"{slide}@{left},{0 if split == 'train' else 32}" for slide in slides for left in (0, 32)]

    def load(self, key):
        slide, _, place = key.partition("@")
        left, top = map(int, place.split(","))
        return Sample(key, load_image(self.source(key))[:, top : top + 32, left : left + 32])

    def source(self, key):
        return f"{self.folder}/{key.partition('@')[0]}.png"


@hookimpl
def texprior_datasets():
    return [Dataset("slides", "slides:Slides", SlideOptions, "Regions of slides.", api=2, licence="CC0-1.0")]
"""


def test_regions_of_one_file_are_samples_of_one_split(tmp_path):
    """Regions in two splits are refused if they are of one file, although their keys differ."""
    (tmp_path / "slides.py").write_text(REGIONS, encoding="utf-8")
    for name in "ab":
        Image.effect_noise((64, 64), 60 + ord(name)).convert("RGB").save(tmp_path / f"{name}.png")
    registry = Registry.discover()
    registry.register(tmp_path / "slides.py")
    for shared in (False, True):
        slides = {"slides": {"folder": str(tmp_path), "shared": shared}}
        opened = session(registry, {"train": slides, "val": slides})
        assert opened.pictures("train").keys == ["a@0,0", "a@32,0"]
        if shared:
            with pytest.raises(ConfigError, match=r"data\.val: shares 2 pictures with data\.train, such as a@0,32"):
                opened.pictures("val")
        else:
            dataset, keys = opened.pictures("val")
            assert dataset.load(keys[1]).clean.shape == (3, 32, 32)


def test_processes_of_torchrun_compute_in_the_precision_of_the_leader(registry, data, tmp_path, monkeypatch):
    """Their own trials could end on both sides of the limit, and one training would mix two precisions."""

    class Second(Team):
        def from_leader(self, value):
            return True

    monkeypatch.setenv(CHOICE, "")
    monkeypatch.setattr(precision, "_trial", lambda: 1.0)
    monkeypatch.setattr(module, "is_launched", lambda: True)
    monkeypatch.setattr(module, "join_team", lambda _device: Second(1, 2))
    experiment = config.resolve({"name": "x", "events": [], "data": data}, registry)
    started = Session.start(experiment, registry, parallel=True)
    assert gains_from_bfloat16(started.device)


def test_every_run_has_the_users_tags_and_the_topmost_one_the_note(registry, data):
    labelled = session(registry, data).with_(labels={"paper": "1"}, note="mine")
    above, below = (labelled.with_(parent_run=parent).run_info("i", "n", "prior") for parent in ("", "sweep"))
    assert (above.labels, above.note) == ({"paper": "1"}, "mine")
    # a tracker that knows tags alone has them too
    assert above.tags["paper"] == "1"
    assert (below.labels, below.note) == ({"paper": "1"}, "")


def test_stage_one_has_photographs_of_its_own_if_they_are_named(registry, data, tmp_path):
    more = folder(tmp_path / "more", 40, 50, 60)
    both = session(registry, {**data, "prior": more})
    assert both.of_stage_one().pictures("train").keys == ["40.png", "50.png", "60.png"]
    assert both.pictures("train").keys == ["10.png", "20.png"]
    assert session(registry, data).of_stage_one().pictures("train").keys == ["10.png", "20.png"]
    assert prior_place(both).folder == prior_place(session(registry, {"train": more, "val": data["val"]})).folder
    assert prior_place(both).folder != prior_place(session(registry, data)).folder
    assert predictor_place(both).folder == predictor_place(session(registry, data)).folder


def test_photographs_of_the_prior_are_in_no_other_split_but_train(registry, data, tmp_path):
    same = session(registry, {**data, "prior": data["train"]})
    assert same.pictures("val").keys == ["30.png"]
    with pytest.raises(ConfigError, match=r"^data\.val: shares 1 picture with data\.prior, such as 30\.png"):
        session(registry, {**data, "prior": folder(tmp_path / "more", 30, 40)}).pictures("val")
    with pytest.raises(ConfigError, match=r"^data\.val: shares 1 picture with data\.prior, such as 30\.png"):
        session(registry, {**data, "prior": data["val"]}).pictures("val")


def test_an_overlap_with_the_photographs_of_the_prior_is_found_before_a_training(registry, data, tmp_path):
    more = {**data, "prior": folder(tmp_path / "more", 30, 40)}
    whole = {"name": "x", "events": [], "data": more}
    said = config.said_in(whole, registry)
    with pytest.raises(ConfigError, match=r"^data\.val: shares 1 picture with data\.prior, such as 30\.png"):
        require_splits(Session(config.resolve(whole, registry), registry, said=said), "train")
    # a trained prior has its own photographs, so that these are not used
    given = {**whole, "prior": "some/folder"}
    trained = Session(config.resolve(given, registry), registry, said=config.said_in(given, registry))
    require_splits(trained, "train")
    assert trained.pictures("val").keys == ["30.png"]


def test_the_default_val_split_is_meant_by_stage_one_too(registry, tmp_path):
    """The photographs of Stage II are the bundled ones, so the default val has nothing to do with those of Stage I."""
    whole = {"name": "x", "events": [], "data": {"prior": folder(tmp_path / "more", 40, 50)}}
    both = Session(config.resolve(whole, registry), registry, said=config.said_in(whole, registry))
    assert both.of_stage_one().pictures("val").keys == both.pictures("val").keys


def test_messages_of_stage_one_name_the_setting_that_was_written(registry, data, tmp_path):
    more = folder(tmp_path / "more", 40, 50)
    first = session(registry, {**data, "prior": more}).of_stage_one()
    assert first.trains_on == "data.prior"
    assert session(registry, data).of_stage_one().trains_on == "data.train"
    with pytest.raises(ConfigError, match=r"^data\.val: shares 1 picture with data\.prior, such as 40\.png"):
        session(
            registry, {"train": data["train"], "prior": more, "val": folder(tmp_path / "val2", 40)}
        ).of_stage_one().pictures("val")
