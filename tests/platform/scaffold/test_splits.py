"""Photographs are shared out by scene and by name, the same way each time."""

import pytest

from texprior.errors import ConfigError
from texprior.scaffold.splits import shared_out


def test_a_tenth_each_is_held_out_and_nothing_is_in_two_splits():
    keys = [f"{n}.png" for n in range(50)]
    found = shared_out({key: key for key in keys})
    assert {split: len(held) for split, held in found.items()} == {"train": 40, "val": 5, "test": 5}
    assert sorted(key for held in found.values() for key in held) == sorted(keys)
    # another order of the folder, or another picture in train, moves no other picture
    assert shared_out({key: key for key in reversed(keys)}) == found


def test_pictures_of_one_scene_stay_together():
    scenes = {f"{scene}_{n}": scene for scene in ("a", "b", "c", "d") for n in range(3)}
    found = shared_out(scenes)
    assert {len({scenes[key] for key in found[split]}) for split in ("val", "test")} == {1}
    shown = [{scenes[key] for key in held} for held in found.values()]
    assert sum(map(len, shown)) == len(set.union(*shown)) == 4


def test_folders_named_by_split_say_the_split_and_a_missing_one_leaves_train():
    keys = ["train/1.png", "train/2.png", "train/3.png", "test/4.png"]
    found = shared_out({key: key for key in keys})
    assert found["test"] == ["test/4.png"]
    assert (len(found["train"]), len(found["val"])) == (2, 1)
    assert all(key.startswith("train/") for key in found["train"] + found["val"])


def test_too_few_scenes_are_refused():
    with pytest.raises(ConfigError, match="three photographs or more"):
        shared_out({"1.png": "1.png", "2.png": "2.png"})
