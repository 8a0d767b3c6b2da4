"""Computes DISTS, the deep image structure and texture similarity (Ding et al. 2020)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import torch
from torch import Tensor
from torch.nn import functional as F

from texprior import weights
from texprior.flow.measure import Scoring
from texprior.plugin import Options
from texprior_plugins._mobilenet_v2 import imagenet_normalised
from texprior_plugins.metric import DISTS_HEADS, LPIPS_VGG
from texprior_plugins.metric._pictures import check_pair, check_picture
from texprior_plugins.metric._precision import computed_once
from texprior_plugins.metric.vgg16 import MINIMUM_PX, vgg16_stages

C1 = C2 = 1e-6
"""The stabilising constants of equations 3 and 4."""
# the inner three taps of a 5-tap Hann window: its ends are 0, so a 3 x 3 kernel is enough
_HANN = (0.25, 0.5, 0.25)


class Dists:
    """Distance 1 - sum(alpha l + beta s).

    The sum is over the channels of the picture and of VGG16. The distance is >= 0, and 0 for identical pictures. l
    compares the channels' means (texture), s their correlation (structure), equations 3 to 6. The picture is not
    resized. The metric computes in float32, with the trunk's weights rounded to float16.
    """

    key = "dists"

    def __init__(self, _options: Options) -> None:
        self.trunk = {name: tensor.float() for name, tensor in weights.load(LPIPS_VGG).items()}
        heads = weights.load(DISTS_HEADS)
        # equation 6 needs weights that sum to 1; the file has them unnormalised
        total = heads["alpha"].sum() + heads["beta"].sum()
        self.alpha, self.beta = heads["alpha"].flatten() / total, heads["beta"].flatten() / total

    def __call__(self, image_BCHW: Tensor, reference_BCHW: Tensor | None) -> Tensor:
        """Returns the scores, (B,) float32.

        Raises ImageError for pictures smaller than 16 px.
        """
        reference = check_pair(self.key, image_BCHW, reference_BCHW, MINIMUM_PX)
        return self._scores(image_BCHW, self._features(reference))

    def against(self, reference_BCHW: Tensor) -> Scoring:
        """Returns the same scores, with the reference's activations computed once."""
        check_picture(self.key, reference_BCHW, MINIMUM_PX)
        features = computed_once(lambda: self._features(reference_BCHW), reference_BCHW)

        def scores(image_BCHW: Tensor) -> Tensor:
            check_pair(self.key, image_BCHW, reference_BCHW, MINIMUM_PX)
            return self._scores(image_BCHW, features())

        return scores

    def _scores(self, image_BCHW: Tensor, features: Iterable[Tensor]) -> Tensor:
        device = image_BCHW.device
        self.alpha, self.beta = self.alpha.to(device), self.beta.to(device)
        # without autocast, a score does not depend on the precision of the caller
        with torch.autocast(device.type, enabled=False):
            pairs = zip(self._features(image_BCHW), features, strict=True)
            texture, structure = (
                torch.cat(parts, dim=1) for parts in zip(*(_loss(x, y) for x, y in pairs), strict=True)
            )
            return (self.alpha * texture + self.beta * structure).sum(1)

    def _features(self, image_BCHW: Tensor) -> Iterator[Tensor]:
        # keep the moved tensors, so that they move once and not for every batch
        self.trunk = {name: tensor.to(image_BCHW.device) for name, tensor in self.trunk.items()}
        image = image_BCHW.float()
        yield image
        yield from vgg16_stages(imagenet_normalised(image), self.trunk, l2_pooled)


def l2_pooled(hidden_BCHW: Tensor) -> Tensor:
    """Halves the size, rounded up, by L2 pooling with a Hann window (Henaff, Simoncelli 2016).

    Each output is the root of the weighted mean of squares.
    """
    channels = hidden_BCHW.shape[1]
    taps = hidden_BCHW.new_tensor(_HANN)
    kernel = (taps[:, None] * taps).expand(channels, 1, 3, 3)
    # 1e-12 keeps the gradient of the root finite if all activations under the window are 0
    return (F.conv2d(hidden_BCHW.square(), kernel, stride=2, padding=1, groups=channels) + 1e-12).sqrt()


def _loss(x_BCHW: Tensor, y_BCHW: Tensor) -> tuple[Tensor, Tensor]:
    """Returns 1 - l and 1 - s of each channel, (B, C)."""
    # Central moments: E[x^2] - E[x]^2 would have rounding errors in float32 that are larger than C2.
    mean_x, mean_y = x_BCHW.mean((2, 3), keepdim=True), y_BCHW.mean((2, 3), keepdim=True)
    x, y = x_BCHW - mean_x, y_BCHW - mean_y
    variances = x.square().mean((2, 3)) + y.square().mean((2, 3))
    texture = (2 * mean_x * mean_y + C1) / (mean_x**2 + mean_y**2 + C1)
    structure = (2 * (x * y).mean((2, 3)) + C2) / (variances + C2)
    return 1 - texture[..., 0, 0], 1 - structure
