"""Declares the training objectives."""

from __future__ import annotations

from texprior.plugin import Objective, hookimpl

_EDM = """@inproceedings{karras2022edm,
  title = {Elucidating the Design Space of Diffusion-Based Generative Models},
  author = {Karras, Tero and Aittala, Miika and Aila, Timo and Laine, Samuli},
  booktitle = {Advances in Neural Information Processing Systems},
  volume = {35},
  year = {2022},
  note = {arXiv:2206.00364}
}"""


@hookimpl
def texprior_objectives() -> list[Objective]:
    """Returns the records of the objectives."""
    return [
        Objective(
            name="edm",
            impl="texprior_plugins.objective.edm:Edm",
            summary="EDM's: the squared error of F, so that every noise level has the same weight.",
            api=2,
            layer=True,
            citation=_EDM,
        ),
    ]
