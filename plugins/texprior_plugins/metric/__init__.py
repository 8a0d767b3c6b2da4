"""Registers the first-party metrics and their options.

Each metric takes pictures in [0, 1] and scores every picture by itself.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

import texprior_plugins.metric._citations as cite
from texprior.plugin import Metric, Options, Weights, hookimpl

CEILING_DB = 100.0
"""The PSNR of identical pictures, dB. It is finite, so that means over images are finite too."""

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

BRISQUE_MODEL = Weights(
    name="brisque",
    tensors_sha256="093eae94aef4967e3c3bfd19dddb2196a046492d25fbc6629c2afd2ce98aa253",
    licence="the permissive notice of the BRISQUE release (University of Texas at Austin)",
    origin="allmodel and allrange of the BRISQUE software release for MATLAB "
    "(live.ece.utexas.edu/research/quality/BRISQUE_release.zip)",
    packaged="texprior_plugins.metric:weights/brisque.safetensors",
)
LPIPS_VGG = Weights(
    name="lpips_vgg",
    tensors_sha256="7513f948924a2ff2daae1e95a6e51ce6e3323ea8c650a9ac246d3bd4db0fe371",
    licence="BSD-2-Clause (LPIPS heads), BSD-3-Clause (VGG16 trunk)",
    origin="two files, to be imported together: torchvision's vgg16-397923af.pth, and weights/v0.1/vgg.pth of LPIPS "
    "(github.com/richzhang/PerceptualSimilarity; the package lpips 0.1.4 carries it)",
    convert="texprior_plugins.metric.vgg16:from_official",
)
DISTS_HEADS = Weights(
    name="dists",
    tensors_sha256="ab0a3bc45e27810214769efc044d22b71314bd7590647a953da3366b317d010e",
    licence="MIT",
    origin="DISTS_pytorch/weights.pt of DISTS (github.com/dingkeyan93/DISTS; the package DISTS-pytorch 0.1 carries it)",
)
SHIPPED_STAGES = 14
"""Stages of MobileNetV2 whose parameters ship with the package; the encoder uses the same file."""
MOBILENET_V2_14 = Weights(
    name="mobilenet_v2_14",
    tensors_sha256="bfe02ede8c40102daed55e20fe69d4dd61e7c209e81524923131abb551d1cbd0",
    licence="BSD-3-Clause",
    origin="torchvision's mobilenet_v2 (IMAGENET1K_V1), features.0 to features.13 rounded to float16",
    packaged="texprior_plugins.encoder:weights/mobilenet_v2_14.safetensors",
)
MOBILENET_V2_IMAGENET = Weights(
    name="mobilenet_v2_imagenet",
    tensors_sha256="7c87c4ca3480dcfff28963d5bcd6e55b6c98546792c6174b7098020e401e71e2",
    licence="BSD-3-Clause",
    origin="torchvision's mobilenet_v2 (IMAGENET1K_V1), the file mobilenet_v2-b0353104.pth",
    url="https://download.pytorch.org/models/mobilenet_v2-b0353104.pth",
)


class PsnrOptions(Options):
    """Options of ``psnr``."""

    space: Annotated[
        Literal["rgb", "y"],
        Field(description="rgb: all channels; y: luma of BT.601 in studio swing, unrounded, as in restoration papers"),
    ] = "rgb"
    crop: Annotated[int, Field(ge=0, le=65536, description="border to leave out on each side, px")] = 0


class SsimOptions(Options):
    """Options of ``ssim`` and ``ms_ssim``."""

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
    """Options of ``texture_ratio``."""

    sigma: Annotated[
        float, Field(gt=0, le=16, description="sigma of the Gaussian low-pass whose residual is the texture, px")
    ] = 2.0


class BandPsnrOptions(Options):
    """Options of ``band_psnr``."""

    band: Annotated[
        Literal["structure", "texture"],
        Field(description="structure: what a Gaussian low-pass keeps; texture: what it removes"),
    ] = "texture"
    sigma: Annotated[float, Field(gt=0, le=16, description="sigma of the Gaussian low-pass, px")] = 2.0
    space: Annotated[
        Literal["rgb", "y"], Field(description="rgb: all channels; y: luma of BT.601 in studio swing, unrounded")
    ] = "rgb"


class KernelDistanceOptions(Options):
    """Options of ``kernel_distance_mobilenet_v2``."""

    stages: Annotated[
        int, Field(ge=1, le=19, description="stages of MobileNetV2's trunk; more than 14 need the whole file")
    ] = SHIPPED_STAGES


class PyiqaOptions(Options):
    """Options of ``pyiqa``."""

    name: Annotated[
        str,
        Field(pattern=r"^[a-z0-9][a-z0-9_.+-]*$", description="the metric's name in pyiqa", examples=["psnr", "musiq"]),
    ]


@hookimpl
def texprior_metrics() -> list[Metric]:
    """Returns the records of the metrics."""
    return [
        Metric(
            "psnr",
            "texprior_plugins.metric.psnr:Psnr",
            PsnrOptions,
            f"Peak signal-to-noise ratio, dB; identical pictures score {CEILING_DB:g}.",
            api=2,
            tags=("fidelity",),
            citation=cite.PSNR,
            better="higher",
        ),
        Metric(
            "ssim",
            "texprior_plugins.metric.ssim:Ssim",
            SsimOptions,
            "Structural similarity, at most 1.",
            api=2,
            tags=("fidelity",),
            citation=cite.SSIM,
            better="higher",
        ),
        Metric(
            "ms_ssim",
            "texprior_plugins.metric.ms_ssim:MsSsim",
            SsimOptions,
            "Structural similarity over five scales, at most 1.",
            api=2,
            tags=("fidelity",),
            citation=cite.MS_SSIM,
            better="higher",
        ),
        Metric(
            "lpips_alex",
            "texprior_plugins.metric.lpips:LpipsAlex",
            summary="Learned perceptual distance v0.1 on AlexNet; identical pictures score 0.",
            api=2,
            tags=("perceptual",),
            citation=cite.LPIPS,
            weights=(LPIPS_ALEX,),
            better="lower",
        ),
        Metric(
            "lpips_vgg",
            "texprior_plugins.metric.lpips:LpipsVgg",
            summary="Learned perceptual distance v0.1 on VGG16; identical pictures score 0.",
            api=2,
            tags=("perceptual",),
            citation=cite.LPIPS,
            weights=(LPIPS_VGG,),
            better="lower",
        ),
        Metric(
            "dists",
            "texprior_plugins.metric.dists:Dists",
            summary="Deep structure and texture distance on VGG16; identical pictures score 0.",
            api=2,
            tags=("perceptual", "texture"),
            citation=cite.DISTS,
            weights=(DISTS_HEADS, LPIPS_VGG),
            better="lower",
        ),
        Metric(
            "niqe",
            "texprior_plugins.metric.niqe:Niqe",
            summary="Naturalness without a reference: distance from the statistics of pristine photographs.",
            api=2,
            tags=("no-reference",),
            citation=cite.NIQE,
            weights=(NIQE_MODEL,),
            better="lower",
            reference=False,
        ),
        Metric(
            "brisque",
            "texprior_plugins.metric.brisque:Brisque",
            summary="Distortion without a reference, from natural scene statistics; about 0 (pristine) to 100.",
            api=2,
            tags=("no-reference",),
            citation=cite.BRISQUE,
            weights=(BRISQUE_MODEL,),
            better="lower",
            reference=False,
        ),
        Metric(
            "texture_ratio",
            "texprior_plugins.metric.texture_ratio:TextureRatio",
            TextureRatioOptions,
            "Standard deviation of the texture, divided by that of the reference; below 1 is over-smooth.",
            api=2,
            tags=("texture",),
            better="one",
        ),
        Metric(
            "band_psnr",
            "texprior_plugins.metric.band_psnr:BandPsnr",
            BandPsnrOptions,
            f"Peak signal-to-noise ratio of the structure or texture band, dB, at most {CEILING_DB:g}.",
            api=2,
            tags=("fidelity", "texture"),
            citation=cite.PSNR,
            better="higher",
        ),
        Metric(
            "kernel_distance_mobilenet_v2",
            "texprior_plugins.metric.kernel_distance:KernelDistance",
            KernelDistanceOptions,
            "Kernel distance between the sets of restored pictures and references, by MobileNetV2; not KID.",
            api=2,
            tags=("perceptual", "distribution"),
            citation=cite.KERNEL,
            weights=(MOBILENET_V2_14, MOBILENET_V2_IMAGENET),
            better="lower",
            scope="set",
        ),
        Metric(
            "pyiqa",
            "texprior_plugins.metric.pyiqa:Pyiqa",
            PyiqaOptions,
            "Any metric of the package pyiqa, by its name; pyiqa determines which direction is better.",
            api=2,
            tags=("extra",),
            citation=cite.PYIQA,
            requires=("pyiqa",),
            better="higher",
        ),
    ]
