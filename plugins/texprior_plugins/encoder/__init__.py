"""Registers the first-party semantic encoders.

A semantic encoder is the frozen net S, which describes the picture to the prior.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from texprior.plugin import Before, Encoder, Options, Tune, Weights, hookimpl

SHIPPED_STAGES = 14
"""Stages whose parameters ship with the package, 1.1 MB. Deeper stages need torchvision's whole file."""

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


class MobileNetV2Options(Options):
    """Options of ``mobilenet_v2``."""

    stages: Annotated[
        int,
        Field(
            ge=1,
            le=19,
            description="N stages of the trunk, torchvision's features.0 to features.N-1; N > 14 needs the whole file",
        ),
        Tune(4, SHIPPED_STAGES),
    ] = SHIPPED_STAGES
    grid: Annotated[
        int, Field(ge=1, le=16, description="tokens per side: the feature map is averaged to grid x grid"), Tune(1, 8)
    ] = 4
    place: Annotated[
        bool,
        Field(description="each patch or tile gets the tokens of its own place, not those of the whole picture"),
        Before(False),
    ] = False


class TimmOptions(Options):
    """Options of ``timm``. Reading the file runs no code from it, and nothing is downloaded."""

    model: Annotated[str, Field(min_length=1, description="name of the model in timm", examples=["resnet18"])]
    weights: Annotated[
        str,
        Field(
            min_length=1,
            description="the model's .safetensors or .pth file: a path, or a name in TEXPRIOR_WEIGHTS or the cache",
            examples=["resnet18.safetensors"],
        ),
    ]
    stage: Annotated[
        int, Field(ge=-64, le=63, description="index of the model's feature map, from 0; -1 is the last one")
    ] = -1
    grid: Annotated[
        int, Field(ge=1, le=16, description="tokens per side: the feature map is averaged to grid x grid"), Tune(1, 8)
    ] = 4


_MOBILENET_CITATION = """@inproceedings{sandler2018mobilenetv2,
  title = {{MobileNetV2}: Inverted Residuals and Linear Bottlenecks},
  author = {Sandler, Mark and Howard, Andrew and Zhu, Menglong and Zhmoginov, Andrey and Chen, Liang-Chieh},
  booktitle = {IEEE/CVF Conference on Computer Vision and Pattern Recognition}, pages = {4510--4520}, year = {2018}
}"""


_TIMM_CITATION = """@misc{wightman2019timm,
  title = {{PyTorch} Image Models}, author = {Wightman, Ross}, year = {2019}, doi = {10.5281/zenodo.4414861},
  howpublished = {https://github.com/huggingface/pytorch-image-models}
}"""


@hookimpl
def texprior_encoders() -> list[Encoder]:
    """Returns the records of the encoders."""
    return [
        Encoder(
            "mobilenet_v2",
            "texprior_plugins.encoder.mobilenet_v2:MobileNetV2",
            MobileNetV2Options,
            "MobileNetV2 trained on ImageNet; averages its feature map to a fixed number of tokens.",
            api=2,
            tags=("pretrained",),
            citation=_MOBILENET_CITATION,
            weights=(MOBILENET_V2_14, MOBILENET_V2_IMAGENET),
        ),
        Encoder(
            "timm",
            "texprior_plugins.encoder.timm:Timm",
            TimmOptions,
            "Any model of PyTorch Image Models with parameters from a local file; needs the extra 'timm'.",
            api=2,
            tags=("pretrained", "extra"),
            citation=_TIMM_CITATION,
            requires=("timm",),
        ),
        Encoder(
            "none",
            "texprior_plugins.encoder.none:NoCode",
            summary="No semantic code: the control without net S.",
            api=2,
        ),
    ]
