"""Registers the first-party denoisers and their options."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from texprior.plugin import Denoiser, Options, hookimpl


class UnetOptions(Options):
    """Options of ``unet``: the sizes of the network."""

    width: Annotated[int, Field(ge=8, le=1024, multiple_of=8, description="channels at the finest level")] = 32
    levels: Annotated[int, Field(ge=1, le=6, description="resolutions; level k has (k + 1) * width channels")] = 3
    blocks: Annotated[int, Field(ge=1, le=8, description="denoising blocks per level, in encoder and decoder each")] = 2
    heads: Annotated[int, Field(ge=1, le=16, description="attention heads at the coarsest level")] = 4
    unshuffle: Annotated[int, Field(ge=1, le=4, description="pixel-unshuffling factor at the input, px")] = 2

    @model_validator(mode="after")
    def _heads_fit(self) -> Self:
        coarsest = self.width * self.levels
        if coarsest % self.heads:
            raise ValueError(f"{self.heads} heads do not divide the {coarsest} channels of the coarsest level")
        return self


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
            citation="""@inproceedings{ho2020denoising,
  title={Denoising Diffusion Probabilistic Models},
  author={Ho, Jonathan and Jain, Ajay and Abbeel, Pieter},
  booktitle={Advances in Neural Information Processing Systems},
  year={2020}
}""",
        )
    ]
