"""What a notebook shows of each object at the end of a cell: one line, whatever it holds."""

from pathlib import Path

import pytest
import torch

import texprior
from texprior.api import registry
from texprior.diffusion.process import Process
from texprior.evaluation.scores import Score, Scores
from texprior.models.build import Model, build_adapter, build_predictor, build_prior
from texprior.pipeline import Restored
from texprior.runtime.session import Session


@pytest.fixture(scope="module")
def bench():
    tiny = {"unet": {"width": 8, "levels": 1, "blocks": 1}}
    return texprior.load({"name": "x", "events": [], "encoder": "none", "denoiser": tiny, "predictor": tiny}, "seed=1")


@pytest.fixture(scope="module")
def model(bench):
    builder = Session.start(bench.experiment, bench.registry).builder
    prior = build_prior(builder, 1.0, Path("runs/x/prior-1"))
    parts = build_predictor(builder), build_adapter(builder, prior)
    return Model(bench.experiment, prior, *parts, Process(1.0), Path("runs/x/model-2"), bench.registry)


def test_each_is_one_short_line(bench, model):
    plugin = next(plugin for plugin in registry().plugins if plugin.distribution == "texprior")
    scores = Scores((Score("predictor", "a.png", "psnr_rgb", 30.0),), {"psnr_rgb": "higher"})
    restored = Restored(*[torch.zeros(1, 3, 40, 60)] * 5, calls=4, elapsed_s=0.25)
    said = {
        "Workbench(x: degradation defocus, adapter cga, 1 overrides)": bench,
        f"Experiment(x, {bench.experiment.hash()})": bench.experiment,
        "Scores(predictor: psnr_rgb of 1 pictures)": scores,
        "Restored(60 x 40 px, 4 calls, 0.25 s)": restored,
        f"Plugin(texprior {plugin.version}, loaded: {len(plugin.components)} components)": plugin,
    }
    assert {expected: repr(thing) for expected, thing in said.items()} == {expected: expected for expected in said}
    assert repr(bench.registry).startswith("Registry(")
    assert repr(model).startswith("Model(runs/x/model-2, adapter of ")
    assert repr(model.prior).startswith("Prior(runs/x/prior-1, ")
    assert all(len(repr(thing)) < 100 and "\n" not in repr(thing) for thing in (bench.registry, model, model.prior))
