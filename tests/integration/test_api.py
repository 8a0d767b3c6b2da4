"""The line from a script: load, prior, adapt, restore, evaluate, sweep; and a plugin that is a single file in it."""

import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import texprior
from texprior import api
from texprior.errors import ConfigError, ImageError, PluginError
from texprior.flow.kinds import DEGRADATION
from texprior.models.folders import folder_builder
from texprior.registry import Registry

PLUGIN = '''
from typing import Annotated, Literal

import torch
from torch import nn

from texprior.flow.adapt import BlockAdapter
from texprior.plugin import Adapter, Options, Tune, hookimpl


class ShiftOptions(Options):
    """Options."""

    start: Annotated[Literal[0, 1], Tune()] = 0


class Shift(BlockAdapter):
    """h' = h + b, b a trained number for each channel."""

    def __init__(self, options, denoiser):
        super().__init__(denoiser)
        self.b = nn.ParameterDict({
            name.replace(".", "_"): nn.Parameter(torch.full((block.channels,), 0.01 * options.start))
            for name, block in self.block_of.items()
        })

    def after_block(self, block, hidden, features):
        return hidden + self.b[block.replace(".", "_")][:, None, None]


@hookimpl
def texprior_adapters():
    return [Adapter("shift", "shift_idea:Shift", ShiftOptions, "Adds a number.", citation="@misc{shift}")]
'''
BUDGET = {"batch": 8, "patch": 32, "warmup_images": 0}
TINY = {
    "name": "tiny",
    "threads": 1,
    "data": {name: {"bundled": {"max_side": 64}} for name in ("train", "val", "test")} | {"variants": 1},
    "encoder": "none",
    "denoiser": {"unet": {"width": 8, "levels": 2, "blocks": 1, "heads": 1}},
    "predictor": {"unet": {"width": 8, "levels": 1, "blocks": 1}},
    "adapter": "shift",
    "training": {
        "prior": {"budget": {"images": 32}, **BUDGET},
        "predictor": {"budget": {"images": 32}, **BUDGET},
        "adapter": {"budget": {"images": 16}, **BUDGET},
    },
    "sampling": {"steps": 2},
    "metrics": ["psnr"],
    "events": [],
    "sweep": {"space": {"adapter": ["shift"]}, "metric": "psnr_rgb", "trials": 2, "confirm": {"top": 0}},
}


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    root = tmp_path_factory.mktemp("api")
    (root / "shift_idea.py").write_text(PLUGIN)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(api, "_REGISTRY", [])
        patch.setenv("TEXPRIOR_RUNS", str(root / "runs"))
        texprior.register(root / "shift_idea.py")
        yield texprior.load(TINY, quiet=True)


@pytest.fixture(scope="module")
def model(bench):
    return bench.adapt(bench.prior())


def test_a_plugin_file_is_part_of_what_is_trained(bench, model):
    (plugin,) = [p for p in bench.registry.plugins if p.file]
    card = (model / "README.md").read_text()
    assert f"`adapter`: shift-idea/shift {plugin.version}, the single file shift_idea.py" in card
    assert "Commands that use these weights need `--plugin shift_idea.py`." in card
    with pytest.raises(
        ConfigError, match=r"there is no adapter 'shift'.* the single file shift_idea\.py: add --plugin"
    ):
        folder_builder(model, Registry.discover())
    assert "@misc{shift}" in card
    with bench._session() as session:
        info = session.run_info("x", "x", "adapter")
    assert info.tags["texprior.component.adapter"] == f"shift-idea/shift=={plugin.version} (API 1)"
    assert "@misc{shift}" in info.citations
    again = bench.adapt()
    assert again == model
    Path(plugin.file).write_text(PLUGIN + "\n# another content\n")
    try:
        texprior.register(plugin.file)
        assert bench.adapt() == model
        Path(plugin.file).write_text(PLUGIN + "\nother = 'program'\n")
        texprior.register(plugin.file)
        assert bench.adapt().name != model.name
    finally:
        Path(plugin.file).write_text(PLUGIN)
        texprior.register(plugin.file)


def test_a_file_and_its_picture_are_restored_alike(bench, model, tmp_path):
    from texprior.flow.image import load_image, save_image

    save_image(torch.rand(3, 50, 70, generator=torch.Generator().manual_seed(0)), tmp_path / "a.png")
    of_file = texprior.restore(model, tmp_path / "a.png", steps=3)
    loaded = texprior.load_model(model)
    of_tensor = texprior.restore(loaded, load_image(tmp_path / "a.png"), key="a.png", steps=3)
    assert of_file.calls == 3
    assert of_file.picture.shape == (1, 3, 50, 70)
    assert of_file.picture.equal(of_tensor.picture)
    assert not of_file.picture.equal(texprior.restore(loaded, tmp_path / "a.png", seed=5, steps=3).picture)
    base = texprior.restore(loaded, tmp_path / "a.png", texture_strength=0)
    assert base.picture.equal(base.base.clamp(0, 1))
    with pytest.raises(ConfigError, match=r"restore: sampling.stepz: unknown key; did you mean 'steps'\?"):
        texprior.restore(loaded, tmp_path / "a.png", stepz=3)


def test_an_evaluation_is_that_of_the_command(bench, model, tmp_path):
    scores = bench.evaluate(model, "val", tmp_path)
    assert (tmp_path / "scores.csv").is_file()
    from texprior.evaluation.scores import read_scores

    for method, means in read_scores(tmp_path / "scores.csv").means().items():
        assert means == pytest.approx(scores.means()[method], rel=1e-5)
    assert scores.methods() == ["degraded", "predictor", "restored 2 calls"]
    degraded = [10 * math.log10(1 / mse) for mse in _errors_of_the_degraded(bench)]
    found = scores.of("degraded", "psnr_rgb").values()
    assert list(found) == pytest.approx(degraded, abs=1e-4)


def _errors_of_the_degraded(bench):
    from texprior.flow.degrade import degraded_sample

    with bench._session() as session:
        dataset, keys = session.pictures("val")
        degradation = session.build(DEGRADATION)
        for key in keys:
            sample = dataset.load(key)
            yield (degraded_sample(sample, degradation, 0) - sample.clean).square().mean().item()


def test_sweep_workers_get_the_plugin_file(bench, model):
    done = bench.sweep(workers=2)
    assert sorted(t.params["adapter.shift.start"] for t in done.trials) == [0, 1]
    assert [t.state for t in done.trials] == ["finished", "finished"]
    assert done.best.values["psnr_rgb"] == max(t.values["psnr_rgb"] for t in done.trials)


def test_overrides_and_what_is_wrong(bench, tmp_path):
    assert bench.with_("seed=3", "adapter=cga").experiment.adapter.options["width"] == 32
    plain = texprior.load({key: value for key, value in TINY.items() if key != "sweep"}, "adapter=cga")
    other = plain.with_("seed=3").with_("adapter=sft").experiment  # the space written out for cga is not kept
    assert (other.seed, other.sweep.space["adapter"]) == (3, ["sft"])
    with pytest.raises(ConfigError, match=r"experiment: adaptor: unknown key; did you mean 'adapter'\?"):
        texprior.load({"name": "x", "adaptor": "cga"})
    with pytest.raises(ConfigError, match="there is no such experiment file"):
        texprior.load(tmp_path / "none.yaml")
    with pytest.raises(ConfigError, match=r"own prior is not trained yet .*: seed: 0 -> 9; train it with prior\(\)"):
        bench.with_("seed=9").adapt()
    with pytest.raises(PluginError, match="there is no such file"):
        texprior.register(tmp_path / "none.py")


def test_importing_and_loading_stay_light():
    code = (
        "import sys, texprior; texprior.load({'name': 'x'}); assert {'load', 'restore'} <= set(dir(texprior)); "
        "print([m for m in ('torch', 'numpy', 'mlflow', 'optuna', 'albumentations') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    with pytest.raises(AttributeError, match="module 'texprior' has no attribute 'nothing'"):
        texprior.nothing  # noqa: B018


def test_a_picture_in_every_form_is_restored_alike(bench, tmp_path):
    """The noise is keyed by the name, so every call is given one; 8 bits are the same numbers in every form."""
    model = texprior.load_model(bench.adapt(bench.prior()))
    levels = np.random.default_rng(0).integers(0, 256, (24, 40, 3), dtype=np.uint8)
    Image.fromarray(levels).save(tmp_path / "picture.png")
    unit = torch.from_numpy(levels).permute(2, 0, 1) / 255
    given = [levels, levels / 255, Image.fromarray(levels), unit, unit[None], torch.from_numpy(levels).permute(2, 0, 1)]
    expected = texprior.restore(model, tmp_path / "picture.png", key="x").picture
    for image in given:
        torch.testing.assert_close(texprior.restore(model, image, key="x").picture, expected, rtol=0, atol=1e-5)
    with torch.inference_mode():  # tensors that are made in it count no changes
        torch.testing.assert_close(texprior.restore(model, levels, key="x").picture, expected, rtol=0, atol=1e-5)
    for image in (unit * 255, unit * 2 - 1, unit.log(), unit.expand(2, -1, -1, -1), None):
        with pytest.raises(ImageError):
            texprior.restore(model, image)
