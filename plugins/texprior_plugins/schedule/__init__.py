"""Declares the schedules of noise levels for sampling."""

from __future__ import annotations

from texprior.plugin import Schedule, hookimpl

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
    ]
