"""Learned perceptual image patch similarity, version 0.1, on AlexNet (Zhang et al. 2018)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from texprior import weights
from texprior.plugin import Options
from texprior_plugins.metric import LPIPS_ALEX
from texprior_plugins.metric._pictures import check_pair

# AlexNet's convolutions by torchvision's names: (name, stride, padding, whether a 3x3/2 max pooling goes before)
_LAYERS = (
    ("features.0", 4, 2, False),
    ("features.3", 1, 2, True),
    ("features.6", 1, 1, True),
    ("features.8", 1, 1, False),
    ("features.10", 1, 1, False),
)
# the shift and scale that LPIPS applies to pictures in [-1, 1]
_SHIFT, _SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)
_MINIMUM_PX = 31
"""Below this nothing is left after AlexNet's second pooling."""


class LpipsAlex:
    """The learned distance of unit-length AlexNet features, >= 0, 0 for identical pictures. Computed in float32."""

    key = "lpips_alex"

    def __init__(self, _options: Options) -> None:
        self.tensors = {name: tensor.float() for name, tensor in weights.load(LPIPS_ALEX).items()}
        self.tensors |= {"shift": torch.tensor(_SHIFT)[:, None, None], "scale": torch.tensor(_SCALE)[:, None, None]}

    def __call__(self, image_BCHW: Tensor, reference_BCHW: Tensor | None) -> Tensor:
        """The scores, (B,) float32. Raises ImageError for pictures smaller than 31 px."""
        reference = check_pair(self.key, image_BCHW, reference_BCHW, _MINIMUM_PX)
        self.tensors = {name: tensor.to(image_BCHW.device) for name, tensor in self.tensors.items()}
        with torch.autocast(image_BCHW.device.type, enabled=False):
            score = image_BCHW.new_zeros(len(image_BCHW), dtype=torch.float32)
            for layer, (a, b) in enumerate(zip(self._features(image_BCHW), self._features(reference), strict=True)):
                score = score + F.conv2d((a - b) ** 2, self.tensors[f"lin{layer}.weight"]).mean((1, 2, 3))
        return score

    def _features(self, image_BCHW: Tensor) -> list[Tensor]:
        """Each layer's activations, of unit length across channels."""
        hidden = (image_BCHW.float() * 2 - 1 - self.tensors["shift"]) / self.tensors["scale"]
        features = []
        for name, stride, padding, pooled in _LAYERS:
            hidden = F.max_pool2d(hidden, 3, 2) if pooled else hidden
            weight, bias = self.tensors[f"{name}.weight"], self.tensors[f"{name}.bias"]
            hidden = F.conv2d(hidden, weight, bias, stride, padding).relu()
            features.append(hidden / (hidden.square().sum(1, keepdim=True).sqrt() + 1e-10))
        return features
