"""First-party samplers: DDIM with eta (Euler and ancestral sampling are its ends) and EDM's Heun with churn."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from texprior.plugin import Options, Sampler, Tune, hookimpl

_DDIM = """@inproceedings{song2021ddim,
  title = {Denoising Diffusion Implicit Models},
  author = {Song, Jiaming and Meng, Chenlin and Ermon, Stefano},
  booktitle = {International Conference on Learning Representations},
  year = {2021},
  note = {arXiv:2010.02502}
}"""
_EDM = """@inproceedings{karras2022edm,
  title = {Elucidating the Design Space of Diffusion-Based Generative Models},
  author = {Karras, Tero and Aittala, Miika and Aila, Timo and Laine, Samuli},
  booktitle = {Advances in Neural Information Processing Systems},
  volume = {35},
  year = {2022},
  note = {arXiv:2206.00364}
}"""


class DdimOptions(Options):
    """Options of ``ddim``."""

    eta: Annotated[
        float,
        Field(
            ge=0,
            le=1,
            description="fresh noise per step: 0 is Euler, 1 is DDPM ancestral with the small variance",
        ),
        Tune(),
    ] = 0.0


class HeunOptions(Options):
    """Options of ``heun``, named as in Karras et al. 2022, algorithm 2."""

    churn: Annotated[
        float,
        Field(ge=0, le=1000, description="S_churn, noise added over all steps; saturates at (sqrt(2) - 1) * steps"),
        Tune(0.0, 4.0),
    ] = 0.0
    s_min: Annotated[float, Field(ge=0, description="S_min, no churn below this sigma")] = 0.0
    s_max: Annotated[float, Field(ge=0, description="S_max, no churn above this sigma")] = 1e6
    s_noise: Annotated[float, Field(ge=0, le=2, description="S_noise, standard deviation of the added noise")] = 1.0


@hookimpl
def texprior_samplers() -> list[Sampler]:
    """The components."""
    return [
        Sampler(
            name="ddim",
            impl="texprior_plugins.sampler.ddim:Ddim",
            options=DdimOptions,
            summary="DDIM with eta: Euler at 0, DDPM (Euler) ancestral at 1; one call per step.",
            tags=("deterministic", "stochastic"),
            citation=_DDIM,
            order=1,
        ),
        Sampler(
            name="heun",
            impl="texprior_plugins.sampler.heun:Heun",
            options=HeunOptions,
            summary="EDM's second-order Heun with optional churn; two calls per step, one for the last.",
            tags=("deterministic", "stochastic"),
            citation=_EDM,
            order=2,
        ),
    ]
