"""Noise on the condition whose level the network is told: drawn in training, chosen in sampling, or refused."""

from pathlib import Path

import pytest
import torch

from texprior import config, pipeline
from texprior.diffusion.keys import generator, normal
from texprior.diffusion.process import Process
from texprior.errors import ConfigError
from texprior.flow.adapt import Given, features_of, steered
from texprior.flow.condition import split_level, with_level
from texprior.models.build import build_adapter, build_prior
from texprior.models.folders import load_model
from texprior.models.inputs import Inputs, given_of, inputs_of
from texprior.models.sampling import noise_levels_of
from texprior.registry import Registry
from texprior.runtime.session import Session
from texprior.testing.material import perturbed
from texprior.training.adapter import train_adapter
from texprior.training.losses import LayerLoss
from texprior.training.patches import Patches, Pool
from texprior.training.predictor import train_predictor
from texprior.training.preflight import rehearse_training
from texprior.training.prior import train_prior

MOST, NUMBERS = 0.1, list(range(200))
SMALL = {
    "name": "small",
    "threads": 1,
    "device": "cpu",
    "data": {name: {"bundled": {"max_side": 96}} for name in ("train", "val", "test")} | {"variants": 1},
    "encoder": "none",
    "denoiser": {"unet": {"width": 8, "levels": 2, "blocks": 1}},
    "predictor": {"unet": {"width": 8, "levels": 1, "blocks": 1}},
    "training": {
        stage: {"budget": {"images": 16}, "batch": 8, "patch": 32, "warmup_images": 0}
        for stage in ("prior", "predictor", "adapter")
    },
    "events": [],
}
DENOISERS = {
    "unet": {"width": 8, "levels": 2, "blocks": 1},
    "nafnet": {"width": 8, "levels": 2, "blocks": 1, "middle": 1, "head_width": 8},
    "window_transformer": {"width": 8, "levels": 2, "blocks": 1, "middle": 1, "head_width": 8, "window": 4},
}


@pytest.fixture(scope="module")
def registry():
    return Registry.discover()


def resolved(registry, *overrides, **changes):
    return config.resolve({**SMALL, **changes}, registry, overrides)


def told(registry, *overrides, **changes):
    return resolved(registry, f"diffusion.condition_noise_max={MOST}", *overrides, **changes)


def session(registry, root, experiment):
    return Session.start(experiment, registry, root=root)


@pytest.fixture(scope="module")
def trained(registry, tmp_path_factory):
    """Prior, predictor, and a model whose own experiment says nothing of the noise: the prior takes it along."""
    root = tmp_path_factory.mktemp("runs")
    folder = train_prior(session(registry, root, told(registry))).folder
    s = session(registry, root, resolved(registry))
    predictor = train_predictor(s).folder
    return folder, predictor, train_adapter(s, folder, predictor).folder, s


@pytest.fixture(scope="module")
def model(trained):
    found = load_model(trained[2], trained[3].builder, trained[0])
    # an embedding that starts at 0 has learned little in two steps
    perturbed(found.prior.network)
    return found


def loss_of(registry, experiment, root, seed=0):
    prior = build_prior(Session.start(experiment, registry, root=root).builder, 1.0, Path())

    def pictures(key):
        return {name: torch.full((3, 16, 16), 0.5) for name in ("picture", "structure")} | {"code": torch.zeros(0, 0)}

    patches = Patches(Pool(["0", "1"], pictures, 16), 16, seed)
    levels = noise_levels_of(registry, experiment.diffusion, prior.process, 1.0)
    return LayerLoss(experiment, prior, Process(1.0), patches, False, levels)


def test_the_level_is_a_channel_of_the_condition():
    picture, levels = torch.rand(2, 3, 4, 5), torch.tensor([0.1, 0.3])
    condition = with_level(picture, levels)
    assert condition.shape == (2, 4, 4, 5)
    found, level = split_level(condition)
    assert torch.equal(found, picture)
    assert torch.equal(level, levels)
    assert torch.equal(split_level(picture)[1], torch.zeros(2))


def test_training_draws_a_level_for_each_sample_and_tells_it(registry, tmp_path):
    """Uniform in [0, max] within 4 standard errors; it is the deviation of the noise; both depend on (seed, number)."""
    loss = loss_of(registry, told(registry), tmp_path)
    condition = loss.disturbed(torch.full((200, 3, 16, 16), 0.5), NUMBERS)
    picture, level = split_level(condition)
    expected = [MOST * float(torch.rand(1, generator=generator(0, "condition level", n))) for n in NUMBERS]
    assert level.tolist() == pytest.approx(expected)
    assert abs(level.mean() - MOST / 2) < 4 * MOST / 12**0.5 / 200**0.5
    noise = torch.cat([normal((1, 3, 16, 16), 0, "condition", n) for n in NUMBERS])
    assert torch.allclose(picture, 0.5 + level.view(-1, 1, 1, 1) * noise, atol=1e-6)
    again = loss.disturbed(torch.full((2, 3, 16, 16), 0.5), [7, 150])
    assert torch.equal(again, condition[[7, 150]])
    other = loss_of(registry, told(registry), tmp_path, seed=1)
    assert not torch.equal(split_level(other.disturbed(torch.full((1, 3, 16, 16), 0.5), [7]))[1], level[7:8])


def test_an_objective_gets_the_condition_as_a_picture(registry, tmp_path):
    loss, seen = loss_of(registry, told(registry), tmp_path), []

    class Objective(torch.nn.Module):
        def forward(self, learned):
            seen.append(learned.inputs["condition"].shape)
            return learned.estimate.mean((1, 2, 3))

    loss.objective = Objective()
    loss.stage_one([0, 1])
    assert seen == [(2, 3, 16, 16)]


def test_without_the_setting_the_network_is_as_ever(registry, tmp_path):
    """No further parameter, and the condition has three channels."""
    off = build_prior(Session.start(resolved(registry), registry, root=tmp_path).builder, 1.0, Path()).network
    on = build_prior(Session.start(told(registry), registry, root=tmp_path).builder, 1.0, Path()).network
    more = on.state_dict().keys() - off.state_dict().keys()
    assert more == {f"embed.level.{n}.{what}" for n in (0, 2) for what in ("weight", "bias")}
    silent = loss_of(registry, resolved(registry), tmp_path)
    assert silent.disturbed(torch.zeros(1, 3, 4, 4), [0]).shape == (1, 3, 4, 4)


@pytest.mark.parametrize("level", [0.0, 0.05])
def test_sampling_chooses_the_level(model, level):
    """The condition of every call is that of the picture, plus keyed noise of the level, which the network is told."""
    degraded, seen = torch.rand(1, 3, 40, 48, generator=torch.Generator().manual_seed(0)), []
    handle = model.prior.network.register_forward_pre_hook(lambda _module, args: seen.append(args[2]))
    sampling = model.experiment.sampling.model_copy(update={"condition_noise": level})
    result = pipeline.restore(model, degraded, "p", sampling, seed=5)
    handle.remove()
    given = inputs_of(degraded, model.experiment, model.predictor, model.prior, model.prior.encoder)
    expected = given.condition + level * normal(degraded.shape, 5, "condition", "p")
    assert len(seen) == 4
    for condition in seen:
        picture, heard = split_level(condition)
        assert torch.allclose(picture, expected, atol=1e-6)
        assert heard.tolist() == pytest.approx([level])
    assert torch.equal(result.picture, pipeline.restore(model, degraded, "p", sampling, seed=5).picture)


def test_what_an_adapter_sees_of_the_condition_is_a_picture(model):
    """... with its noise, without the channel of its level."""
    picture, code = torch.rand(1, 3, 8, 8), torch.zeros(1, 0, 0)
    inputs = Inputs(picture, picture, picture, code)
    noised = with_level(picture + 0.1, torch.tensor([0.1]))
    seen = given_of(picture, inputs, noised, model.experiment.process)
    assert torch.equal(seen.condition, picture + 0.1)


def test_tiles_hear_the_level_too(model):
    degraded = torch.rand(1, 3, 80, 96, generator=torch.Generator().manual_seed(0))
    sampling = model.experiment.sampling.model_copy(update={"condition_noise": 0.1})
    whole = pipeline.restore(model, degraded, "p", sampling).picture
    tiled = pipeline.restore(model, degraded, "p", sampling.model_copy(update={"tile": 64, "halo": 64})).picture
    assert torch.allclose(tiled, whole, atol=1e-4)


def test_the_prior_takes_its_levels_along(trained, model):
    assert model.experiment.diffusion.condition_noise_max == MOST
    assert trained[3].experiment.diffusion.condition_noise_max == 0


def test_more_noise_than_the_prior_knows_is_refused(registry, trained, model, tmp_path):
    degraded = torch.rand(1, 3, 32, 32)
    sampling = model.experiment.sampling.model_copy(update={"condition_noise": 0.2})
    with pytest.raises(ConfigError, match=r"0\.2 cannot be used, because the prior was trained with levels up to 0\.1"):
        pipeline.restore(model, degraded, "p", sampling)
    with pytest.raises(ConfigError, match="is told no level of noise on its condition"):
        train_prior(session(registry, tmp_path, resolved(registry, "sampling.condition_noise=0.05")))
    above = session(registry, tmp_path, resolved(registry, "sampling.condition_noise=0.2"))
    with pytest.raises(ConfigError, match=r"set it to at most 0\.1"):
        train_adapter(above, *trained[:2])


def test_two_kinds_of_noise_are_refused(registry):
    with pytest.raises(ConfigError, match="leave one of the two out"):
        told(registry, "diffusion.condition_noise=0.1")


PLUGIN = """
from texprior.plugin import Denoiser, Options, hookimpl

@hookimpl
def texprior_denoisers():
    return [Denoiser("untold", "untold:Untold", Options, "Of plugin API 2.", api=2)]
"""


def test_a_denoiser_that_does_not_declare_it_is_refused_before_training(tmp_path):
    (tmp_path / "untold.py").write_text(PLUGIN)
    registry = Registry.discover([tmp_path / "untold.py"])
    with pytest.raises(ConfigError, match="denoiser 'untold' cannot be told the level of the noise on its condition"):
        told(registry, denoiser="untold")
    assert resolved(registry, denoiser="untold").diffusion.condition_noise_max == 0


@pytest.mark.parametrize("denoiser", DENOISERS)
def test_every_denoiser_and_adapter_goes_through_a_training_and_a_restoration(registry, tmp_path, denoiser):
    experiment = told(registry, "sampling.condition_noise=0.05", denoiser={denoiser: DENOISERS[denoiser]})
    rehearse_training(session(registry, tmp_path, experiment))


@pytest.mark.parametrize("adapter", [e.component.name for e in Registry.discover().entries("adapter")])
def test_every_adapter_passes_the_level_on(registry, tmp_path, adapter):
    """The steered network's output depends on it; the copy of controlnet reads it too."""
    # film needs a code
    experiment = told(registry, f"adapter={adapter}", encoder={"mobilenet_v2": {"stages": 3}})
    builder = Session.start(experiment, registry, root=tmp_path).builder
    prior = build_prior(builder, 1.0, Path())
    perturbed(prior.network.requires_grad_(False))
    built = build_adapter(builder, prior)
    with torch.no_grad():
        perturbed(built)
        g = torch.Generator().manual_seed(0)
        x, picture, estimate = (torch.rand(1, 3, 32, 32, generator=g) for _ in range(3))
        code = torch.rand(1, prior.encoder.tokens, prior.encoder.width, generator=g)
        network = steered(built, prior.network, features_of(built, Given(estimate, estimate, picture, code, picture)))
        quiet, loud = (network(x, torch.zeros(1), with_level(picture, torch.tensor([v])), code) for v in (0.0, 0.1))
    assert (loud - quiet).abs().max() > 1e-6
    if hasattr(built, "paths"):
        assert any("embed.level" in path for path in built.paths) == any("embed.noise" in path for path in built.paths)
