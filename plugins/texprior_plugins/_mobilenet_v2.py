"""Builds the frozen trunk of MobileNetV2 (Sandler et al. 2018).

Batch normalisation is folded into its convolutions. The encoder and a metric use this module. It is outside the folders
of the plugin kinds, since kinds do not import each other.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice

from torch import Tensor, nn
from torch.nn import functional as F

# table 2 of the paper: expansion t, output channels c, repetitions n, stride s of the first repetition
_BOTTLENECKS = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)
# table 2 again: output channels of the first convolution and of the last 1x1 convolution
_STEM, _HEAD = 32, 1280
# mean and standard deviation of ImageNet's RGB channels, with which torchvision trained the parameters
_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
# PyTorch's default, with which the parameters were trained: folding with another value would change the network
_BATCH_NORM_EPS = 1e-5


def imagenet_normalised(image_BCHW: Tensor) -> Tensor:
    """Normalises pictures in [0, 1] as ImageNet's networks expect them.

    Over ImageNet, each channel then has mean 0 and standard deviation 1.
    """
    mean, std = image_BCHW.new_tensor(_MEAN), image_BCHW.new_tensor(_STD)
    return (image_BCHW - mean[:, None, None]) / std[:, None, None]


def stage_widths() -> list[int]:
    """Returns the output channels of the 19 stages."""
    return [_STEM, *(c for _, c, n, _ in _BOTTLENECKS for _ in range(n)), _HEAD]


def mobilenet_v2_trunk(tensors: Mapping[str, Tensor], stages: int) -> nn.Sequential:
    """Builds the first ``stages`` stages from tensors with torchvision's names."""
    # the generator makes only these stages, so that a shorter file need not have the tensors of the others
    return nn.Sequential(*islice(_stages(tensors), stages))


def stride_and_reach(trunk: nn.Sequential) -> tuple[int, int]:
    """Returns the px of the picture per position of a trunk's feature map, and how far such a position sees, px."""
    stride, reach = 1, 0
    for conv in (module for module in trunk.modules() if isinstance(module, FoldedConv)):
        reach += stride * (conv.weight.shape[-1] // 2)
        stride *= conv.stride
    return stride, reach


def _stages(tensors: Mapping[str, Tensor]) -> Iterator[nn.Module]:
    yield FoldedConv(tensors, "features.0.0", "features.0.1", stride=2)
    index = 0
    for expansion, _, repetitions, stride in _BOTTLENECKS:
        for repetition in range(repetitions):
            index += 1
            yield InvertedResidual(tensors, f"features.{index}.conv", expansion, 1 if repetition else stride)
    yield FoldedConv(tensors, "features.18.0", "features.18.1")


class InvertedResidual(nn.Module):
    """Inverted residual block: expand, filter each channel, project linearly (figure 4d).

    The result is added to the input if the shapes are equal.
    """

    def __init__(self, tensors: Mapping[str, Tensor], name: str, expansion: int, stride: int) -> None:
        super().__init__()
        expand = [FoldedConv(tensors, f"{name}.0.0", f"{name}.0.1")] if expansion > 1 else []
        n = len(expand)
        depthwise = FoldedConv(tensors, f"{name}.{n}.0", f"{name}.{n}.1", stride)
        project = FoldedConv(tensors, f"{name}.{n + 1}", f"{name}.{n + 2}", relu6=False)
        self.layers = nn.Sequential(*expand, depthwise, project)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Maps (B, C, H, W) to (B, C', H / stride, W / stride)."""
        out: Tensor = self.layers(x_BCHW)
        return x_BCHW + out if out.shape == x_BCHW.shape else out


class FoldedConv(nn.Module):
    """Convolution with its batch normalisation (running statistics) folded in, then ReLU6.

    ``w' = w g / sqrt(var + eps)``, ``b' = beta - mean g / sqrt(var + eps)``, computed in float64, stored in float32.
    """

    weight: Tensor
    bias: Tensor

    def __init__(
        self, tensors: Mapping[str, Tensor], conv: str, norm: str, stride: int = 1, *, relu6: bool = True
    ) -> None:
        super().__init__()
        # float64, so that folding itself adds no error beyond the final rounding to float32
        weight = tensors[f"{conv}.weight"].double()
        gain, beta, mean, variance = (
            tensors[f"{norm}.{part}"].double() for part in ("weight", "bias", "running_mean", "running_var")
        )
        scale = gain / (variance + _BATCH_NORM_EPS).sqrt()
        self.register_buffer("weight", (weight * scale[:, None, None, None]).float(), persistent=False)
        self.register_buffer("bias", (beta - mean * scale).float(), persistent=False)
        self.stride, self.relu6 = stride, relu6
        # a kernel with a single input channel belongs to a depthwise convolution: the file does not store the groups
        self.groups = len(weight) if weight.shape[1] == 1 else 1

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Maps (B, C, H, W) to (B, C', H / stride, W / stride)."""
        padding = self.weight.shape[-1] // 2
        out = F.conv2d(x_BCHW, self.weight, self.bias, self.stride, padding, groups=self.groups)
        return F.relu6(out) if self.relu6 else out
