"""First-party initial predictors."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from texprior.plugin import Options, Predictor, hookimpl


class UnetOptions(Options):
    """Sizes and loss of the compact UNet."""

    width: Annotated[int, Field(ge=8, le=512, description="channels at the finest level")] = 32
    levels: Annotated[int, Field(ge=1, le=5, description="resolutions; level k has (k + 1) times the width")] = 3
    blocks: Annotated[int, Field(ge=1, le=8, description="residual blocks a level, on each way")] = 2
    unshuffle: Annotated[int, Field(ge=1, le=4, description="pixel-unshuffling factor at the input")] = 2
    loss: Annotated[Literal["l1", "charbonnier", "l2"], Field(description="distance to the clean picture")] = "l1"


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
            citation="""@inproceedings{ronneberger2015unet,
  title={U-Net: Convolutional Networks for Biomedical Image Segmentation},
  author={Ronneberger, Olaf and Fischer, Philipp and Brox, Thomas},
  booktitle={Medical Image Computing and Computer-Assisted Intervention},
  year={2015}
}""",
        )
    ]
