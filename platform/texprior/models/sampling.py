"""Builds the sampler and the noise levels of an experiment's ``sampling`` section."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from typing import Any, cast

import torch
from torch import Tensor

from texprior.config.schema import Diffusion, Sampling
from texprior.diffusion import sigmas
from texprior.errors import ConfigError
from texprior.flow.kinds import NOISE_LEVELS, SAMPLER, SCHEDULE
from texprior.flow.once import warn_once
from texprior.flow.process import DiffusionProcess, base_of_task
from texprior.flow.sample import LayerSampler, network_calls
from texprior.flow.schedule import NoiseLevels, Range, levels_of
from texprior.models.build import Model
from texprior.plugin import Sampler, Schedule
from texprior.plugin.origin import name_of
from texprior.registry import Registry

_SPACINGS: Mapping[str, sigmas.Spacing] = {"linspace": sigmas.linspace, "trailing": sigmas.trailing}
_LEAST, _NEAR = 0.001, 1.5
"""A denoiser has learned a level if at least this share of its samples is at most this factor away."""
_TAIL, _POINTS = 6.0, 2001
"""The standard normal numbers at which the distribution of the training's levels is looked at: from -6 to 6."""
_ROUNDING = 1e-9
"""How far a product of two floating-point numbers may be beyond a limit that it should equal."""


def sampler_of(model: Model, settings: Sampling) -> LayerSampler:
    """Builds the sampler that the settings name."""
    return build_sampler(model.registry, settings, model.prior.process, model.process.scale)


def build_sampler(
    registry: Registry, settings: Sampling, process: DiffusionProcess, scale: float = 1.0
) -> LayerSampler:
    """Builds the sampler that the settings name, for a process with a layer of this standard deviation.

    Raises ConfigError if the sampler follows the reverse chain of the process, and the process states none.
    """
    record = cast("Sampler", registry.find("sampler", settings.sampler.name).component)
    if record.posterior and process.kept(1.0, 0.5) is None:
        raise ConfigError(
            f"sampling.sampler: '{settings.sampler.name}' follows the reverse chain of the process, but "
            f"{name_of(process)} states none; use sampling.sampler: ddpm"
        )
    return registry.build(SAMPLER, settings.sampler, process=process, scale=scale)


def require_range(process: DiffusionProcess, settings: Sampling, scale: float) -> None:
    """Raises ConfigError if sampling starts beyond the largest noise level of the process.

    ``scale`` is the layer's standard deviation, in units of the picture.
    """
    first = first_level(process, settings, scale)
    # a scale that is not finite is found, and named, where the training starts
    if not first * scale > process.largest * (1 + _ROUNDING):
        return
    most = process.largest / scale
    # rounded down, so that the number that the sentence names is accepted
    digits = 3 - math.floor(math.log10(most))
    shown = math.floor(most * 10.0**digits) / 10.0**digits
    raise ConfigError(
        f"sampling.sigma_max: {first:g} times the layer's standard deviation, {scale:.4g}, is beyond "
        f"{name_of(process)}, which ends at {process.largest:.4g} in units of the picture (sampling.sigma_max: largest "
        f"starts there); set sampling.sigma_max to at most {shown:g}"
    )


def first_level(process: DiffusionProcess, settings: Sampling, scale: float) -> float:
    """Returns the noise level at which sampling starts, in units of the layer; ``largest`` is the end of the process.

    ``scale`` is the layer's standard deviation, in units of the picture. Raises ConfigError if the process has no end.
    """
    if settings.sigma_max != "largest":
        return settings.sigma_max
    if math.isinf(process.largest):
        raise ConfigError(
            f"sampling.sigma_max: 'largest' is where the process ends, but {name_of(process)} has no end; write a "
            "number, such as 20"
        )
    return process.largest / scale


def require_possible(training: Diffusion, settings: Sampling, process: DiffusionProcess, scale: float) -> None:
    """Raises ConfigError if a trained model cannot be sampled so: see the four checks.

    ``training`` is what the prior was trained with, ``scale`` the layer's standard deviation, in units of the picture.
    """
    require_range(process, settings, scale)
    require_start(process, settings)
    require_condition_noise(training, settings)
    require_guidance(training, settings)


def require_condition_noise(training: Diffusion, settings: Sampling) -> None:
    """Raises ConfigError if the condition would get more noise than the prior was trained with; see ``Diffusion``."""
    most = training.condition_noise_max
    if settings.condition_noise > most * (1 + _ROUNDING):
        trained = f"was trained with levels up to {most:g}" if most else "is told no level of noise on its condition"
        remedy = f"set it to at most {most:g}" if most else "leave it out"
        raise ConfigError(
            f"sampling.condition_noise: {settings.condition_noise:g} cannot be used, because the prior {trained} "
            f"(diffusion.condition_noise_max); {remedy}, or train a prior with more"
        )


def require_guidance(training: Diffusion, settings: Sampling) -> None:
    """Raises ConfigError if the guidance needs a denoiser that the prior was not trained to be; see ``Diffusion``.

    Warns once if it takes its calls and does nothing, because both denoisers are the same.
    """
    needed = {"code": "code_dropout", "condition": "condition_noise_max"}.get(settings.guidance_from)
    if settings.guidance != 1 and needed and not getattr(training, needed):
        raise ConfigError(
            f"sampling.guidance_from: '{settings.guidance_from}' needs a prior that was trained with "
            f"diffusion.{needed} above 0; train one, or use sampling.guidance_from: adapter"
        )
    same = settings.guidance_from == "condition" and settings.condition_noise >= training.condition_noise_max
    if settings.guidance != 1 and same:
        warn_once(
            "sampling.guidance does nothing: with sampling.condition_noise at diffusion.condition_noise_max, the "
            "denoiser that it leads away from has the same condition; set sampling.condition_noise lower"
        )


def calls_per_picture(sampler: LayerSampler, settings: Sampling) -> int:
    """Returns the number of network calls (NFE) for all samples and orientations of a picture.

    Guidance takes two calls for one.

    Raises ContractError if the sampler states no whole number.
    """
    guided = 1 if settings.guidance == 1 else 2
    return network_calls(sampler, settings.steps) * settings.samples * guided * settings.self_ensemble


def require_start(process: DiffusionProcess, settings: Sampling) -> None:
    """Raises ConfigError if a warm start does nothing, because the process takes y_eps as the base of Stage II.

    Warns once if the coarse part of the mean is that of the sample, because there is one step.
    """
    if settings.coarse_from == "mean" and settings.steps == 1:
        warn_once(
            "sampling.coarse_from: 'mean' changes nothing with sampling.steps: 1, whose sample is that mean; use "
            "'estimate', or more steps"
        )
    dark, bright = torch.zeros(1, 3, 1, 1), torch.ones(1, 3, 1, 1)
    base = base_of_task(process, dark, bright) if settings.start == "estimate" else None
    if base is not None and torch.equal(base, bright):
        raise ConfigError(
            f"sampling.start: 'estimate' starts at the layer of y_eps, which is 0 with {name_of(process)}, whose base "
            "is y_eps; set sampling.start: noise"
        )


def rehearsed_scale(process: DiffusionProcess, settings: Sampling) -> float:
    """Returns a standard deviation for a layer that is not measured yet, within the range of the process."""
    return 1.0 if settings.sigma_max == "largest" else min(1.0, process.largest / settings.sigma_max)


def noise_levels_of(registry: Registry, training: Diffusion, process: DiffusionProcess, scale: float) -> NoiseLevels:
    """Builds the distribution of the noise levels of training, for a layer of this standard deviation."""
    given: dict[str, Any] = {"mean": training.noise_mean, "std": training.noise_std}
    return registry.build(NOISE_LEVELS, training.noise_levels, process=process, scale=scale, **given)


def sigmas_of(
    registry: Registry, settings: Sampling, training: Diffusion, process: DiffusionProcess, scale: float
) -> Tensor:
    """Returns the noise levels that the sampling visits, decreasing to 0, (steps + 1,), in units of the layer.

    ``training`` describes the noise that the denoiser was trained with; ``scale`` is the layer's standard deviation.
    Raises ConfigError if the range is empty, beyond the schedule, or so narrow that steps coincide in float32.
    """
    return _levels(registry, settings, noise_levels_of(registry, training, process, scale), process, scale)


def learned_sigmas(
    registry: Registry, settings: Sampling, training: Diffusion, process: DiffusionProcess, scale: float
) -> Tensor:
    """Returns ``sigmas_of``, and warns once of levels that the denoiser was not trained with."""
    trained = noise_levels_of(registry, training, process, scale)
    levels = _levels(registry, settings, trained, process, scale)
    # without its texture the picture is the base alone
    strange = unlearned(levels[:-1], trained) if settings.texture_strength else []
    if strange:
        warn_once(
            f"sampling visits noise levels that almost no sample of the training has (sigma {', '.join(strange)}), so "
            f"that pictures may be wrong: diffusion.noise_levels is '{training.noise_levels.name}'; set "
            "sampling.sigma_min, sampling.sigma_max and sampling.steps to what it covers, or train with other noise "
            "levels (diffusion.noise_mean, diffusion.noise_std)"
        )
    return levels


def _levels(
    registry: Registry, settings: Sampling, trained: NoiseLevels, process: DiffusionProcess, scale: float
) -> Tensor:
    record = cast("Schedule", registry.find("schedule", settings.schedule.name).component)
    first = first_level(process, settings, scale)
    if not settings.sigma_min < first <= record.largest:
        raise ConfigError(
            f"sampling.sigma_max: the process ends at {first:.4g} in units of the layer, but schedule '{record.name}' "
            f"goes from at most {record.largest:g} to sampling.sigma_min {settings.sigma_min:g}; write a number"
        )
    u = _SPACINGS[settings.spacing or record.spacing](settings.steps)
    within = Range(settings.sigma_min, first, settings.rho, trained)
    return levels_of(registry.build(SCHEDULE, settings.schedule, process=process, scale=scale), u, within)


def unlearned(levels: Tensor, trained: NoiseLevels) -> list[str]:
    """Returns the levels that fewer than a thousandth of the training's samples are near to, (steps,), as texts."""
    z, share = _normal_shares()
    drawn, visited = trained(z), levels.double()
    above = torch.searchsorted(drawn, visited / _NEAR)
    below = torch.searchsorted(drawn, visited * _NEAR, right=True)
    near = share[below] - share[above] >= _LEAST
    return [f"{level:.3g}" for level in visited[~near].tolist()]


@functools.cache
def _normal_shares() -> tuple[Tensor, Tensor]:
    """Returns standard normal numbers, increasing, and the share that lies below each, with 1 at the end."""
    z = torch.linspace(-_TAIL, _TAIL, _POINTS, dtype=torch.float64)
    below = torch.cat([z.new_zeros(1), torch.exp(-(z**2) / 2).cumsum(0)])
    return z, below / below[-1]
