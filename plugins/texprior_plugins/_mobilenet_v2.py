"""The trunk of MobileNetV2 (Sandler et al. 2018), frozen, with batch normalisation folded into its convolutions.

The encoder and a metric look through it; it stands above the kinds, which do not import each other.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice

from torch import Tensor, nn
from torch.nn import functional as F

# Table 2 of the paper: expansion t, output channels c, repetitions n, stride s of the first
_BOTTLENECKS = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)
_STEM, _HEAD = 32, 1280
_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_BATCH_NORM_EPS = 1e-5


def imagenet_normalised(image_BCHW: Tensor) -> Tensor:
    """Pictures in [0, 1] as ImageNet's networks expect them: mean 0, standard deviation 1 for each channel."""
    mean, std = image_BCHW.new_tensor(_MEAN), image_BCHW.new_tensor(_STD)
    return (image_BCHW - mean[:, None, None]) / std[:, None, None]


def stage_widths() -> list[int]:
    """Output channels of the 19 stages."""
    return [_STEM, *(c for _, c, n, _ in _BOTTLENECKS for _ in range(n)), _HEAD]


def mobilenet_v2_trunk(tensors: Mapping[str, Tensor], stages: int) -> nn.Sequential:
    """The first stages, from tensors with torchvision's names."""
    return nn.Sequential(*islice(_stages(tensors), stages))


def _stages(tensors: Mapping[str, Tensor]) -> Iterator[nn.Module]:
    yield FoldedConv(tensors, "features.0.0", "features.0.1", stride=2)
    index = 0
    for expansion, _, repetitions, stride in _BOTTLENECKS:
        for repetition in range(repetitions):
            index += 1
            yield InvertedResidual(tensors, f"features.{index}.conv", expansion, 1 if repetition else stride)
    yield FoldedConv(tensors, "features.18.0", "features.18.1")


class InvertedResidual(nn.Module):
    """Expand, filter each channel, project linearly; added to the input where the shape is kept (figure 4d)."""

    def __init__(self, tensors: Mapping[str, Tensor], name: str, expansion: int, stride: int) -> None:
        super().__init__()
        expand = [FoldedConv(tensors, f"{name}.0.0", f"{name}.0.1")] if expansion > 1 else []
        n = len(expand)
        depthwise = FoldedConv(tensors, f"{name}.{n}.0", f"{name}.{n}.1", stride)
        project = FoldedConv(tensors, f"{name}.{n + 1}", f"{name}.{n + 2}", relu6=False)
        self.layers = nn.Sequential(*expand, depthwise, project)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C', H / stride, W / stride)."""
        out: Tensor = self.layers(x_BCHW)
        return x_BCHW + out if out.shape == x_BCHW.shape else out


class FoldedConv(nn.Module):
    """A convolution with its batch normalisation (running statistics) folded in, then ReLU6.

    ``w' = w g / sqrt(var + eps)``, ``b' = beta - mean g / sqrt(var + eps)``, in float64, kept in float32.
    """

    weight: Tensor
    bias: Tensor

    def __init__(
        self, tensors: Mapping[str, Tensor], conv: str, norm: str, stride: int = 1, *, relu6: bool = True
    ) -> None:
        super().__init__()
        weight = tensors[f"{conv}.weight"].double()
        gain, beta, mean, variance = (
            tensors[f"{norm}.{part}"].double() for part in ("weight", "bias", "running_mean", "running_var")
        )
        scale = gain / (variance + _BATCH_NORM_EPS).sqrt()
        self.register_buffer("weight", (weight * scale[:, None, None, None]).float(), persistent=False)
        self.register_buffer("bias", (beta - mean * scale).float(), persistent=False)
        self.stride, self.relu6 = stride, relu6
        # a kernel of one input channel with extent belongs to a depthwise convolution
        self.groups = len(weight) if weight.shape[1] == 1 else 1

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C', H / stride, W / stride)."""
        padding = self.weight.shape[-1] // 2
        out = F.conv2d(x_BCHW, self.weight, self.bias, self.stride, padding, groups=self.groups)
        return F.relu6(out) if self.relu6 else out
