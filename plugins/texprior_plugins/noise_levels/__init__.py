"""Declares the distributions of the noise levels of training."""

from __future__ import annotations

from texprior.plugin import NoiseLevels, hookimpl

_EDM = """@inproceedings{karras2022edm,
  title = {Elucidating the Design Space of Diffusion-Based Generative Models},
  author = {Karras, Tero and Aittala, Miika and Aila, Timo and Laine, Samuli},
  booktitle = {Advances in Neural Information Processing Systems},
  volume = {35},
  year = {2022},
  note = {arXiv:2206.00364}
}"""


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
    ]
