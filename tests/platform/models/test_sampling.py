"""The noise levels of an experiment's sampling: its options reach the schedules, and no range is silently ignored."""

import math

import pytest
import torch

from texprior.config.schema import Diffusion, Sampling
from texprior.diffusion import sigmas
from texprior.diffusion.sigmas import steps_of, trailing
from texprior.errors import ConfigError, PluginError
from texprior.flow.once import warn_once
from texprior.models.sampling import (
    learned_sigmas,
    noise_levels_of,
    rehearsed_scale,
    require_guidance,
    require_range,
    require_start,
    sigmas_of,
    unlearned,
)
from texprior.plugin import Options, Ref
from texprior.registry import Registry
from texprior_plugins.process import MeanRevertingOptions, ResidualShiftOptions
from texprior_plugins.process.mean_reverting import MeanReverting
from texprior_plugins.process.residual_shift import ResidualShift
from texprior_plugins.process.texture import Texture

TEXTURE = Texture(Options())
TRAINING = Diffusion(noise_mean=-1.0, noise_std=0.8)
SCHEDULES = ["karras", "exponential", "ddpm-linear", "cosine", "training-quantiles"]


@pytest.fixture(scope="module")
def registry():
    return Registry.discover()


@pytest.fixture
def levels(registry):
    return lambda **settings: sigmas_of(registry, Sampling(**settings), TRAINING, TEXTURE, 0.05)


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("karras", steps_of(sigmas.karras, 4, 0.1, 5.0, 3.0)),
        ("exponential", steps_of(sigmas.exponential, 4, 0.1, 5.0)),
        ("ddpm-linear", steps_of(sigmas.of_time, 4, sigmas.ddpm_linear_levels(), 0.1, 5.0, spacing=trailing)),
        ("cosine", steps_of(sigmas.of_time, 4, sigmas.cosine_levels(), 0.1, 5.0, spacing=trailing)),
    ],
)
def test_a_schedule_has_its_function_and_its_own_spacing(levels, schedule, expected):
    found = levels(schedule=schedule, sigma_min=0.1, sigma_max=5.0, rho=3.0)
    assert found.dtype is torch.float32
    assert torch.equal(found, expected)


def test_quantiles_are_those_of_the_settings_noise(registry, levels):
    """Half of the noise between both ends, far out, is above the median e^-1; ``rho`` says nothing."""
    settings = {"schedule": "training-quantiles", "steps": 2, "sigma_min": 1e-4, "sigma_max": 1e3}
    assert levels(**settings)[1].item() == pytest.approx(0.36788, abs=1e-4)
    assert torch.equal(levels(**settings, rho=3.0), levels(**settings))
    uniform = Diffusion(noise_levels=Ref(name="log-uniform"), noise_mean=-1.0, noise_std=0.8)
    found = sigmas_of(registry, Sampling(**settings | {"steps": 4}), uniform, TEXTURE, 0.05)[1].log().item()
    assert found == pytest.approx(-1 + 0.8 * 3**0.5 / 2, abs=1e-6)


def test_the_settings_reach_the_distribution_of_the_noise(registry):
    z = torch.tensor([-1.0, 0.0, 2.0])
    assert torch.equal(noise_levels_of(registry, TRAINING, TEXTURE, 0.05)(z), sigmas.log_normal(z, -1.0, 0.8))


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("steps", [2, 5])
def test_every_schedule_keeps_its_bounds_in_both_spacings(levels, schedule, steps):
    both = levels(schedule=schedule, steps=steps, spacing="linspace", sigma_min=0.1, sigma_max=5.0)
    assert both[[0, -2, -1]].tolist() == pytest.approx([5.0, 0.1, 0.0], rel=1e-5)
    above = levels(schedule=schedule, steps=steps - 1, spacing="trailing", sigma_min=0.1, sigma_max=5.0)
    torch.testing.assert_close(above[:-1], both[: steps - 1], rtol=1e-5, atol=0)


def test_what_experiments_had_before_there_was_a_choice_of_spacing_is_the_default(levels):
    assert torch.equal(levels(), steps_of(sigmas.karras, 4, 0.02, 20.0, 7.0))


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_steps_that_coincide_are_an_error_before_any_call(levels, schedule):
    with pytest.raises(
        ConfigError, match=r"1000 steps of .* between sigma_min 1.0 and sigma_max 1.00001 do not all differ"
    ):
        levels(schedule=schedule, steps=1000, sigma_min=1.0, sigma_max=1.00001)


OF_PROCESS = """
import torch
from texprior.plugin import NoiseLevels, Schedule, hookimpl

class Told:
    def __init__(self, options, process, scale, mean=None, std=None):
        self.end = process.largest / scale

    def __call__(self, of, within=None):
        return self.end * (0.5 ** (of + 1) if within is None else 0.5 ** (10 * of))

@hookimpl
def texprior_noise_levels():
    return [NoiseLevels("told", f"{__name__}:Told", api=2, of_process=True)]

@hookimpl
def texprior_schedules():
    return [Schedule("told", f"{__name__}:Told", api=2, of_process=True)]
"""


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    file = tmp_path_factory.mktemp("told") / "told_idea.py"
    file.write_text(OF_PROCESS, encoding="utf-8")
    return Registry.discover([file])


def test_what_asks_for_the_process_is_built_with_it_and_the_scale(told):
    """The end of residual shifting is kappa / 2 sqrt(.999) / .001 = 999.5 in units of the picture, and of a layer of
    deviation 1/4 four times that."""
    shift, end = ResidualShift(ResidualShiftOptions()), 4 * 1000 * 0.999**0.5
    asked = Diffusion(noise_levels=Ref(name="told"))
    levels = noise_levels_of(told, asked, shift, 0.25)(torch.tensor([0.0, 1.0]))
    assert levels.tolist() == pytest.approx([end / 2, end / 4])
    found = sigmas_of(told, Sampling(schedule=Ref(name="told"), steps=2), asked, shift, 0.25)
    assert found.tolist() == pytest.approx([end, end / 2**5, 0])
    # also where it is an option of a component that does not ask
    within = Diffusion(noise_levels=Ref(name="sampled", options={"schedule": "told", "steps": 2, "sigma_max": 1e5}))
    drawn = noise_levels_of(told, within, shift, 0.25)(torch.tensor([-1.0, 1.0]))
    assert drawn.tolist() == pytest.approx([end / 2**10, end])


@pytest.mark.parametrize("kind", ["noise_levels", "schedule"])
def test_without_a_process_the_sentence_says_what_to_pass(told, kind):
    with pytest.raises(PluginError, match=rf"{kind} 'told-idea/told' is built with process= and scale=; pass them"):
        told.build(kind, Ref(name="told"), **({"mean": 0.0, "std": 1.0} if kind == "noise_levels" else {}))


@pytest.mark.parametrize("schedule", ["karras", "exponential", "training-quantiles"])
def test_sampling_starts_where_the_process_ends(registry, schedule):
    reverting = MeanReverting(MeanRevertingOptions())
    settings = Sampling(schedule=Ref(name=schedule), sigma_max="largest")
    for scale in (0.02, 0.1):
        end = 10 / 255 * (1 / 0.005**2 - 1) ** 0.5 / scale
        assert float(sigmas_of(registry, settings, TRAINING, reverting, scale)[0]) == pytest.approx(end)
        require_range(reverting, settings, scale)
    assert rehearsed_scale(reverting, settings) == 1.0


@pytest.mark.parametrize(
    ("process", "settings", "said"),
    [
        (TEXTURE, {}, r"sampling\.sigma_max: 'largest' is where the process ends, but .*[Tt]exture.* has no end"),
        (MeanReverting(MeanRevertingOptions()), {"sigma_min": 500}, "ends at 392.2 in units of the layer, but .* 500"),
        (ResidualShift(ResidualShiftOptions()), {"schedule": "ddpm-linear"}, "'ddpm-linear' goes from at most 157.4"),
    ],
)
def test_an_end_that_cannot_be_used_is_refused(registry, process, settings, said):
    with pytest.raises(ConfigError, match=said):
        sigmas_of(registry, Sampling(sigma_max="largest", **settings), TRAINING, process, 0.02)


def warned(caplog, registry, training, **settings):
    caplog.clear()
    warn_once.cache_clear()
    learned_sigmas(registry, Sampling(**settings), training, TEXTURE, 0.05)
    return [record.getMessage() for record in caplog.records]


def test_options_that_take_time_and_change_nothing_are_told(caplog):
    trained = Diffusion(condition_noise_max=0.1)
    for check, settings, said in (
        (require_start, {"coarse_from": "mean", "steps": 1}, "sampling.coarse_from: 'mean' changes nothing"),
        (require_start, {"coarse_from": "mean", "steps": 2}, ""),
        (require_guidance, {"guidance": 2.0, "guidance_from": "condition", "condition_noise": 0.1}, "does nothing"),
        (require_guidance, {"guidance": 2.0, "guidance_from": "condition", "condition_noise": 0.05}, ""),
        (require_guidance, {"guidance_from": "condition", "condition_noise": 0.1}, ""),
    ):
        caplog.clear()
        warn_once.cache_clear()
        check(TEXTURE if check is require_start else trained, Sampling(**settings))
        sentences = [record.getMessage() for record in caplog.records]
        assert [said in sentence for sentence in sentences] == ([True] if said else [])


def test_levels_that_the_training_never_drew_are_told(registry, caplog):
    one = Diffusion(noise_levels=Ref(name="sampled", options={"steps": 1}))
    assert warned(caplog, registry, one, steps=1) == []
    (sentence,) = warned(caplog, registry, one, steps=3)
    assert sentence.startswith(
        "sampling visits noise levels that almost no sample of the training has (sigma 1.44, 0.02)"
    )
    assert "diffusion.noise_levels is 'sampled'" in sentence
    assert warned(caplog, registry, one, steps=3, texture_strength=0) == []


@pytest.mark.parametrize(
    ("name", "least", "most"), [("log-normal", 0.02, 20.0), ("cosmap", 0.02, 20.0), ("log-uniform", 0.08, 4.8)]
)
def test_levels_that_a_distribution_reaches_need_no_word(registry, caplog, name, least, most):
    """log-uniform is within exp(-0.5 -+ 1.2 sqrt 3), 0.076 to 4.85; the others have tails."""
    every = Diffusion(noise_levels=Ref(name=name))
    for steps in (1, 4, 50):
        assert warned(caplog, registry, every, steps=steps, sigma_min=least, sigma_max=most) == []
    assert warned(caplog, registry, every, steps=4, sigma_max=2000.0) != []


def test_a_level_in_a_heavy_tail_counts_by_the_share_of_the_training_near_it():
    """Against the distribution function of log-normal levels, whose neighbouring samples lie far apart."""
    levels = torch.logspace(-8, 8, 60, dtype=torch.float64)
    for std in (1.2, 3.0, 6.0):

        def trained(z, std=std):
            return torch.exp(-0.5 + std * z)

        z = (levels.log() + 0.5) / std
        share = torch.special.ndtr(z + math.log(1.5) / std) - torch.special.ndtr(z - math.log(1.5) / std)
        named = dict(zip([f"{level:.3g}" for level in levels.tolist()], share.tolist(), strict=True))
        expected = {name for name, near in named.items() if near < 0.001}
        close = {name for name, near in named.items() if 9e-4 < near < 1.1e-3}
        assert set(unlearned(levels, trained)) - close == expected - close
