"""The bundled photographs: fixed splits, colour where it counts, no network."""

import socket
import subprocess
import sys

import pytest
import skimage.data
import torch

from texprior.errors import ConfigError, ImageError
from texprior_plugins.dataset import BUNDLED, BundledOptions
from texprior_plugins.dataset.bundled import PHOTOGRAPHS, Bundled, fit

SPLITS = ("train", "val", "test")


def test_splits_are_disjoint_and_as_documented():
    names = {split: list(Bundled(BundledOptions()).keys(split)) for split in SPLITS}
    everything = [name for split in SPLITS for name in names[split]]
    assert len(everything) == len(set(everything)) == len(PHOTOGRAPHS)
    assert [len(names[split]) for split in SPLITS] == [9, 2, 3]
    assert names["val"] == ["coffee", "flower"]
    assert names["test"] == ["astronaut", "chelsea", "china"]
    assert {"motorcycle_left", "motorcycle_right"} <= set(names["train"])  # one scene, one split
    assert "9 train, 2 val, 3 test" in BUNDLED.summary
    assert all(name.split("_")[0] in BUNDLED.licence for name in everything)
    assert list(Bundled(BundledOptions()).keys("other")) == []


def test_no_two_photographs_are_alike():
    """Tiny versions of any two pictures, the stereo pair apart, are far from identical."""
    tiny = {
        name: torch.nn.functional.interpolate(Bundled(BundledOptions()).load(name).clean[None], (32, 32), mode="area")
        for name in PHOTOGRAPHS
        if name != "motorcycle_right"
    }
    for a in tiny:
        for b in tiny:
            assert a == b or (tiny[a] - tiny[b]).abs().mean() > 0.05


@pytest.mark.parametrize("split", SPLITS)
def test_pictures_are_rgb_in_range_and_no_larger_than_asked(split):
    data = Bundled(BundledOptions(max_side=200))
    for key in data.keys(split):
        sample = data.load(key)
        assert (sample.key, sample.degraded) == (key, None)
        assert sample.clean.dtype == torch.float32
        assert sample.clean.shape[0] == 3
        assert max(sample.clean.shape[1:]) == 200
        assert 0 <= sample.clean.min() < sample.clean.max() <= 1
        coloured = (sample.clean[0] - sample.clean[1]).abs().mean() > 0.01
        assert coloured != PHOTOGRAPHS[key].grey


def test_grey_photographs_can_be_left_out():
    colour = set(Bundled(BundledOptions(grey=False)).keys("train"))
    assert colour == {"ihc", "motorcycle_left", "motorcycle_right", "rocket"}


def test_null_keeps_the_pixels_of_the_file():
    ours = Bundled(BundledOptions(max_side=None)).load("chelsea").clean
    expected = torch.from_numpy(skimage.data.chelsea().copy()).permute(2, 0, 1).float() / 255
    assert torch.equal(ours, expected)


def test_fit_keeps_small_pictures_the_aspect_and_the_mean():
    image = torch.rand(3, 60, 90, generator=torch.Generator().manual_seed(0))
    assert fit(image, 90) is image
    small = fit(image, 45)
    assert small.shape == (3, 30, 45)
    assert (small.mean((1, 2)) - image.mean((1, 2))).abs().max() < 0.01
    assert fit(torch.rand(3, 1, 1000), 100).shape == (3, 1, 100)


def test_no_network_is_used(monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)
    data = Bundled(BundledOptions())
    for split in SPLITS:
        for key in data.keys(split):
            data.load(key)


def test_neither_package_is_imported():
    code = (
        "import sys\n"
        "from texprior_plugins.dataset import BundledOptions\n"
        "from texprior_plugins.dataset.bundled import Bundled\n"
        "Bundled(BundledOptions()).load(Bundled(BundledOptions()).keys('test')[0])\n"
        "assert not {'skimage', 'sklearn', 'pooch'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_what_is_missing_is_named(monkeypatch, tmp_path):
    data = Bundled(BundledOptions())
    for asked in (data.load, data.source):
        with pytest.raises(ImageError, match="none named 'lena'"):
            asked("lena")
    monkeypatch.setattr("texprior_plugins.dataset.bundled._FOLDERS", {"skimage": "nowhere", "sklearn": "nowhere"})
    with pytest.raises(ConfigError, match=r"'astronaut': .*nowhere.astronaut\.png is missing; reinstall scikit-image"):
        data.keys("test")
