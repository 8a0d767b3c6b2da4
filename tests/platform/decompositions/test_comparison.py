"""The report on decompositions: R² against a known answer and scikit-learn, deviations, and what cannot be used."""

import math
import sys
import types

import numpy as np
import pytest
import torch
from numpy.lib.stride_tricks import sliding_window_view
from sklearn.linear_model import LinearRegression
from sklearn.metrics import r2_score

from texprior.decompositions.comparison import LinearPrediction, compare_decompositions
from texprior.errors import ConfigError, TexpriorError
from texprior.flow.decompose import Layers
from texprior.flow.image import load_image, save_image
from texprior.plugin import Decomposition, Options, Ref
from texprior.registry import Plugin, Registry


def random(*shape, seed=0):
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


def judged(*pairs):
    """R² of a guess that is fitted on the first half of the layers and judged on the rest."""
    guess = LinearPrediction()
    for layers in pairs[: len(pairs) // 2]:
        guess.fit(layers)
    for layers in pairs[len(pairs) // 2 :]:
        guess.judge(layers)
    return guess.r2()


def blurred(x):
    kernel = torch.tensor([[1.0, 2, 1], [2, 4, 2], [1, 2, 1]]) / 16
    channels = x.shape[1]
    return torch.nn.functional.conv2d(x, kernel.expand(channels, 1, 3, 3), padding=1, groups=channels)


def test_a_texture_that_is_a_filter_of_the_structure_is_foretold():
    layers = [Layers(s, 0.3 * (s - blurred(s)) + 0.1) for s in (random(1, 3, 40, 44, seed=i) for i in range(4))]
    assert judged(*layers) == pytest.approx(1, abs=1e-10)


def test_noise_is_not_foretold():
    layers = [Layers(random(1, 2, 80, 90, seed=i), random(1, 2, 80, 90, seed=10 + i)) for i in range(6)]
    assert -0.03 < judged(*layers) < 0.01


@pytest.mark.parametrize("noise", [0.5, 2.0])
def test_signal_and_noise_give_the_share_of_the_signal(noise):
    """T = s + noise n, independent with equal variance: R² = 1 / (1 + noise²)."""
    layers = []
    for i in range(4):
        s = random(1, 1, 120, 130, seed=i)
        layers.append(Layers(s, s.roll((1, 2), (-2, -1)) + noise * random(1, 1, 120, 130, seed=10 + i)))
    assert judged(*layers) == pytest.approx(1 / (1 + noise**2), abs=0.02)


def test_it_is_scikit_learns_regression_of_each_channel():
    layers = [
        Layers(s := random(1, 2, 30, 26, seed=i), blurred(s) ** 2 + 0.1 * random(1, 2, 30, 26, seed=9 + i))
        for i in range(4)
    ]

    def table(some, channel):
        windows = [sliding_window_view(x.structure[0, channel].numpy(), (9, 9)).reshape(-1, 81) for x in some]
        return np.concatenate(windows), np.concatenate(
            [x.texture[0, channel, 4:-4, 4:-4].numpy().ravel() for x in some]
        )

    expected, truth = [], []
    for channel in range(2):
        fitted = LinearRegression().fit(*table(layers[:2], channel))
        windows, texture = table(layers[2:], channel)
        expected.append(fitted.predict(windows))
        truth.append(texture)
    assert judged(*layers) == pytest.approx(r2_score(np.concatenate(truth), np.concatenate(expected)), abs=1e-5)


def test_large_pictures_are_taken_in_strips(monkeypatch):
    layers = [Layers(s := random(1, 2, 37, 26, seed=i), blurred(s) ** 2) for i in range(2)]
    whole = judged(*layers)
    monkeypatch.setattr("texprior.decompositions.comparison._AT_ONCE", 26 * 5)
    assert judged(*layers) == pytest.approx(whole, rel=1e-9)


@pytest.fixture
def folder(tmp_path):
    for i in range(4):
        save_image(random(3, 40 + i, 50, seed=i), tmp_path / f"{i}.png")
    return tmp_path


def test_a_row_for_each_decomposition(folder):
    refs = [Ref(name="gaussian", options={"sigma": 2.0}), Ref(name="none")]
    (folder / "broken.png").write_bytes(b"no picture")
    save_image(random(3, 8, 50), folder / "small.png")
    files = sorted(folder.glob("*.png"))
    seen = []
    registry = Registry.discover()
    rows, broken = compare_decompositions(
        registry, refs, files, refs[0], lambda done, total: seen.append((done, total))
    )
    assert [row.decomposition for row in rows] == ["gaussian", "none"]
    assert {name.rsplit("/", 1)[-1] for name in broken} == {"broken.png", "small.png"}
    assert "50x8 px is smaller than the filter's window of 9 px" in str(broken)
    assert seen == [(i, 4) for i in range(5)]
    flat = [load_image(folder / f"{i}.png").double() for i in range(4)]
    texture = torch.cat([(x - x.mean((1, 2), keepdim=True)).flatten() for x in flat])
    assert rows[1].texture_std == pytest.approx(texture.std(correction=0).item(), rel=1e-6)
    assert abs(rows[1].r2) < 0.02
    assert rows[0].r2 > 0.3
    assert all(math.isfinite(row.seconds_per_megapixel) and row.times_reference > 0 for row in rows)


def test_one_photograph_is_too_few(folder):
    with pytest.raises(ConfigError, match="at least two photographs"):
        compare_decompositions(Registry.discover(), [Ref(name="none")], [folder / "0.png"], Ref(name="none"))


class Faulty:
    def __init__(self, options):
        pass

    def __call__(self, image):
        raise ZeroDivisionError("no light")


def test_what_a_plugin_raises_names_the_plugin_and_the_picture(folder, monkeypatch):
    module = types.ModuleType("faulty_filter")
    module.Faulty = Faulty
    monkeypatch.setitem(sys.modules, "faulty_filter", module)
    record = Decomposition("faulty", "faulty_filter:Faulty", Options)
    registry = Registry([*Registry.discover().plugins, Plugin("acme", "1", "loaded", components=(record,))])
    with pytest.raises(TexpriorError, match=r"decomposition 'faulty' failed on .*0\.png: ZeroDivisionError: no light"):
        compare_decompositions(registry, [Ref(name="faulty")], sorted(folder.glob("*.png")), Ref(name="none"))
