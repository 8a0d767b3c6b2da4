"""Declares the schedules of noise levels for sampling."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated

from pydantic import Field, field_validator

from texprior.plugin import Options, Schedule, hookimpl

_EDM = """@inproceedings{karras2022edm,
  title = {Elucidating the Design Space of Diffusion-Based Generative Models},
  author = {Karras, Tero and Aittala, Miika and Aila, Timo and Laine, Samuli},
  booktitle = {Advances in Neural Information Processing Systems},
  volume = {35},
  year = {2022},
  note = {arXiv:2206.00364}
}"""
_DDPM = """@inproceedings{ho2020ddpm,
  title = {Denoising Diffusion Probabilistic Models},
  author = {Ho, Jonathan and Jain, Ajay and Abbeel, Pieter},
  booktitle = {Advances in Neural Information Processing Systems},
  volume = {33},
  year = {2020},
  note = {arXiv:2006.11239}
}"""
_COSINE = """@inproceedings{nichol2021improved,
  title = {Improved Denoising Diffusion Probabilistic Models},
  author = {Nichol, Alexander Quinn and Dhariwal, Prafulla},
  booktitle = {International Conference on Machine Learning},
  year = {2021},
  note = {arXiv:2102.09672}
}"""
_AYS = """@inproceedings{sabour2024align,
  title = {Align Your Steps: Optimizing Sampling Schedules in Diffusion Models},
  author = {Sabour, Amirmojtaba and Fidler, Sanja and Kreis, Karsten},
  booktitle = {International Conference on Machine Learning},
  year = {2024},
  note = {arXiv:2404.14507}
}"""


class ListedOptions(Options):
    """The levels that are visited."""

    levels: Annotated[
        tuple[Annotated[float, Field(gt=0, le=1e6)], ...],
        Field(
            min_length=1,
            max_length=1000,
            examples=[[20.0, 1.4, 0.6, 0.27]],
            description="decreasing noise levels, without the final 0",
        ),
    ]

    @field_validator("levels")
    @classmethod
    def _decreasing(cls, levels: tuple[float, ...]) -> tuple[float, ...]:
        for level, following in pairwise(levels):
            if following >= level:
                raise ValueError(f"the levels must decrease, but {following:g} follows {level:g}")
        return levels


@hookimpl
def texprior_schedules() -> list[Schedule]:
    """Returns the records of the schedules."""
    return [
        Schedule(
            name="karras",
            impl="texprior_plugins.schedule.edm:Karras",
            summary="EDM's: sigma^(1 / rho) is linear in u; the exponent is sampling.rho.",
            api=2,
            spacing="linspace",
            citation=_EDM,
        ),
        Schedule(
            name="exponential",
            impl="texprior_plugins.schedule.edm:Exponential",
            summary="ln sigma is linear in u, so that every step divides sigma by the same number.",
            api=2,
            spacing="linspace",
            citation=_EDM,
        ),
        Schedule(
            name="ddpm-linear",
            impl="texprior_plugins.schedule.ddpm:DdpmLinear",
            summary="The levels of DDPM's 1000 time steps with linear betas; u is linear in time.",
            api=2,
            largest=157.4,
            citation=_DDPM,
        ),
        Schedule(
            name="cosine",
            impl="texprior_plugins.schedule.ddpm:Cosine",
            summary="The levels of the cosine schedule of 1000 time steps; u is linear in time.",
            api=2,
            largest=20291.0,
            citation=_COSINE,
        ),
        Schedule(
            name="training-quantiles",
            impl="texprior_plugins.schedule.quantiles:TrainingQuantiles",
            summary="Each step spans an equal share of the noise levels that training draws.",
            api=2,
        ),
        Schedule(
            name="listed",
            impl="texprior_plugins.schedule.listed:Listed",
            options=ListedOptions,
            summary="The levels that are written in the options; ln sigma is interpolated for another number of steps.",
            api=2,
            spacing="linspace",
            fixed=True,
            citation=_AYS,
        ),
    ]
