"""First-party initial predictors."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from texprior.plugin import Options, Predictor, hookimpl


class LossOptions(Options):
    """What trained predictors have in common: the distance to the clean picture."""

    loss: Annotated[Literal["l1", "charbonnier", "l2"], Field(description="distance of pixels")] = "l1"
    frequency_weight: Annotated[
        float, Field(ge=0, le=10, description="weight of the distance of Fourier coefficients beside it; 0 is without")
    ] = 0.0
    frequency: Annotated[
        Literal["complex", "amplitude"],
        Field(description="of the coefficients themselves, or of their amplitudes alone; where frequency_weight > 0"),
    ] = "complex"


class UnetOptions(LossOptions):
    """Sizes and loss of the compact UNet."""

    width: Annotated[int, Field(ge=8, le=512, description="channels at the finest level")] = 32
    levels: Annotated[int, Field(ge=1, le=5, description="resolutions; level k has (k + 1) times the width")] = 3
    blocks: Annotated[int, Field(ge=1, le=8, description="residual blocks a level, on each way")] = 2
    unshuffle: Annotated[int, Field(ge=1, le=4, description="pixel-unshuffling factor at the input")] = 2


class NafnetOptions(LossOptions):
    """Sizes and loss of NAFNet."""

    width: Annotated[int, Field(ge=4, le=512, description="channels at the finest level")] = 32
    levels: Annotated[int, Field(ge=1, le=5, description="resolutions; each has twice the width of the one above")] = 3
    blocks: Annotated[int, Field(ge=1, le=32, description="blocks a level, on each way")] = 2
    unshuffle: Annotated[int, Field(ge=1, le=4, description="pixel-unshuffling factor at the input")] = 2
    window: Annotated[
        int, Field(ge=8, le=512, description="side of the window that channel attention averages over, px")
    ] = 32


class SpandrelOptions(LossOptions):
    """Options of spandrel. The file is read safely; nothing is downloaded."""

    weights: Annotated[
        str,
        Field(
            min_length=1,
            description="the restorer, .safetensors or .pth: a path, or a name in TEXPRIOR_WEIGHTS or the cache",
            examples=["restorer.safetensors"],
        ),
    ]
    finetune: Annotated[bool, Field(description="train it further on the task; otherwise it is taken as it is")] = False


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
    """The components."""
    return [
        Predictor(
            "unet",
            "texprior_plugins.predictor.unet:Unet",
            UnetOptions,
            "Compact residual UNet on pixel-unshuffled input; starts as the identity.",
            tags=("local", "convolutional"),
            citation=_UNET,
        ),
        Predictor(
            "nafnet",
            "texprior_plugins.predictor.nafnet:Nafnet",
            NafnetOptions,
            "NAFNet with channel attention over a window, on pixel-unshuffled input; starts as the identity.",
            tags=("local", "convolutional"),
            citation=_NAFNET,
        ),
        Predictor(
            "identity",
            "texprior_plugins.predictor.identity:Identity",
            summary="The degraded picture itself: the control without a predictor; nothing to train.",
            tags=("local",),
        ),
        Predictor(
            "spandrel",
            "texprior_plugins.predictor.spandrel:Spandrel",
            SpandrelOptions,
            "Any pretrained restorer that spandrel knows, from a local file; extra 'spandrel'.",
            tags=("pretrained", "extra"),
            citation=_SPANDREL,
            requires=("spandrel",),
        ),
    ]
