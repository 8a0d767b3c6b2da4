"""The convolutions of VGG16 (Simonyan, Zisserman 2015), which LPIPS-VGG and DISTS look through."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from torch import Tensor
from torch.nn import functional as F

# Convolutions of the five stages by torchvision's numbering, features.N; between stages the size is halved
_STAGES = ((0, 2), (5, 7), (10, 12, 14), (17, 19, 21), (24, 26, 28))
MINIMUM_PX = 16
"""Below this nothing is left in the last stage."""


def vgg16_stages(
    image_BCHW: Tensor, tensors: Mapping[str, Tensor], halve: Callable[[Tensor], Tensor]
) -> Iterator[Tensor]:
    """The activations after each stage (relu1_2 to relu5_3), (B, C, H, W) with C of 64, 128, 256, 512, 512."""
    hidden = image_BCHW
    for stage, convolutions in enumerate(_STAGES):
        hidden = halve(hidden) if stage else hidden
        for number in convolutions:
            weight, bias = tensors[f"features.{number}.weight"], tensors[f"features.{number}.bias"]
            hidden = F.conv2d(hidden, weight, bias, padding=1).relu()
        yield hidden


def from_official(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """What is kept of torchvision's vgg16 and of LPIPS's heads: no classifier, trunk weights rounded to float16."""
    kept = {}
    for name, tensor in tensors.items():
        if name.startswith("features.") and name.endswith(".weight"):
            kept[name] = tensor.half()
        elif name.startswith("features."):
            kept[name] = tensor
        elif name.startswith("lin"):
            kept[name.replace(".model.1.", ".")] = tensor
    return kept
