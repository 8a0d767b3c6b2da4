"""Runs the convolutions of VGG16 (Simonyan, Zisserman 2015) for LPIPS-VGG and DISTS."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from torch import Tensor
from torch.nn import functional as F

# convolutions of the five stages by torchvision's numbering, features.N; the size is halved between stages
_STAGES = ((0, 2), (5, 7), (10, 12, 14), (17, 19, 21), (24, 26, 28))
MINIMUM_PX = 16
"""The smallest side, px: a smaller picture has no position left in the last stage."""


def vgg16_stages(
    image_BCHW: Tensor, tensors: Mapping[str, Tensor], halve: Callable[[Tensor], Tensor]
) -> Iterator[Tensor]:
    """Yields the activations after each stage (relu1_2 to relu5_3).

    They are (B, C, H, W), with C of 64, 128, 256, 512, 512. ``halve`` is the pooling, which differs between metrics.
    """
    hidden = image_BCHW
    for stage, convolutions in enumerate(_STAGES):
        hidden = halve(hidden) if stage else hidden
        for number in convolutions:
            weight, bias = tensors[f"features.{number}.weight"], tensors[f"features.{number}.bias"]
            hidden = F.conv2d(hidden, weight, bias, padding=1).relu()
        yield hidden


def from_official(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Selects and converts the tensors of torchvision's vgg16 and of LPIPS's heads.

    Leaves out the classifier and rounds the trunk's weights to float16.
    """
    kept = {}
    for name, tensor in tensors.items():
        if name.startswith("features.") and name.endswith(".weight"):
            kept[name] = tensor.half()
        elif name.startswith("features."):
            kept[name] = tensor
        elif name.startswith("lin"):
            kept[name.replace(".model.1.", ".")] = tensor
    return kept
