"""Compiled training steps: the same numbers, weights under the same names, and sentences where it cannot work."""

import shutil
from functools import partial
from pathlib import Path

import pytest
import torch
from torch import nn

from texprior import config
from texprior.config.schema import Budget, Training
from texprior.diffusion.process import Process
from texprior.errors import ConfigError
from texprior.flow import compiled as compiling
from texprior.flow.compiled import compiled, require_compiler
from texprior.models.build import build_adapter, build_predictor, build_prior
from texprior.models.sampling import noise_levels_of
from texprior.registry import Registry
from texprior.runtime.session import Session
from texprior.store import load_tensors
from texprior.training.dry_run import Measured, compile_note
from texprior.training.loop import Step, train_steps
from texprior.training.losses import LayerLoss, prediction_loss_of
from texprior.training.preflight import random_patches
from texprior.training.recipe import build_recipe
from texprior.training.run import refuse_compiling
from texprior.training.trainee import Trainee

SETTINGS = Training(budget=Budget(images=8), batch=4, microbatch=2, patch=16, warmup_images=0, compile=True)
RECIPE = build_recipe(SETTINGS, Registry.discover(), torch.device("cpu"))


@pytest.fixture
def traced(monkeypatch):
    """Compiles as far as torch's graphs, without a C++ compiler; the result computes the same operations."""
    monkeypatch.setattr(compiling, "BACKEND", "eager")
    require_compiler.cache_clear()
    yield
    torch.compiler.reset()
    require_compiler.cache_clear()


@pytest.fixture(scope="module")
def registry():
    return Registry.discover()


def session(registry, adapter="cga"):
    data = {
        "name": "x",
        "events": [],
        "encoder": "none",
        "device": "cpu",
        "denoiser": {"unet": {"width": 8, "levels": 1, "blocks": 1}},
        "predictor": {"unet": {"width": 8, "levels": 1, "blocks": 1}},
        "adapter": adapter,
    }
    return Session.start(config.resolve(data, registry), registry)


def weights_after(network, loss, path):
    steps = [e for e in train_steps(Trainee(network, SETTINGS, RECIPE), loss, path, {}) if isinstance(e, Step)]
    assert not any(step.skipped for step in steps)
    return {name: tensor for name, tensor in load_tensors(path)[0].items() if name.startswith("model/")}


def layer_loss(at, prior, patches, amp, compiles):
    levels = noise_levels_of(at.registry, at.experiment.diffusion, prior.process, 1.0)
    return LayerLoss(at.experiment, prior, Process(1.0), patches, amp, levels, compiles=compiles)


def of_prior(at, compiles, amp):
    prior = build_prior(at.builder, 1.0, Path())
    patches = random_patches(prior.encoder, SETTINGS)
    return prior.network, layer_loss(at, prior, patches, amp, compiles).stage_one


def of_adapter(at, compiles, amp):
    prior = build_prior(at.builder, 1.0, Path())
    # the last layer is zero at first, and with it every gradient of an adapter before it
    for parameter in prior.network.parameters():
        nn.init.normal_(parameter, std=0.1, generator=torch.Generator().manual_seed(0))
    prior.network.requires_grad_(False).eval()
    adapter, patches = build_adapter(at.builder, prior), random_patches(prior.encoder, SETTINGS)
    return adapter, partial(layer_loss(at, prior, patches, amp, compiles).stage_two, adapter)


def of_predictor(at, compiles, amp):
    predictor = build_predictor(at.builder)
    return predictor, prediction_loss_of(predictor, random_patches(None, SETTINGS), amp, compiles=compiles)


CASES = [
    (of_prior, "cga", True),
    (of_predictor, "cga", False),
    (of_adapter, "cga", False),
    (of_adapter, "lora", False),
]


@pytest.mark.parametrize(("case", "adapter", "amp"), CASES)
@pytest.mark.usefixtures("traced")
def test_a_compiled_training_is_the_same_training(registry, case, adapter, amp, tmp_path, monkeypatch):
    """Adapters by guides and by replaced weights, microbatches and bfloat16: no other weights, no other names."""
    monkeypatch.setenv("TEXPRIOR_BFLOAT16", "yes" if amp else "no")
    compiling_calls = []
    real = torch.compile
    monkeypatch.setattr(torch, "compile", lambda *a, **k: compiling_calls.append(1) or real(*a, **k))
    at = session(registry, adapter)
    plain, fast = (weights_after(*case(at, c, amp), tmp_path / f"{c}.safetensors") for c in (False, True))
    assert compiling_calls
    assert plain.keys() == fast.keys()
    assert not any("_orig_mod" in name for name in fast)
    assert all(torch.allclose(plain[name], fast[name], rtol=0, atol=1e-6) for name in plain)


def test_nothing_is_compiled_unless_it_is_wanted():
    def call():
        return 1

    assert compiled(call, False) is call


@pytest.mark.usefixtures("traced")
def test_many_trainings_in_one_process_are_all_compiled():
    """torch gives up after some variants of one function, such as for the trials of a sweep."""
    graphs = torch._dynamo.utils.counters["stats"]
    for width in range(1, 13):
        layer = nn.Linear(width, 2)
        before = graphs["unique_graphs"]
        compiled(lambda x, layer=layer: layer(x), True)(torch.ones(3, width))
        assert graphs["unique_graphs"] == before + 1


def test_what_is_missing_is_a_sentence_before_the_training(monkeypatch):
    def broken(_graph, _inputs):
        raise RuntimeError("InvalidCxxCompiler: no C++ compiler was found\nand a long traceback")

    monkeypatch.setattr(compiling, "BACKEND", broken)
    require_compiler.cache_clear()
    torch.compiler.reset()
    with pytest.raises(
        ConfigError, match=r"^training.prior.compile: torch.compile does not work here on cpu \(.*C\+\+"
    ):
        refuse_compiling("prior", SETTINGS, torch.device("cpu"))
    refuse_compiling("prior", SETTINGS.model_copy(update={"compile": False}), torch.device("cpu"))
    with pytest.raises(ConfigError, match="the network cannot be compiled") as caught:
        compiled(lambda x: x + 1, True)(torch.ones(2))
    assert "\n" not in str(caught.value)
    require_compiler.cache_clear()


@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler on a CPU")
def test_the_real_compiler_is_found_where_there_is_one():
    require_compiler.cache_clear()
    require_compiler(torch.device("cpu"))


def measured(fast, plain, seconds, budget=10000):
    extra = {"uncompiled_images_per_s": plain, "compile_s": seconds}
    return Measured("prior", 1, 1, fast, budget, 1.0, None, **extra)


def test_the_note_of_a_dry_run_weighs_the_cost_against_the_gain():
    assert compile_note(measured(50.0, None, 0.0)) is None
    # a hundredth of a second less an image: 20 s are won back by 2,000 images
    assert "takes 20 s, which 2,000 images win back" in compile_note(measured(100.0, 50.0, 20.0))
    assert "more than its budget" in compile_note(measured(100.0, 50.0, 20.0, budget=1000))
    assert "no faster here: set training.prior.compile to false" in compile_note(measured(50.0, 50.0, 20.0))
