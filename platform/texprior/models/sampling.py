"""Builds the sampler and the noise levels of an experiment's ``sampling`` section."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from torch import Tensor

from texprior.config.schema import Diffusion, Sampling
from texprior.diffusion import sigmas
from texprior.errors import ConfigError
from texprior.flow.kinds import SAMPLER
from texprior.flow.sample import LayerSampler
from texprior.models.build import Model


def sampler_of(model: Model, settings: Sampling) -> LayerSampler:
    """Builds the sampler that the settings name."""
    return model.registry.build(SAMPLER, settings.sampler)


_SPACINGS: Mapping[str, sigmas.Spacing] = {"linspace": sigmas.linspace, "trailing": sigmas.trailing}


def sigmas_of(settings: Sampling, training: Diffusion) -> Tensor:
    """Returns the noise levels that the sampling visits, decreasing to 0, (steps + 1,).

    ``training`` describes the noise that the denoiser was trained with. Raises ConfigError if the range is so narrow
    that steps coincide in float32.
    """
    # passed only if it was chosen, because the schedules differ in their default spacing
    s, given = settings, {"spacing": _SPACINGS[settings.spacing]} if settings.spacing else {}
    schedules: Mapping[str, Callable[[], Tensor]] = {
        "karras": lambda: sigmas.karras(s.steps, s.sigma_min, s.sigma_max, s.rho, **given),
        "exponential": lambda: sigmas.exponential(s.steps, s.sigma_min, s.sigma_max, **given),
        "ddpm-linear": lambda: sigmas.ddpm_linear(s.steps, s.sigma_min, s.sigma_max, **given),
        "cosine": lambda: sigmas.cosine(s.steps, s.sigma_min, s.sigma_max, **given),
        "training-quantiles": lambda: sigmas.training_quantiles(
            s.steps, s.sigma_min, s.sigma_max, training.noise_mean, training.noise_std, **given
        ),
    }
    levels = schedules[s.schedule]()
    # Multistep samplers divide by the difference of the logarithms of two levels; equal levels would give NaN.
    if not bool((levels.diff() < 0).all()):
        raise ConfigError(
            f"sampling: {s.steps} steps of '{s.schedule}' between sigma_min {s.sigma_min} and sigma_max {s.sigma_max} "
            "do not all differ; take fewer steps or a wider range"
        )
    return levels
