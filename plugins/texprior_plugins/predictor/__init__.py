"""Registers the first-party initial predictors and their options."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from texprior.plugin import Options, Predictor, hookimpl


class LossOptions(Options):
    """Options of the loss of trained predictors: the distance to the clean picture."""

    loss: Annotated[Literal["l1", "charbonnier", "l2"], Field(description="distance between pixels")] = "l1"
    frequency_weight: Annotated[
        float, Field(ge=0, le=10, description="weight of the added distance of Fourier coefficients; 0 is off")
    ] = 0.0
    frequency: Annotated[
        Literal["complex", "amplitude"],
        Field(description="compare the complex coefficients or only their amplitudes; used if frequency_weight > 0"),
    ] = "complex"


class UnetOptions(LossOptions):
    """Options of ``unet``: the sizes and the loss of the compact UNet."""

    width: Annotated[int, Field(ge=8, le=512, description="channels at the finest level")] = 32
    levels: Annotated[int, Field(ge=1, le=5, description="resolutions; level k has (k + 1) * width channels")] = 3
    blocks: Annotated[int, Field(ge=1, le=8, description="residual blocks per level, in encoder and decoder each")] = 2
    unshuffle: Annotated[int, Field(ge=1, le=4, description="pixel-unshuffling factor at the input, px")] = 2


class NafnetOptions(LossOptions):
    """Options of ``nafnet``: the sizes and the loss of NAFNet."""

    width: Annotated[int, Field(ge=4, le=512, description="channels at the finest level")] = 32
    levels: Annotated[int, Field(ge=1, le=5, description="resolutions; level k has 2**k * width channels")] = 3
    blocks: Annotated[int, Field(ge=1, le=32, description="blocks per level, in encoder and decoder each")] = 2
    unshuffle: Annotated[int, Field(ge=1, le=4, description="pixel-unshuffling factor at the input, px")] = 2
    window: Annotated[
        int, Field(ge=8, le=512, description="side of the window over which channel attention averages, px")
    ] = 32


class SpandrelOptions(LossOptions):
    """Options of ``spandrel``. Reading the file runs no code from it, and nothing is downloaded."""

    weights: Annotated[
        str,
        Field(
            min_length=1,
            description="the restorer's .safetensors or .pth file: a path, or a name in TEXPRIOR_WEIGHTS or the cache",
            examples=["restorer.safetensors"],
        ),
    ]
    finetune: Annotated[bool, Field(description="train the restorer on the task; false uses it unchanged")] = False


_UNET = """@inproceedings{ronneberger2015unet,
  title={U-Net: Convolutional Networks for Biomedical Image Segmentation},
  author={Ronneberger, Olaf and Fischer, Philipp and Brox, Thomas},
  booktitle={Medical Image Computing and Computer-Assisted Intervention},
  year={2015}
}"""
_NAFNET = """@inproceedings{chen2022nafnet,
  title={Simple Baselines for Image Restoration},
  author={Chen, Liangyu and Chu, Xiaojie and Zhang, Xiangyu and Sun, Jian},
  booktitle={European Conference on Computer Vision},
  year={2022}
}
@inproceedings{chu2022tlc,
  title={Improving Image Restoration by Revisiting Global Information Aggregation},
  author={Chu, Xiaojie and Chen, Liangyu and Chen, Chengpeng and Lu, Xin},
  booktitle={European Conference on Computer Vision},
  year={2022}
}"""
_SPANDREL = """@misc{spandrel,
  title={spandrel: PyTorch architectures with auto-detection}, author={{chaiNNer contributors}}, year={2023},
  howpublished={https://github.com/chaiNNer-org/spandrel}
}"""


@hookimpl
def texprior_predictors() -> list[Predictor]:
    """Returns the records of the predictors."""
    return [
        Predictor(
            "unet",
            "texprior_plugins.predictor.unet:Unet",
            UnetOptions,
            "Compact residual UNet on pixel-unshuffled input; starts as the identity.",
            api=2,
            tags=("convolutional",),
            local=True,
            citation=_UNET,
        ),
        Predictor(
            "nafnet",
            "texprior_plugins.predictor.nafnet:Nafnet",
            NafnetOptions,
            "NAFNet with windowed channel attention on pixel-unshuffled input; starts as the identity.",
            api=2,
            tags=("convolutional",),
            local=True,
            citation=_NAFNET,
        ),
        Predictor(
            "identity",
            "texprior_plugins.predictor.identity:Identity",
            summary="Control without a predictor: returns the degraded picture; nothing to train.",
            api=2,
            local=True,
        ),
        Predictor(
            "spandrel",
            "texprior_plugins.predictor.spandrel:Spandrel",
            SpandrelOptions,
            "Any pretrained restorer that spandrel knows, from a local file; needs the extra 'spandrel'.",
            api=2,
            tags=("pretrained", "extra"),
            citation=_SPANDREL,
            requires=("spandrel",),
        ),
    ]
