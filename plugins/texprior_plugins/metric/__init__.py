"""First-party metrics. Each takes pictures in [0, 1] and scores every picture by itself."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from texprior.plugin import Metric, Options, Weights, hookimpl

CEILING_DB = 100.0
"""The PSNR of identical pictures."""

LPIPS_ALEX = Weights(
    name="lpips_alex",
    tensors_sha256="f12e82ae065631522ce52fa87936c3a236661ead15dd3c3f4d378c312ac473f0",
    licence="BSD-2-Clause (LPIPS heads), BSD-3-Clause (AlexNet trunk)",
    origin="LPIPS v0.1 (github.com/richzhang/PerceptualSimilarity) and torchvision's alexnet, rounded to float16",
    packaged="texprior_plugins.metric:weights/lpips_alex.safetensors",
)
NIQE_MODEL = Weights(
    name="niqe",
    tensors_sha256="cce9c958e7f1fd392e98ff8d1a4ae73e4b3df9034da4e9e7bc22e0bcad066878",
    licence="the permissive notice of the NIQE release (University of Texas at Austin)",
    origin="modelparameters.mat of the NIQE software release (live.ece.utexas.edu/research/quality/niqe.zip)",
    packaged="texprior_plugins.metric:weights/niqe.safetensors",
)


class PsnrOptions(Options):
    """Options of psnr."""

    space: Annotated[
        Literal["rgb", "y"],
        Field(description="rgb: all channels; y: luma of BT.601 in studio swing, unrounded, as in restoration papers"),
    ] = "rgb"
    crop: Annotated[int, Field(ge=0, description="border that is left out on each side, px")] = 0


class SsimOptions(Options):
    """Options of ssim."""

    space: Annotated[
        Literal["rgb", "y", "yiq_rounded"],
        Field(
            description="rgb: mean over the channels; y: luma of BT.601 in studio swing, as in restoration papers; "
            "yiq_rounded: full-swing luma rounded to 8 bits, as in the authors' MATLAB code"
        ),
    ] = "y"
    window: Annotated[
        Literal["gauss11"], Field(description="11 x 11 Gaussian of 1.5 px, population covariance, valid region")
    ] = "gauss11"


class TextureRatioOptions(Options):
    """Options of texture_ratio."""

    sigma: Annotated[float, Field(gt=0, le=16, description="Gaussian low-pass whose residual is the texture, px")] = 2.0


_PSNR_CITATION = """@article{huynhthu2008psnr,
  title = {Scope of validity of {PSNR} in image/video quality assessment},
  author = {Huynh-Thu, Quan and Ghanbari, Mohammed},
  journal = {Electronics Letters}, volume = {44}, number = {13}, pages = {800--801}, year = {2008}
}"""
_SSIM_CITATION = """@article{wang2004ssim,
  title = {Image quality assessment: from error visibility to structural similarity},
  author = {Wang, Zhou and Bovik, Alan C. and Sheikh, Hamid R. and Simoncelli, Eero P.},
  journal = {IEEE Transactions on Image Processing}, volume = {13}, number = {4}, pages = {600--612}, year = {2004}
}"""
_LPIPS_CITATION = """@inproceedings{zhang2018lpips,
  title = {The Unreasonable Effectiveness of Deep Features as a Perceptual Metric},
  author = {Zhang, Richard and Isola, Phillip and Efros, Alexei A. and Shechtman, Eli and Wang, Oliver},
  booktitle = {IEEE/CVF Conference on Computer Vision and Pattern Recognition}, pages = {586--595}, year = {2018}
}"""
_NIQE_CITATION = """@article{mittal2013niqe,
  title = {Making a ``Completely Blind'' Image Quality Analyzer},
  author = {Mittal, Anish and Soundararajan, Rajiv and Bovik, Alan C.},
  journal = {IEEE Signal Processing Letters}, volume = {20}, number = {3}, pages = {209--212}, year = {2013}
}"""


@hookimpl
def texprior_metrics() -> list[Metric]:
    """The components."""
    return [
        Metric(
            "psnr",
            "texprior_plugins.metric.psnr:Psnr",
            PsnrOptions,
            f"Peak signal-to-noise ratio, dB; identical pictures score {CEILING_DB:g}.",
            tags=("fidelity",),
            citation=_PSNR_CITATION,
        ),
        Metric(
            "ssim",
            "texprior_plugins.metric.ssim:Ssim",
            SsimOptions,
            "Structural similarity, at most 1.",
            tags=("fidelity",),
            citation=_SSIM_CITATION,
        ),
        Metric(
            "lpips_alex",
            "texprior_plugins.metric.lpips:LpipsAlex",
            summary="Learned perceptual distance v0.1 on AlexNet; identical pictures score 0.",
            tags=("perceptual",),
            citation=_LPIPS_CITATION,
            weights=(LPIPS_ALEX,),
            better="lower",
        ),
        Metric(
            "niqe",
            "texprior_plugins.metric.niqe:Niqe",
            summary="Naturalness without reference: distance from the statistics of pristine photographs.",
            tags=("no-reference",),
            citation=_NIQE_CITATION,
            weights=(NIQE_MODEL,),
            better="lower",
            reference=False,
        ),
        Metric(
            "texture_ratio",
            "texprior_plugins.metric.texture_ratio:TextureRatio",
            TextureRatioOptions,
            "Standard deviation of the texture over that of the reference's; below 1 is over-smooth.",
            tags=("texture",),
            better="one",
        ),
    ]
