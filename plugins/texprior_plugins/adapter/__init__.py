"""First-party adapters."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from texprior.plugin import Adapter, Options, Tune, hookimpl

Kernel = Annotated[Literal[1, 3, 5], Field(description="kernel of the convolution on y_eps"), Tune()]
ZeroInit = Annotated[bool, Field(description="start as the identity")]


class CgaOptions(Options):
    """Sizes of the conditional guidance adapter."""

    width: Annotated[int, Field(ge=4, le=512, description="channels inside the adapter"), Tune(16, 64, log=True)] = 32
    kernel: Kernel = 3
    zero_init: ZeroInit = True


class SftOptions(Options):
    """Sizes of the spatial feature transform."""

    width: Annotated[int, Field(ge=4, le=512, description="channels of the condition"), Tune(16, 64, log=True)] = 32
    kernel: Kernel = 3
    zero_init: ZeroInit = True


@hookimpl
def texprior_adapters() -> list[Adapter]:
    """The components."""
    return [
        Adapter(
            "cga",
            "texprior_plugins.adapter.cga:ConditionalGuidanceAdapter",
            CgaOptions,
            "Conditional guidance adapter: h + MLP_out(GELU(MLP_in h) + GELU(Conv y)).",
            tags=("cacheable",),
            citation="""@inproceedings{ye2024dtpm,
  title={Learning Diffusion Texture Priors for Image Restoration},
  author={Ye, Tian and Chen, Sixiang and Chai, Wenhao and Xing, Zhaohu and Qin, Jing and Lin, Ge and Zhu, Lei},
  booktitle={IEEE/CVF Conference on Computer Vision and Pattern Recognition},
  year={2024}
}""",
        ),
        Adapter(
            "sft",
            "texprior_plugins.adapter.sft:SpatialFeatureTransform",
            SftOptions,
            "Spatial feature transform: (1 + gamma(y)) h + beta(y).",
            tags=("cacheable",),
            citation="""@inproceedings{wang2018sftgan,
  title={Recovering Realistic Texture in Image Super-resolution by Deep Spatial Feature Transform},
  author={Wang, Xintao and Yu, Ke and Dong, Chao and Loy, Chen Change},
  booktitle={IEEE/CVF Conference on Computer Vision and Pattern Recognition},
  year={2018}
}""",
        ),
    ]
