"""Defines the noise levels that training draws, and those that sampling visits."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from texprior.errors import ConfigError
from texprior.flow.contract import require_tensor
from texprior.plugin.origin import name_of


class NoiseLevels(Protocol):
    """The contract of a distribution of noise levels, built as ``Impl(options, mean=..., std=...)``.

    ``mean`` and ``std`` are ``diffusion.noise_mean`` and ``diffusion.noise_std``, the location and scale of ln sigma.
    If the record says ``of_process=True``, it is also given the ``process``, which counts in units of the picture, and
    the ``scale`` of the layer: sigma times ``scale`` is a level in these units.
    """

    def __call__(self, normal: Tensor) -> Tensor:
        """Returns the noise levels of standard normal numbers, of their shape and dtype.

        The function never decreases. Its values are distributed as the noise levels of training should be.
        """
        ...


class Range(NamedTuple):
    """What a schedule is asked for."""

    sigma_min: float
    sigma_max: float
    rho: float
    """The exponent ``sampling.rho``."""
    training: NoiseLevels
    """The distribution of the noise that the denoiser was trained with."""


class LevelSchedule(Protocol):
    """The contract of a schedule, which is built as ``Impl(options)``.

    If the record says ``of_process=True``, it is built as ``Impl(options, process=..., scale=...)``, see
    ``NoiseLevels``.
    """

    def __call__(self, u: Tensor, within: Range) -> Tensor:
        """Returns the noise level at each u, decreasing, (steps,), float64.

        ``u``, (steps,), float64, increases from 0, where the level is ``within.sigma_max``, to at most 1, where it is
        ``within.sigma_min``. If the record says ``fixed=True``, the levels only lie between the two. The platform adds
        the final 0.
        """
        ...


def levels_of(schedule: LevelSchedule, u: Tensor, within: Range) -> Tensor:
    """Returns the noise levels that sampling visits, decreasing to a final 0, (steps + 1,), float32.

    Raises ContractError if the schedule returns something else than a level for each u, and ConfigError if levels
    coincide in float32.
    """
    found = require_tensor(schedule, schedule(u, within), u.shape, u, "the noise levels", any_float=True)
    levels = torch.cat([found, found.new_zeros(1)]).float()
    # multistep samplers divide by the difference of the logarithms of two levels; equal levels would give NaN
    if not bool((levels.diff() < 0).all()):
        raise ConfigError(
            f"sampling: {len(u)} steps of {name_of(schedule)} between sigma_min {within.sigma_min} and sigma_max "
            f"{within.sigma_max} do not all differ; take fewer steps or a wider range"
        )
    return levels
