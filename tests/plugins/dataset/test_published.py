"""Published data sets on small trees of their form: splits, pairs, counts, and sentences where they are wrong."""

import logging
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import io

from texprior.errors import ConfigError, ImageError
from texprior.plugin import Ref
from texprior.registry import Registry
from texprior_plugins.dataset import DATASETS
from texprior_plugins.dataset import _published as published

SCENES = [f"GOPR03{i:02d}_00_00" for i in range(8)]
PHONES = [f"{i + 1:04d}_{scene:03d}_S6_00100_00060_3200_L" for i, scene in enumerate((1, 1, 2, 2, 3, 3, 4, 4))]
TREES = {
    "div2k": ({}, [f"DIV2K_train_HR/{i:04d}.png" for i in range(1, 9)] + ["DIV2K_valid_HR/0801.png"]),
    "flickr2k": ({}, [f"Flickr2K/Flickr2K_HR/{i:06d}.png" for i in range(1, 9)]),
    "rain100l": (
        {},
        [f"RainTrainL/{kind}-{i}.png" for i in range(1, 9) for kind in ("rain", "norain", "rainstreak")]
        + ["Rain100L/rainy/rain-001.png", "Rain100L/norain-001.png"],
    ),
    "rain100h": (
        {},
        [
            f"{folder}/{name}"
            for folder, count in (("rain_data_train_Heavy", 8), ("rain_data_test_Heavy/rain_heavy_test", 1))
            for i in range(1, count + 1)
            for name in (f"rain/X2/norain-{i}x2.png", f"norain/norain-{i}.png")
        ],
    ),
    "outdoor_rain": (
        {},
        [f"train/in/im_{i:04d}_s{s}_a0{a}.png" for i in range(1, 9) for s in (80, 100) for a in (4, 6)]
        + [f"train/gt/im_{i:04d}.png" for i in range(1, 9)]
        + ["Test1/in/im_0001_s80_a04.png", "Test1/gt/im_0001.png"],
    ),
    "raindrop": (
        {},
        [f"train/{name}" for i in range(8) for name in (f"data/{i}_rain.png", f"gt/{i}_clean.png")]
        + ["test_a/data/0_rain.png", "test_a/gt/0_clean.png", "test_b/data/0_rain.jpg", "test_b/gt/0_clean.jpg"],
    ),
    "snow100k": (
        {"test": "all"},
        [f"all/{kind}/city_{i:05d}.jpg" for i in range(8) for kind in ("synthetic", "gt", "mask")]
        + [
            f"media/jdway/GameSSD/overlapping/test/Snow100K-{size}/{kind}/hill_{i}.jpg"
            for size, i in (("S", 1), ("M", 2), ("L", 3))
            for kind in ("synthetic", "gt", "mask")
        ],
    ),
    "reside": (
        {"scenes": "indoor"},
        [f"ITS/hazy/{i}_{k}_0.9{k}.png" for i in range(1, 9) for k in (1, 2)]
        + [f"ITS/clear/{i}.png" for i in range(1, 9)]
        + ["SOTS/indoor/hazy/1400_1.png", "SOTS/indoor/gt/1400.png"],
    ),
    "lol": (
        {},
        [f"our485/{side}/{i}.png" for i in range(2, 10) for side in ("low", "high")]
        + ["eval15/low/1.png", "eval15/high/1.png"],
    ),
    "gopro": (
        {},
        [f"train/{s}/{kind}/{i:06d}.png" for s in SCENES for i in (1, 2) for kind in ("blur", "blur_gamma", "sharp")]
        + [f"test/GOPR0410_11_00/{kind}/000001.png" for kind in ("blur", "blur_gamma", "sharp")],
    ),
    "dpdd": (
        {},
        [
            f"dd_dp_dataset_png/{split}_{view}/{side}/1P0A{2 * i + (side == 'target'):04d}.png"
            for split, numbers in (("train", range(8)), ("val", (8,)), ("test", (9,)))
            for i in numbers
            for view in ("c", "l")
            for side in ("source", "target")
        ],
    ),
    "sidd": (
        {},
        [
            f"SIDD_Medium_Srgb/Data/{phone}/{phone[:4]}_{kind}_SRGB_01{i}.PNG"
            for phone in PHONES
            for i in (0, 1)
            for kind in ("NOISY", "GT")
        ],
    ),
}
"""Name -> options, files: 8 pairs or scenes of train, one of each other split."""
CLEAN = ("div2k", "flickr2k")
VALUE = {"clean": 200, "degraded": 100}


@pytest.fixture(scope="module")
def registry():
    return Registry.discover()


@pytest.fixture(autouse=True)
def _warnings_are_said_again():
    published._warn.cache_clear()


CLEAN_FOLDERS = {"gt", "sharp", "target", "clear", "high", "norain", "DIV2K_train_HR", "DIV2K_valid_HR", "Flickr2K_HR"}


def is_clean(name):
    path = Path(name)
    of_rain100 = path.stem.startswith("norain") and "X2" not in path.parts
    return bool(CLEAN_FOLDERS & set(path.parts)) or of_rain100 or "_GT_" in path.stem


def plant(root, files, size=(6, 5)):
    for i, name in enumerate(files):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        picture = np.full((size[1], size[0], 3), VALUE["clean" if is_clean(name) else "degraded"], np.uint8)
        picture[0, 0] = i % 256, i // 256, 7  # no two files are equal
        Image.fromarray(picture).save(path, **({"quality": 100, "subsampling": 0} if path.suffix == ".jpg" else {}))


@pytest.fixture(params=TREES)
def tree(request, tmp_path):
    options, files = TREES[request.param]
    plant(tmp_path, files)
    return request.param, {"path": str(tmp_path), **options}


def made(registry, name, options):
    return registry.build("dataset", Ref(name=name, options=options))


def keys_of(dataset):
    return {split: list(dataset.keys(split)) for split in ("train", "val", "test")}


def test_every_published_set_is_planted():
    assert set(TREES) == {c.name for c in DATASETS if "published" in c.tags}


def test_splits_are_found_and_disjoint(registry, tree):
    keys = keys_of(made(registry, *tree))
    everything = [key for split in keys.values() for key in split]
    assert len(everything) == len(set(everything))
    assert all(split == sorted(split) for split in keys.values())
    of_train = {"outdoor_rain": 32, "reside": 16, "gopro": 16, "sidd": 16}.get(tree[0], 8)
    assert len(keys["train"]) + len(keys["val"]) == of_train + (tree[0] == "dpdd")
    assert len(keys["test"]) == {"snow100k": 3, "flickr2k": 0, "sidd": 0}.get(tree[0], 1)
    assert keys["train"]
    assert keys["val"]


def test_pairs_are_pairs(registry, tree):
    name, options = tree
    dataset = made(registry, name, options)
    for keys in keys_of(dataset).values():
        for key in keys:
            sample = dataset.load(key)
            assert sample.key == key
            assert sample.clean.shape == (3, 5, 6)
            assert sample.clean[:, 4, 5].mean() * 255 == pytest.approx(VALUE["clean"], abs=1)
            assert (sample.degraded is None) == (name in CLEAN)
            if sample.degraded is not None:
                assert sample.degraded[:, 4, 5].mean() * 255 == pytest.approx(VALUE["degraded"], abs=1)


def test_the_source_is_the_clean_file(registry, tree):
    name, options = tree
    dataset = made(registry, name, options)
    for keys in keys_of(dataset).values():
        for key in keys:
            source = Path(dataset.source(key))
            assert source.is_absolute()
            assert is_clean(source.relative_to(Path(options["path"]).resolve()))
    assert (
        len({dataset.source(k) for k in dataset.keys("train")} & {dataset.source(k) for k in dataset.keys("val")}) == 0
    )


@pytest.mark.parametrize(
    ("name", "key", "clean"),
    [
        ("rain100l", "RainTrainL/rain-3", "RainTrainL/norain-3.png"),
        ("rain100l", "Rain100L/rainy/rain-001", "Rain100L/norain-001.png"),
        ("rain100h", "rain_data_train_Heavy/rain/X2/norain-3x2", "rain_data_train_Heavy/norain/norain-3.png"),
        ("outdoor_rain", "train/in/im_0003_s100_a06", "train/gt/im_0003.png"),
        ("raindrop", "train/data/3_rain", "train/gt/3_clean.png"),
        ("reside", "ITS/hazy/3_2_0.92", "ITS/clear/3.png"),
        ("gopro", "train/GOPR0303_00_00/blur/000002", "train/GOPR0303_00_00/sharp/000002.png"),
        ("dpdd", "dd_dp_dataset_png/train_c/source/1P0A0006", "dd_dp_dataset_png/train_c/target/1P0A0007.png"),
        (
            "sidd",
            f"SIDD_Medium_Srgb/Data/{PHONES[0]}/0001_NOISY_SRGB_011",
            f"SIDD_Medium_Srgb/Data/{PHONES[0]}/0001_GT_SRGB_011.PNG",
        ),
    ],
)
def test_names_pair_as_they_were_published(registry, tmp_path, name, key, clean):
    options, files = TREES[name]
    plant(tmp_path, files)
    assert made(registry, name, {"path": str(tmp_path), **options}).source(key) == str((tmp_path / clean).resolve())


@pytest.mark.parametrize(
    ("name", "scene"),
    [
        ("outdoor_rain", lambda key: key.split("_s")[0]),
        ("reside", lambda key: Path(key).name.split("_")[0]),
        ("gopro", lambda key: key.split("/")[1]),
        ("sidd", lambda key: key.split("/")[2].split("_")[1]),
    ],
)
def test_val_takes_whole_scenes_chosen_by_their_names(registry, tmp_path, name, scene):
    options, files = TREES[name]
    plant(tmp_path, files)
    found = keys_of(made(registry, name, {"path": str(tmp_path), **options, "val_share": 0.25}))
    val, train = {scene(k) for k in found["val"]}, {scene(k) for k in found["train"]}
    assert not val & train
    assert len(val) == round(0.25 * len(val | train))
    again = made(registry, name, {"path": f"{tmp_path}/", **options, "val_share": 0.25})
    assert list(again.keys("val")) == found["val"]
    none = made(registry, name, {"path": str(tmp_path), **options, "val_share": 0.0})
    assert list(none.keys("val")) == []
    assert len(none.keys("train")) == len(found["train"]) + len(found["val"])


def test_a_larger_share_keeps_what_a_smaller_one_chose(registry, tmp_path):
    plant(tmp_path, TREES["gopro"][1])
    small, large = (
        set(made(registry, "gopro", {"path": str(tmp_path), "val_share": share}).keys("val")) for share in (0.125, 0.5)
    )
    assert small < large


def test_counts_that_are_not_the_published_ones_are_told(registry, tree, caplog):
    name, options = tree
    with caplog.at_level(logging.WARNING):
        made(registry, name, options).keys("train")
        made(registry, name, options).keys("train")
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == len(set(said)) > 0  # once, however often it is asked
    assert any("was published with" in s and "found" in s for s in said)
    with pytest.raises(ConfigError, match=r"was published with [\d,]+ (pairs|pictures) there; found \d+; complete it"):
        made(registry, name, {**options, "strict": True}).keys("train")


def test_both_numbers_are_named(registry, tmp_path, caplog):
    plant(tmp_path, TREES["lol"][1])
    with caplog.at_level(logging.WARNING):
        made(registry, "lol", {"path": str(tmp_path)}).keys("test")
    assert f"{tmp_path}/eval15: LOL was published with 15 pairs there; found 1" in caplog.messages


def test_a_folder_of_another_form_is_refused_with_what_was_expected_and_found(registry, tree, tmp_path):
    name, options = tree
    other = tmp_path / "other"
    plant(other, ["photos/a.png", "readme/b.png"])
    with pytest.raises(ConfigError) as caught:
        made(registry, name, {**options, "path": str(other)}).keys("train")
    said = str(caught.value)
    assert said.startswith(f"{other}: this folder does not contain ")
    assert "Expected " in said
    assert said.endswith("found photos/, readme/")
    assert caught.value.exit_code == 2
    with pytest.raises(ConfigError, match="there is no such folder"):
        made(registry, name, {**options, "path": str(tmp_path / "nowhere")}).keys("train")


def test_folders_of_another_sets_names_are_refused(registry, tmp_path):
    plant(tmp_path, ["train/data/a.png", "train/gt/a.png"])
    with pytest.raises(
        ConfigError, match=r"train: there is no picture of the form data/0_rain\.png and gt/0_clean\.png"
    ):
        made(registry, "raindrop", {"path": str(tmp_path)}).keys("train")


def test_a_picture_without_partner_is_refused(registry, tmp_path):
    plant(tmp_path, [f for f in TREES["raindrop"][1] if not f.startswith("train/gt/3")])
    with pytest.raises(
        ConfigError, match=r"train: 1 pictures have no clean one: data/3_rain; expected data/0_rain\.png"
    ):
        made(registry, "raindrop", {"path": str(tmp_path)}).keys("train")
    plant(tmp_path / "dpdd", TREES["dpdd"][1])
    (tmp_path / "dpdd/dd_dp_dataset_png/train_c/target/1P0A0003.png").unlink()
    with pytest.raises(ConfigError, match="there are 8 degraded and 7 clean pictures; they are paired in sorted order"):
        made(registry, "dpdd", {"path": str(tmp_path / "dpdd")}).keys("train")


@pytest.mark.parametrize("name", sorted(set(TREES) - {"flickr2k", "sidd"}))
def test_what_is_there_is_enough(registry, tmp_path, name):
    """Only the archives of test were unpacked."""
    options, files = TREES[name]
    plant(
        tmp_path, [f for f in files if any(w in f for w in ("test", "Test1", "SOTS", "valid_HR", "Rain100", "eval15"))]
    )
    found = keys_of(made(registry, name, {"path": str(tmp_path), **options}))
    assert (found["train"], found["val"]) == ([], [])
    assert found["test"]


def test_limit_takes_the_first_of_each_split(registry, tmp_path):
    plant(tmp_path, TREES["outdoor_rain"][1])
    whole, few = (made(registry, "outdoor_rain", {"path": str(tmp_path), "limit": n}) for n in (None, 3))
    assert list(few.keys("train")) == list(whole.keys("train"))[:3]


def test_options_choose_among_what_was_published(registry, tmp_path):
    for name in ("raindrop", "snow100k", "gopro"):
        plant(tmp_path / name, TREES[name][1])

    def test_keys(name, **options):
        return list(made(registry, name, {"path": str(tmp_path / name), **options}).keys("test"))

    assert test_keys("raindrop") == ["test_a/data/0_rain"]
    assert test_keys("raindrop", test="b") == ["test_b/data/0_rain"]
    assert [Path(k).name for k in test_keys("snow100k", test="M")] == ["hill_2"]
    assert test_keys("gopro", blur="gamma") == ["test/GOPR0410_11_00/blur_gamma/000001"]


@pytest.mark.parametrize("scenes", ["indoor", "outdoor"])
def test_the_first_form_of_reside(registry, tmp_path, scenes):
    trees = {
        "indoor": [
            *("ITS/train/ITS_haze/0001_01_0.9.png", "ITS/train/ITS_clear/0001.png"),
            *("ITS/val/haze/0002_01_0.9.png", "ITS/val/clear/0002.png"),
        ],
        "outdoor": [
            f"OTS_ALPHA/{n}" for i in (5, 6, 7) for n in (f"OTS/000{i}_0.8_0.2.jpg", f"clear_images/000{i}.jpg")
        ],
    }
    plant(tmp_path, trees[scenes])
    found = keys_of(made(registry, "reside", {"path": str(tmp_path), "scenes": scenes, "val_share": 0.4}))
    assert [len(found[split]) for split in ("train", "val")] == {"indoor": [1, 1], "outdoor": [2, 1]}[scenes]


def test_sots_indoors_loses_the_border_of_its_clean_pictures(registry, tmp_path):
    plant(tmp_path, ["SOTS/indoor/hazy/1400_1.png"], size=(620, 460))
    gt = tmp_path / "SOTS/indoor/gt/1400.png"
    gt.parent.mkdir()
    columns = np.broadcast_to((np.arange(640) % 256)[None, :, None], (480, 640, 3))
    Image.fromarray(columns.astype(np.uint8)).save(gt)
    sample = made(registry, "reside", {"path": str(tmp_path), "scenes": "indoor"}).load("SOTS/indoor/hazy/1400_1")
    assert sample.clean.shape == sample.degraded.shape == (3, 460, 620)
    assert torch.equal(sample.clean[0, 0], torch.from_numpy(columns[0, 10:630, 0] / 255).float())


def test_rain100_tells_photographs_apart_by_content(registry, tmp_path):
    """Train shows photographs several times, and those of test under other names."""
    root = tmp_path
    photographs = np.random.default_rng(0).integers(0, 256, (5, 5, 6, 3), dtype=np.uint8)
    shown = [0, 0, 1, 1, 2, 2, 3, 3, 4]  # 4 is a photograph of test
    for i, photograph in enumerate(shown, 1):
        for name, picture in (("norain", photographs[photograph]), ("rain", photographs[photograph] // 2)):
            path = root / f"RainTrainH/{name}-{i}.png"
            path.parent.mkdir(exist_ok=True)
            Image.fromarray(picture).save(path)
    (root / "Rain100H/rainy").mkdir(parents=True)
    Image.fromarray(photographs[4]).save(root / "Rain100H/norain-001.png")
    Image.fromarray(photographs[4] // 3).save(root / "Rain100H/rainy/rain-001.png")
    found = keys_of(made(registry, "rain100h", {"path": str(root), "val_share": 0.25}))
    numbers = {split: {int(k.rpartition("-")[2]) for k in keys} for split, keys in found.items()}
    assert numbers["train"] | numbers["val"] == set(range(1, 9))
    assert numbers["val"] in ({1, 2}, {3, 4}, {5, 6}, {7, 8})
    assert found["test"] == ["Rain100H/rainy/rain-001"]


def test_sidds_test_is_its_validation_blocks(registry, tmp_path):
    rng = np.random.default_rng(0)
    blocks = {name: rng.integers(0, 256, (3, 2, 4, 5, 3), dtype=np.uint8) for name in ("Noisy", "Gt")}
    for name, array in blocks.items():
        io.savemat(tmp_path / f"Validation{name}BlocksSrgb.mat", {f"Validation{name}BlocksSrgb": array})
    sidd = made(registry, "sidd", {"path": str(tmp_path)})
    assert list(sidd.keys("test")) == [f"blocks/{i:02d}_{b:02d}" for i in range(3) for b in range(2)]
    sample = sidd.load("blocks/02_01")
    np.testing.assert_array_equal((sample.degraded * 255).round().permute(1, 2, 0), blocks["Noisy"][2, 1])
    np.testing.assert_array_equal((sample.clean * 255).round().permute(1, 2, 0), blocks["Gt"][2, 1])
    assert sidd.source("blocks/02_01") == f"{tmp_path.resolve()}/ValidationGtBlocksSrgb.mat#02_01"
    with pytest.raises(ImageError, match="SIDD has no block 'blocks/09_00'"):
        sidd.load("blocks/09_00")
    with pytest.raises(ConfigError, match=r"published with 40 x 32 blocks; found \(3, 2\)"):
        made(registry, "sidd", {"path": str(tmp_path), "strict": True}).keys("test")
    io.savemat(tmp_path / "ValidationGtBlocksSrgb.mat", {"ValidationGtBlocksSrgb": blocks["Gt"][:2]})
    with pytest.raises(
        ConfigError, match=r"expected blocks of the shape .* found \(3, 2, 4, 5, 3\) and \(2, 2, 4, 5, 3\)"
    ):
        made(registry, "sidd", {"path": str(tmp_path)}).keys("test")


def test_unknown_keys_and_unequal_sizes_are_named(registry, tmp_path):
    plant(tmp_path, TREES["lol"][1])
    plant(tmp_path, ["our485/low/2.png"], size=(7, 5))
    lol = made(registry, "lol", {"path": str(tmp_path), "val_share": 0})
    with pytest.raises(ImageError, match="LOL has no picture 'z' here"):
        lol.load("z")
    with pytest.raises(ImageError, match=r"low/2\.png has 7 x 5 px and .*high/2\.png has 6 x 5 px"):
        lol.load("our485/low/2")


def test_each_cites_its_paper_and_states_its_licence():
    for component in DATASETS:
        assert component.licence
        assert component.citation.startswith("@") or component.name in ("folder", "paired", "union", "mixed")
        assert component.citation.count("{") == component.citation.count("}")
