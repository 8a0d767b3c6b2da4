"""Declares the diffusion processes: what is diffused, and how the network is given it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from texprior.plugin import Options, Process, Tune, hookimpl

_DTPM = """@inproceedings{ye2024dtpm,
  title = {Learning Diffusion Texture Priors for Image Restoration},
  author = {Ye, Tian and Chen, Sixiang and Chai, Wenhao and Xing, Zhaohu and Qin, Jing and Lin, Ge and Zhu, Lei},
  booktitle = {IEEE/CVF Conference on Computer Vision and Pattern Recognition},
  year = {2024}
}"""
_SR3 = """@article{saharia2023sr3,
  title = {Image Super-Resolution via Iterative Refinement},
  author = {Saharia, Chitwan and Ho, Jonathan and Chan, William and Salimans, Tim and Fleet, David J. and
    Norouzi, Mohammad},
  journal = {IEEE Transactions on Pattern Analysis and Machine Intelligence},
  volume = {45},
  number = {4},
  year = {2023},
  note = {arXiv:2104.07636}
}"""
_RESSHIFT = """@inproceedings{yue2023resshift,
  title = {{ResShift}: Efficient Diffusion Model for Image Super-resolution by Residual Shifting},
  author = {Yue, Zongsheng and Wang, Jianyi and Loy, Chen Change},
  booktitle = {Advances in Neural Information Processing Systems},
  volume = {36},
  year = {2023},
  note = {arXiv:2307.12348}
}"""
_IRSDE = """@inproceedings{luo2023irsde,
  title = {Image Restoration with Mean-Reverting Stochastic Differential Equations},
  author = {Luo, Ziwei and Gustafsson, Fredrik K. and Zhao, Zheng and Sj{\\"o}lund, Jens and Sch{\\"o}n, Thomas B.},
  booktitle = {International Conference on Machine Learning},
  year = {2023},
  note = {arXiv:2301.11699}
}"""

_Towards = Annotated[
    Literal["degraded", "estimate"],
    Field(description="the base of Stage II: the degraded picture y_d, or the predictor's estimate y_eps"),
]


class ResidualShiftOptions(Options):
    """Options of ``residual-shift``."""

    towards: _Towards = "degraded"
    kappa: Annotated[
        float,
        Field(ge=0.01, le=100, description="standard deviation of the noise at the end, for pictures in [-1, 1]"),
        Tune(0.5, 4.0),
    ] = 2.0


class MeanRevertingOptions(Options):
    """Options of ``mean-reverting``."""

    towards: _Towards = "degraded"
    noise: Annotated[
        float,
        Field(ge=1e-3, le=10, description="lambda, standard deviation of the stationary noise, for pictures in [0, 1]"),
        Tune(0.02, 0.4),
    ] = 10 / 255
    end: Annotated[
        float,
        Field(ge=1e-6, le=0.5, description="share of the clean picture that is left at the largest noise level"),
    ] = 0.005


@hookimpl
def texprior_processes() -> list[Process]:
    """Returns the records of the processes."""
    return [
        Process(
            name="texture",
            impl="texprior_plugins.process.texture:Texture",
            summary="The texture: the picture less its structure, and in Stage II less what process.base says.",
            api=2,
            posterior=True,
            citation=_DTPM,
        ),
        Process(
            name="picture",
            impl="texprior_plugins.process.picture:Picture",
            summary="The whole picture, as in SR3: a conditional DDPM.",
            api=2,
            own_base=True,
            posterior=True,
            citation=_SR3,
        ),
        Process(
            name="residual-shift",
            impl="texprior_plugins.process.residual_shift:ResidualShift",
            options=ResidualShiftOptions,
            summary="ResShift: from the clean picture to the degraded one, with noise that grows with the shift.",
            api=2,
            own_base=True,
            posterior=True,
            citation=_RESSHIFT,
        ),
        Process(
            name="mean-reverting",
            impl="texprior_plugins.process.mean_reverting:MeanReverting",
            options=MeanRevertingOptions,
            summary="IR-SDE: a stochastic differential equation that reverts to the degraded picture.",
            api=2,
            own_base=True,
            posterior=True,
            citation=_IRSDE,
        ),
    ]
