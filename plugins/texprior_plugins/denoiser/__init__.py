"""Registers the first-party denoisers and their options."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from texprior.plugin import Before, Denoiser, Options, Tune, hookimpl

_UNET = """@inproceedings{ho2020denoising,
  title={Denoising Diffusion Probabilistic Models},
  author={Ho, Jonathan and Jain, Ajay and Abbeel, Pieter},
  booktitle={Advances in Neural Information Processing Systems},
  year={2020}
}"""
_NAFNET = """@inproceedings{chen2022simple,
  title={Simple Baselines for Image Restoration},
  author={Chen, Liangyu and Chu, Xiaojie and Zhang, Xiangyu and Sun, Jian},
  booktitle={European Conference on Computer Vision},
  year={2022}
}
@inproceedings{luo2023refusion,
  title={Refusion: Enabling Large-Size Realistic Image Restoration with Latent-Space Diffusion Models},
  author={Luo, Ziwei and Gustafsson, Fredrik K. and Zhao, Zheng and Sj{\\"o}lund, Jens and Sch{\\"o}n, Thomas B.},
  booktitle={IEEE/CVF Conference on Computer Vision and Pattern Recognition Workshops},
  year={2023}
}"""
_WINDOW_TRANSFORMER = """@inproceedings{liu2021swin,
  title={Swin Transformer: Hierarchical Vision Transformer using Shifted Windows},
  author={Liu, Ze and Lin, Yutong and Cao, Yue and Hu, Han and Wei, Yixuan and Zhang, Zheng and Lin, Stephen and
          Guo, Baining},
  booktitle={IEEE/CVF International Conference on Computer Vision},
  year={2021}
}
@inproceedings{peebles2023scalable,
  title={Scalable Diffusion Models with Transformers},
  author={Peebles, William and Xie, Saining},
  booktitle={IEEE/CVF International Conference on Computer Vision},
  year={2023}
}"""


class UnetOptions(Options):
    """Options of ``unet``: the sizes of the network."""

    width: Annotated[int, Field(ge=8, le=1024, multiple_of=8, description="channels at the finest level")] = 32
    levels: Annotated[int, Field(ge=1, le=6, description="resolutions; level k has (k + 1) * width channels")] = 3
    blocks: Annotated[int, Field(ge=1, le=8, description="denoising blocks per level, in encoder and decoder each")] = 2
    heads: Annotated[int, Field(ge=1, le=16, description="attention heads at the coarsest level")] = 4
    unshuffle: Annotated[int, Field(ge=1, le=4, description="pixel-unshuffling factor at the input, px")] = 2
    positions: Annotated[
        bool,
        Field(description="the attention knows where tokens and pixels are in the patch; for an encoder with a place"),
        Before(False),
    ] = False

    @model_validator(mode="after")
    def _heads_fit(self) -> Self:
        coarsest = self.width * self.levels
        if coarsest % self.heads:
            raise ValueError(f"{self.heads} heads do not divide the {coarsest} channels of the coarsest level")
        if self.positions and coarsest < 4 * self.heads:
            raise ValueError(f"positions need 4 channels in each head, and {self.heads} heads share {coarsest}")
        return self


class PyramidOptions(Options):
    """Options that ``nafnet`` and ``window_transformer`` share: the sizes of the pyramid of blocks."""

    width: Annotated[int, Field(ge=8, le=512, multiple_of=8, description="channels at the finest level")] = 32
    levels: Annotated[int, Field(ge=2, le=5, description="resolutions; level k has 2**k * width channels")] = 3
    blocks: Annotated[
        int, Field(ge=1, le=8, description="blocks per level, in encoder and decoder each"), Tune(1, 3)
    ] = 2
    middle: Annotated[int, Field(ge=1, le=16, description="blocks at the coarsest level"), Tune(2, 8)] = 4
    head_width: Annotated[
        int, Field(ge=4, le=128, multiple_of=4, description="channels of an attention head; divides those of a level")
    ] = 32
    unshuffle: Annotated[int, Field(ge=1, le=4, description="pixel-unshuffling factor at the input, px")] = 2

    @model_validator(mode="after")
    def _heads_fit(self) -> Self:
        for level in self.attending():
            channels = self.width * 2**level
            if channels % self.head_width:
                raise ValueError(f"heads of {self.head_width} channels do not divide the {channels} of level {level}")
        return self

    def attending(self) -> range:
        """Returns the levels with attention: here only the coarsest, which attends to the code."""
        return range(self.levels - 1, self.levels)


class NafnetOptions(PyramidOptions):
    """Options of ``nafnet``: the sizes of the network, and the window of its channel attention."""

    window: Annotated[
        int,
        Field(ge=0, le=256, description="side of the window over which channel attention averages, px; 0: none"),
        Tune(0, 32),
    ] = 16


class WindowTransformerOptions(PyramidOptions):
    """Options of ``window_transformer``: the sizes of the network and of its windows."""

    width: Annotated[int, Field(ge=8, le=512, multiple_of=8, description="channels at the finest level")] = 48
    levels: Annotated[int, Field(ge=2, le=5, description="resolutions; level k has 2**k * width channels")] = 2
    middle: Annotated[int, Field(ge=1, le=16, description="blocks at the coarsest level"), Tune(2, 8)] = 6
    head_width: Annotated[
        int, Field(ge=4, le=128, multiple_of=4, description="channels of an attention head; divides those of a level")
    ] = 24
    window: Annotated[
        int, Field(ge=2, le=32, multiple_of=2, description="side of a window of attention, positions of its level")
    ] = 8
    expansion: Annotated[int, Field(ge=1, le=8, description="hidden channels of the MLP per channel"), Tune(1, 4)] = 2

    def attending(self) -> range:
        """Returns the levels with attention: all."""
        return range(self.levels)


@hookimpl
def texprior_denoisers() -> list[Denoiser]:
    """Returns the records of the denoisers."""
    return [
        Denoiser(
            "unet",
            "texprior_plugins.denoiser.unet:Unet",
            UnetOptions,
            "Residual UNet on pixel-unshuffled input. Every block reads the code; the coarsest level attends to it.",
            api=2,
            tags=("convolutional",),
            local=True,
            condition_level=True,
            citation=_UNET,
        ),
        Denoiser(
            "nafnet",
            "texprior_plugins.denoiser.nafnet:Nafnet",
            NafnetOptions,
            "NAFNet without activations, modulated by noise level and code; channel attention over a window.",
            api=2,
            tags=("convolutional",),
            local=True,
            condition_level=True,
            citation=_NAFNET,
        ),
        Denoiser(
            "window_transformer",
            "texprior_plugins.denoiser.window_transformer:WindowTransformer",
            WindowTransformerOptions,
            "Transformer of shifted windows at two or more resolutions, with adaLN-Zero for noise level and code.",
            api=2,
            tags=("transformer",),
            local=True,
            condition_level=True,
            citation=_WINDOW_TRANSFORMER,
        ),
    ]
