"""Builds the sampler and the noise levels of an experiment's ``sampling`` section."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from torch import Tensor

from texprior.config.schema import Diffusion, Sampling
from texprior.diffusion import sigmas
from texprior.flow.kinds import NOISE_LEVELS, SAMPLER, SCHEDULE
from texprior.flow.sample import LayerSampler
from texprior.flow.schedule import NoiseLevels, Range, levels_of
from texprior.models.build import Model
from texprior.plugin import Schedule
from texprior.registry import Registry

_SPACINGS: Mapping[str, sigmas.Spacing] = {"linspace": sigmas.linspace, "trailing": sigmas.trailing}


def sampler_of(model: Model, settings: Sampling) -> LayerSampler:
    """Builds the sampler that the settings name."""
    return model.registry.build(SAMPLER, settings.sampler)


def noise_levels_of(registry: Registry, training: Diffusion) -> NoiseLevels:
    """Builds the distribution of the noise levels of training."""
    return registry.build(NOISE_LEVELS, training.noise_levels, mean=training.noise_mean, std=training.noise_std)


def sigmas_of(registry: Registry, settings: Sampling, training: Diffusion) -> Tensor:
    """Returns the noise levels that the sampling visits, decreasing to 0, (steps + 1,).

    ``training`` describes the noise that the denoiser was trained with. Raises ConfigError if the range is so narrow
    that steps coincide in float32.
    """
    record = cast("Schedule", registry.find("schedule", settings.schedule.name).component)
    u = _SPACINGS[settings.spacing or record.spacing](settings.steps)
    within = Range(settings.sigma_min, settings.sigma_max, settings.rho, noise_levels_of(registry, training))
    return levels_of(registry.build(SCHEDULE, settings.schedule), u, within)
