"""Declares the decays of the learning rate and their options."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from texprior.plugin import LrDecay, Options, Tune, hookimpl

_COSINE = """@inproceedings{loshchilov2017sgdr,
  title = {{SGDR}: Stochastic Gradient Descent with Warm Restarts},
  author = {Loshchilov, Ilya and Hutter, Frank},
  booktitle = {International Conference on Learning Representations},
  year = {2017},
  note = {arXiv:1608.03983}
}"""
_WSD = """@article{hu2024minicpm,
  title = {{MiniCPM}: Unveiling the Potential of Small Language Models with Scalable Training Strategies},
  author = {Hu, Shengding and Tu, Yuge and Han, Xu and He, Chaoqun and Cui, Ganqu and others},
  journal = {arXiv preprint arXiv:2404.06395},
  year = {2024}
}
@article{haegele2024scaling,
  title = {Scaling Laws and Compute-Optimal Training Beyond Fixed Training Durations},
  author = {H{\\"a}gele, Alexander and Bakouch, Elie and Kosson, Atli and Ben Allal, Loubna and Von Werra, Leandro and
    Jaggi, Martin},
  journal = {arXiv preprint arXiv:2405.18392},
  year = {2024}
}"""


class LinearOptions(Options):
    """Options of ``linear``."""

    end: Annotated[float, Field(ge=0, le=1, description="the factor at the end of the budget")] = 0.0


class WarmupStableDecayOptions(Options):
    """Options of ``warmup-stable-decay``."""

    share: Annotated[
        float, Field(ge=0.01, le=1, description="share of the budget in which it falls"), Tune(0.05, 0.5)
    ] = 0.1
    shape: Annotated[
        Literal["sqrt", "linear"], Field(description="sqrt: 1 - sqrt(t), steep at first; linear: 1 - t")
    ] = "sqrt"


@hookimpl
def texprior_lr_decays() -> list[LrDecay]:
    """Returns the records of the decays."""
    return [
        LrDecay(
            name="constant",
            impl="texprior_plugins.lr_decay.constant:Constant",
            summary="No decay: the learning rate stays, and a larger budget continues the same training.",
            api=2,
            open_ended=True,
        ),
        LrDecay(
            name="cosine",
            impl="texprior_plugins.lr_decay.cosine:Cosine",
            summary="Half a cosine, from the whole learning rate to 0 at the end of the budget.",
            api=2,
            citation=_COSINE,
        ),
        LrDecay(
            name="linear",
            impl="texprior_plugins.lr_decay.linear:Linear",
            options=LinearOptions,
            summary="A straight line, from the whole learning rate to a share of it at the end of the budget.",
            api=2,
        ),
        LrDecay(
            name="warmup-stable-decay",
            impl="texprior_plugins.lr_decay.warmup_stable_decay:WarmupStableDecay",
            options=WarmupStableDecayOptions,
            summary="The whole learning rate until the last part of the budget, in which it falls to 0.",
            api=2,
            citation=_WSD,
        ),
    ]
