"""Declares the distributions of the noise levels of training."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from texprior.plugin import Kind, NoiseLevels, Options, Ref, hookimpl

_EDM = """@inproceedings{karras2022edm,
  title = {Elucidating the Design Space of Diffusion-Based Generative Models},
  author = {Karras, Tero and Aittala, Miika and Aila, Timo and Laine, Samuli},
  booktitle = {Advances in Neural Information Processing Systems},
  volume = {35},
  year = {2022},
  note = {arXiv:2206.00364}
}"""
_SD3 = """@inproceedings{esser2024scaling,
  title = {Scaling Rectified Flow Transformers for High-Resolution Image Synthesis},
  author = {Esser, Patrick and Kulal, Sumith and Blattmann, Andreas and Entezari, Rahim and M{\\"u}ller, Jonas and
    Saini, Harry and Levi, Yam and Lorenz, Dominik and Sauer, Axel and Boesel, Frederic and Podell, Dustin and
    Dockhorn, Tim and English, Zion and Rombach, Robin},
  booktitle = {International Conference on Machine Learning},
  year = {2024},
  note = {arXiv:2403.03206}
}"""
_ADD = """@inproceedings{sauer2024adversarial,
  title = {Adversarial Diffusion Distillation},
  author = {Sauer, Axel and Lorenz, Dominik and Blattmann, Andreas and Rombach, Robin},
  booktitle = {European Conference on Computer Vision},
  year = {2024},
  note = {arXiv:2311.17042}
}"""


class SampledOptions(Options):
    """The schedule whose levels are drawn. The defaults are those of the section ``sampling`` with ``karras``."""

    schedule: Annotated[Ref, Kind("schedule"), Field(description="the schedule that chooses the levels")] = Ref(
        name="karras"
    )
    steps: Annotated[int, Field(ge=1, le=1000, description="number of levels")] = 4
    spacing: Annotated[
        Literal["linspace", "trailing"],
        Field(description="as in sampling.spacing, which is trailing by default for ddpm-linear and cosine"),
    ] = "linspace"
    sigma_min: Annotated[float, Field(gt=0, le=1e6, description="as in sampling.sigma_min")] = 0.02
    sigma_max: Annotated[float, Field(gt=0, le=1e6, description="as in sampling.sigma_max")] = 20.0
    rho: Annotated[float, Field(gt=0, le=1000, description="as in sampling.rho")] = 7.0

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.sigma_min >= self.sigma_max:
            raise ValueError(f"sigma_min {self.sigma_min} must be smaller than sigma_max {self.sigma_max}")
        return self


@hookimpl
def texprior_noise_levels() -> list[NoiseLevels]:
    """Returns the records of the distributions."""
    return [
        NoiseLevels(
            name="log-normal",
            impl="texprior_plugins.noise_levels.log_normal:LogNormal",
            summary="EDM's: ln sigma is normal, with diffusion.noise_mean and diffusion.noise_std.",
            api=2,
            citation=_EDM,
        ),
        NoiseLevels(
            name="log-uniform",
            impl="texprior_plugins.noise_levels.log_uniform:LogUniform",
            summary="ln sigma is uniform, with diffusion.noise_mean and diffusion.noise_std.",
            api=2,
        ),
        NoiseLevels(
            name="cosmap",
            impl="texprior_plugins.noise_levels.cosmap:CosMap",
            summary="The cosine schedule's: heavier tails than log-normal, with the same mean and deviation.",
            api=2,
            citation=_SD3,
        ),
        NoiseLevels(
            name="sampled",
            impl="texprior_plugins.noise_levels.sampled:Sampled",
            options=SampledOptions,
            summary="Only the few levels that a schedule visits, each as often, for sampling with as few calls.",
            api=2,
            citation=_ADD,
        ),
    ]
