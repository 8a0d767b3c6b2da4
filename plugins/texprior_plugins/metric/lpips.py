"""Computes LPIPS, version 0.1, on AlexNet and on VGG16 (Zhang et al. 2018).

LPIPS is the learned perceptual image patch similarity.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from texprior import weights
from texprior.flow.measure import Scoring
from texprior.plugin import Options, Weights
from texprior_plugins.metric import LPIPS_ALEX, LPIPS_VGG
from texprior_plugins.metric._pictures import check_pair, check_picture
from texprior_plugins.metric._precision import computed_once
from texprior_plugins.metric.vgg16 import MINIMUM_PX, vgg16_stages

# AlexNet's convolutions by torchvision's names: (name, stride, padding, whether a 3x3/2 max pooling comes before)
_LAYERS = (
    ("features.0", 4, 2, False),
    ("features.3", 1, 2, True),
    ("features.6", 1, 1, True),
    ("features.8", 1, 1, False),
    ("features.10", 1, 1, False),
)
# the shift and scale of the LPIPS release for pictures in [-1, 1]: its heads were trained with these numbers
_SHIFT, _SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)


class _Lpips(ABC):
    """Learned distance between unit-length features.

    It is >= 0, and 0 for identical pictures. It computes in float32.
    """

    key: ClassVar[str]
    record: ClassVar[Weights]
    minimum_px: ClassVar[int]
    """The smallest side, px: a smaller picture has no position left after the network's last pooling."""

    def __init__(self, _options: Options) -> None:
        self.tensors = {name: tensor.float() for name, tensor in weights.load(self.record).items()}
        self.tensors |= {"shift": torch.tensor(_SHIFT)[:, None, None], "scale": torch.tensor(_SCALE)[:, None, None]}

    def __call__(self, image_BCHW: Tensor, reference_BCHW: Tensor | None) -> Tensor:
        """Returns the scores, (B,) float32.

        Raises ImageError for pictures with a side below ``minimum_px``.
        """
        reference = check_pair(self.key, image_BCHW, reference_BCHW, self.minimum_px)
        return self._scores(image_BCHW, self._unit(reference))

    def against(self, reference_BCHW: Tensor) -> Scoring:
        """Returns the same scores, with the reference's activations computed once."""
        check_picture(self.key, reference_BCHW, self.minimum_px)
        units = computed_once(lambda: self._unit(reference_BCHW), reference_BCHW)

        def scores(image_BCHW: Tensor) -> Tensor:
            check_pair(self.key, image_BCHW, reference_BCHW, self.minimum_px)
            return self._scores(image_BCHW, units())

        return scores

    def _scores(self, image_BCHW: Tensor, units: Iterable[Tensor]) -> Tensor:
        score = image_BCHW.new_zeros(len(image_BCHW), dtype=torch.float32)
        # without autocast, a score does not depend on the precision of the caller
        with torch.autocast(image_BCHW.device.type, enabled=False):
            for layer, (a, b) in enumerate(zip(self._unit(image_BCHW), units, strict=True)):
                score = score + F.conv2d((a - b) ** 2, self.tensors[f"lin{layer}.weight"]).mean((1, 2, 3))
        return score

    def _unit(self, image_BCHW: Tensor) -> Iterator[Tensor]:
        """Yields each layer's activations, of unit length across channels."""
        # keep the moved tensors, so that they move once and not for every batch
        self.tensors = {name: tensor.to(image_BCHW.device) for name, tensor in self.tensors.items()}
        for hidden in self._features((image_BCHW.float() * 2 - 1 - self.tensors["shift"]) / self.tensors["scale"]):
            # 1e-10, as in the release, keeps the division finite if all channels of a position are 0
            yield hidden / (hidden.square().sum(1, keepdim=True).sqrt() + 1e-10)

    @abstractmethod
    def _features(self, image_BCHW: Tensor) -> Iterator[Tensor]:
        """Yields each layer's activations."""


class LpipsAlex(_Lpips):
    """LPIPS on the five convolutions of AlexNet."""

    key, record, minimum_px = "lpips_alex", LPIPS_ALEX, 31

    def _features(self, image_BCHW: Tensor) -> Iterator[Tensor]:
        hidden = image_BCHW
        for name, stride, padding, pooled in _LAYERS:
            hidden = F.max_pool2d(hidden, 3, 2) if pooled else hidden
            weight, bias = self.tensors[f"{name}.weight"], self.tensors[f"{name}.bias"]
            hidden = F.conv2d(hidden, weight, bias, stride, padding).relu()
            yield hidden


class LpipsVgg(_Lpips):
    """LPIPS on the five stages of VGG16.

    The weights of its convolutions are rounded to float16, which changes scores by less than 1e-4.
    """

    key, record, minimum_px = "lpips_vgg", LPIPS_VGG, MINIMUM_PX

    def _features(self, image_BCHW: Tensor) -> Iterator[Tensor]:
        return vgg16_stages(image_BCHW, self.tensors, lambda hidden: F.max_pool2d(hidden, 2))
