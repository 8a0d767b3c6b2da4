"""A model under each process: its base, its range, its start and its sampler, with networks that learned nothing.

F = 0 makes D(x, sigma) = x / (sigma^2 + 1), so one call of the network has a closed form.
"""

from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from texprior import config, pipeline
from texprior.diffusion.keys import normal
from texprior.diffusion.process import Process
from texprior.errors import ConfigError, ContractError
from texprior.flow.kinds import PREDICTOR
from texprior.flow.process import DiffusionProcess
from texprior.models.build import Model, build_adapter, build_prior
from texprior.models.sampling import build_sampler, rehearsed_scale, require_range, require_start
from texprior.models.stage_one import stage_one_differences, with_stage_one_of
from texprior.plugin import Ref
from texprior.registry import Registry
from texprior.runtime.session import Session

SCALE = 0.02


@pytest.fixture(scope="module")
def registry():
    return Registry.discover()


def experiment_of(registry, process="texture", *overrides):
    data = {
        "name": "untrained",
        "encoder": "none",
        "denoiser": {"unet": {"width": 8, "levels": 1, "blocks": 1}},
        "predictor": {"unet": {"width": 8, "levels": 1, "blocks": 1}},
        "diffusion": {"process": process},
        "events": [],
    }
    return config.resolve(data, registry, overrides)


@pytest.fixture(scope="module")
def model_of(registry):
    def model_of(process, *overrides):
        session = Session.start(experiment_of(registry, process, *overrides), registry)
        prior = build_prior(session.builder, SCALE, Path())
        prior.network.requires_grad_(False)
        predictor, adapter = session.build(PREDICTOR), build_adapter(session.builder, prior)
        return Model(session.experiment, prior, predictor, adapter, Process(SCALE), Path(), registry)

    return model_of


@pytest.fixture(scope="module")
def degraded():
    return 0.4 + 0.2 * torch.rand(1, 3, 48, 64, generator=torch.Generator().manual_seed(0))


def restored(model, degraded, **settings):
    sampling = {**model.experiment.sampling.model_dump(mode="json"), "steps": 1, **settings}
    return pipeline.restore(model, degraded, "key", config.Sampling.model_validate(sampling), seed=3)


@pytest.mark.parametrize(
    ("process", "base"),
    [
        ("picture", lambda degraded, _estimate: torch.full_like(degraded, 0.5)),
        ("residual-shift", lambda degraded, _estimate: degraded),
        ({"mean-reverting": {"towards": "estimate"}}, lambda _degraded, estimate: estimate),
    ],
)
def test_the_base_is_the_processes_own(model_of, degraded, process, base):
    result = restored(model_of(process), degraded, sigma_max=3.0)
    torch.testing.assert_close(result.base, base(degraded, result.estimate), rtol=0, atol=0)
    expected = 3.0 / 10 * normal(degraded.shape, 3, "key", 0, -1)
    torch.testing.assert_close(result.layer, expected, rtol=1e-5, atol=1e-6)


def test_the_network_is_given_what_the_process_says_in_every_tile(model_of, registry, degraded):
    """A network that repeats its input shows it: one call returns c_skip x + c_out enter(x)."""
    model, sigma = model_of("residual-shift", "sampling.tile=64", "sampling.halo=16"), 3.0
    wide = degraded.repeat(1, 1, 1, 3)

    echo = deepcopy(model.prior.network)
    echo.forward = lambda x_BCHW, *_others: x_BCHW
    prior = replace(model.prior, network=echo)
    result = pipeline.restore(
        replace(model, prior=prior), wide, "key",
        model.experiment.sampling.model_copy(update={"steps": 1, "sigma_max": sigma}), seed=3, guided=False,
    )  # fmt: skip
    x = sigma * normal(wide.shape, 3, "key", 0, -1)
    given = model.prior.process.enter(x, torch.tensor([sigma]), wide, SCALE)
    torch.testing.assert_close(result.layer, x / 10 + sigma / 10**0.5 * given, rtol=1e-5, atol=1e-5)


def test_the_reverse_chain_of_the_process_restores(model_of, degraded):
    """Residual shift keeps more noise than DDPM, so that its chain is another one."""
    model = model_of("residual-shift")
    chain, ddpm = (restored(model, degraded, steps=4, samples=2, sampler=s).layer for s in ("posterior", "ddpm"))
    assert chain.isfinite().all()
    assert (chain - ddpm).abs().max() > 1e-3
    texture = model_of("texture")
    same, ancestral = (restored(texture, degraded, steps=4, sampler=s).layer for s in ("posterior", "ddpm"))
    torch.testing.assert_close(same, ancestral, rtol=1e-5, atol=1e-6)


def test_a_level_beyond_the_end_is_refused_and_the_number_that_is_named_is_accepted(degraded, model_of):
    model = model_of({"mean-reverting": {"end": 0.2}})
    largest = model.prior.process.largest
    assert largest == pytest.approx(10 / 255 * 24**0.5)
    said = r"sampling\.sigma_max: 20 times the layer's standard deviation, 0\.02, is beyond"
    with pytest.raises(ConfigError, match=said) as error:
        restored(model, degraded)
    most = float(str(error.value).rpartition(" ")[2])
    assert most == pytest.approx(largest / SCALE, rel=1e-3)
    assert restored(model, degraded, sigma_max=most).picture.isfinite().all()
    end = restored(model, degraded, sigma_max=largest / SCALE).picture
    assert torch.equal(restored(model, degraded, sigma_max="largest").picture, end)
    # a layer that is not measured yet is rehearsed within the range
    scale = rehearsed_scale(model.prior.process, model.experiment.sampling)
    require_range(model.prior.process, model.experiment.sampling, scale)
    assert rehearsed_scale(model_of("texture").prior.process, model.experiment.sampling) == 1.0


def test_a_warm_start_at_its_own_base_is_refused(model_of, degraded):
    settings = config.Sampling(start="estimate")
    with pytest.raises(ConfigError, match=r"sampling\.start: 'estimate' starts at the layer of y_eps, which is 0"):
        restored(model_of({"residual-shift": {"towards": "estimate"}}), degraded, start="estimate")
    require_start(model_of("residual-shift").prior.process, settings)
    require_start(model_of("texture").prior.process, settings)
    warm = restored(model_of("residual-shift"), degraded, start="estimate", sigma_max=0.5)
    expected = (warm.estimate - degraded) / SCALE + 0.5 * normal(degraded.shape, 3, "key", 0, -1)
    torch.testing.assert_close(warm.layer, expected / 1.25, rtol=1e-4, atol=1e-4)


def test_a_base_that_is_not_finite_names_the_process(model_of, degraded):
    model = model_of("residual-shift")
    process = deepcopy(model.prior.process)
    process.base_two = lambda degraded_BCHW, _estimate: degraded_BCHW * float("nan")
    broken = replace(model, prior=replace(model.prior, process=process))
    with pytest.raises(ContractError, match="the base of picture 'key'") as error:
        restored(broken, degraded)
    assert "ResidualShift" in str(error.value) or "residual-shift" in str(error.value)


def test_a_process_without_a_reverse_chain_is_refused_with_the_sampler_that_follows_it(registry):
    class Silent(DiffusionProcess):
        def base_one(self, picture_BCHW, structure_BCHW):
            return structure_BCHW

        def law(self, sigma):
            raise NotImplementedError

    settings = config.Sampling(sampler=Ref(name="posterior"))
    with pytest.raises(ConfigError, match=r"sampling\.sampler: 'posterior' follows the reverse chain of the process"):
        build_sampler(registry, settings, Silent())
    assert build_sampler(registry, config.Sampling(sampler=Ref(name="ddim")), Silent()).calls(3) == 3


@pytest.mark.parametrize(
    ("stated", "of_prior", "expected"),
    [
        ("picture", "texture", [("diffusion.process", "texture", "picture")]),
        ({"residual-shift": {"kappa": 1.0}}, "residual-shift", [("diffusion.process.residual-shift.kappa", 2.0, 1.0)]),
        ("residual-shift", "residual-shift", []),
    ],
)
def test_the_process_is_the_priors(registry, stated, of_prior, expected):
    data = {"name": "own", "diffusion": {"process": stated, "noise_std": 1.0}}
    own, prior = config.resolve(data, registry), experiment_of(registry, of_prior)
    found = stage_one_differences(own, prior, config.said_in(data, registry), registry)
    assert [(d.path, d.of_prior, d.stated) for d in found] == expected
    used = with_stage_one_of(own, prior)
    assert used.diffusion.process == prior.diffusion.process
    assert used.diffusion.noise_std == 1.0
