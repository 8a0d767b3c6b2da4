"""Registers the first-party samplers and their options.

At its ends, eta 0 and eta 1, DDIM has other names elsewhere: ``euler``, ``euler-ancestral`` and ``ddpm``. Here these
names are the same class with other options.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from texprior.plugin import Options, Sampler, Tune, hookimpl

_DDIM = """@inproceedings{song2021ddim,
  title = {Denoising Diffusion Implicit Models},
  author = {Song, Jiaming and Meng, Chenlin and Ermon, Stefano},
  booktitle = {International Conference on Learning Representations},
  year = {2021},
  note = {arXiv:2010.02502}
}"""
_DDPM = """@inproceedings{ho2020ddpm,
  title = {Denoising Diffusion Probabilistic Models},
  author = {Ho, Jonathan and Jain, Ajay and Abbeel, Pieter},
  booktitle = {Advances in Neural Information Processing Systems},
  volume = {33},
  year = {2020},
  note = {arXiv:2006.11239}
}"""
_DPMPP = """@article{lu2022dpmpp,
  title = {{DPM-Solver++}: Fast Solver for Guided Sampling of Diffusion Probabilistic Models},
  author = {Lu, Cheng and Zhou, Yuhao and Bao, Fan and Chen, Jianfei and Li, Chongxuan and Zhu, Jun},
  journal = {arXiv preprint arXiv:2211.01095},
  year = {2022}
}"""
_UNIPC = """@inproceedings{zhao2023unipc,
  title = {{UniPC}: A Unified Predictor-Corrector Framework for Fast Sampling of Diffusion Models},
  author = {Zhao, Wenliang and Bai, Lujia and Rao, Yongming and Zhou, Jie and Lu, Jiwen},
  booktitle = {Advances in Neural Information Processing Systems},
  volume = {36},
  year = {2023},
  note = {arXiv:2302.04867}
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
            description="share of fresh noise per step: 0 is Euler, 1 is DDPM ancestral with the small variance",
        ),
        Tune(),
    ] = 0.0


class EulerOptions(Options):
    """Options of ``euler``: none, since it is DDIM at eta 0."""

    eta: ClassVar[float] = 0.0


class EulerAncestralOptions(Options):
    """Options of ``euler-ancestral``."""

    eta: Annotated[
        float,
        Field(ge=0, le=1, description="share of fresh noise per step: 0 is Euler, 1 is the full ancestral noise"),
        Tune(),
    ] = 1.0


class DdpmOptions(Options):
    """Options of ``ddpm``: none.

    The sampler is DDIM at eta 1, the posterior with the small variance.
    """

    eta: ClassVar[float] = 1.0


_Form = Annotated[
    Literal["midpoint", "heun"],
    Field(description="how to integrate the estimate's change over a step: by its midpoint, or exactly"),
]


class DpmppOptions(Options):
    """Options of ``dpmpp-2m``."""

    eta: ClassVar[float] = 0.0
    form: _Form = "midpoint"


class DpmppSdeOptions(Options):
    """Options of ``dpmpp-2m-sde``."""

    eta: Annotated[
        float, Field(ge=0, le=1, description="fresh noise per step: 0 is dpmpp-2m, 1 solves the reverse SDE"), Tune()
    ] = 1.0
    form: _Form = "midpoint"


class UniPcOptions(Options):
    """Options of ``unipc``."""

    b: Annotated[
        Literal["bh1", "bh2"],
        Field(description="the function B(h): bh1 is h, bh2 is 1 - exp(-h), the authors' choice for few steps"),
    ] = "bh2"


class HeunOptions(Options):
    """Options of ``heun``, named as in Karras et al. 2022, algorithm 2."""

    churn: Annotated[
        float,
        Field(ge=0, le=1000, description="S_churn, noise added over all steps; effective up to (sqrt(2) - 1) * steps"),
        Tune(0.0, 4.0),
    ] = 0.0
    s_min: Annotated[float, Field(ge=0, le=1e12, description="S_min, the sigma below which no noise is added")] = 0.0
    s_max: Annotated[float, Field(ge=0, le=1e12, description="S_max, the sigma above which no noise is added")] = 1e6
    s_noise: Annotated[float, Field(ge=0, le=2, description="S_noise, standard deviation of the added noise")] = 1.0

    @model_validator(mode="after")
    def _churns_somewhere(self) -> HeunOptions:
        if self.s_min > self.s_max:
            raise ValueError(f"s_min {self.s_min} is above s_max {self.s_max}, so that no step would churn")
        return self


@hookimpl
def texprior_samplers() -> list[Sampler]:
    """Returns the records of the samplers."""
    return [
        Sampler(
            name="ddim",
            impl="texprior_plugins.sampler.ddim:Ddim",
            options=DdimOptions,
            summary="DDIM with eta: Euler at 0, DDPM (Euler) ancestral at 1; one call per step.",
            api=2,
            deterministic=True,
            stochastic=True,
            citation=_DDIM,
            order=1,
        ),
        Sampler(
            name="euler",
            impl="texprior_plugins.sampler.ddim:Ddim",
            options=EulerOptions,
            summary="Euler's method for the probability flow: DDIM at eta 0.",
            api=2,
            deterministic=True,
            citation=_EDM,
            order=1,
        ),
        Sampler(
            name="euler-ancestral",
            impl="texprior_plugins.sampler.ddim:Ddim",
            options=EulerAncestralOptions,
            summary="Euler with fresh noise at each step: DDIM at eta 1.",
            api=2,
            stochastic=True,
            citation=_DDIM,
            order=1,
        ),
        Sampler(
            name="ddpm",
            impl="texprior_plugins.sampler.ddim:Ddim",
            options=DdpmOptions,
            summary="DDPM's ancestral sampling with the small variance: DDIM at eta 1.",
            api=2,
            stochastic=True,
            citation=_DDPM,
            order=1,
        ),
        Sampler(
            name="heun",
            impl="texprior_plugins.sampler.heun:Heun",
            options=HeunOptions,
            summary="EDM's second-order Heun with optional churn; two calls per step, and one for the last step.",
            api=2,
            deterministic=True,
            stochastic=True,
            citation=_EDM,
            order=2,
        ),
        Sampler(
            name="dpmpp-2m",
            impl="texprior_plugins.sampler.dpmpp:Dpmpp2M",
            options=DpmppOptions,
            summary="DPM-Solver++ 2M, second order from the last two estimates; one call per step.",
            api=2,
            deterministic=True,
            citation=_DPMPP,
            order=2,
        ),
        Sampler(
            name="dpmpp-2m-sde",
            impl="texprior_plugins.sampler.dpmpp:Dpmpp2M",
            options=DpmppSdeOptions,
            summary="DPM-Solver++ 2M for the reverse SDE: fresh noise at each step; one call per step.",
            api=2,
            stochastic=True,
            citation=_DPMPP,
            order=2,
        ),
        Sampler(
            name="unipc",
            impl="texprior_plugins.sampler.unipc:UniPc",
            options=UniPcOptions,
            summary="UniPC-2: a predictor and a corrector of third order; one call per step.",
            api=2,
            deterministic=True,
            citation=_UNIPC,
            order=3,
        ),
        Sampler(
            name="posterior",
            impl="texprior_plugins.sampler.posterior:Posterior",
            summary="The reverse chain of the process in use, as its paper has it; one call per step.",
            api=2,
            stochastic=True,
            posterior=True,
            citation=_DDPM,
            order=1,
        ),
    ]
