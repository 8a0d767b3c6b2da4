"""Computes the kernel distance between two sets of pictures from features of MobileNetV2."""

from __future__ import annotations

import torch
from torch import Tensor

from texprior import weights
from texprior_plugins._mobilenet_v2 import imagenet_normalised, mobilenet_v2_trunk
from texprior_plugins.metric import MOBILENET_V2_14, MOBILENET_V2_IMAGENET, SHIPPED_STAGES, KernelDistanceOptions
from texprior_plugins.metric._pictures import check_picture

_MINIMUM_PX = 16
"""The stride of 14 stages: a smaller picture has less than one position in the feature map."""


class KernelDistance:
    """Squared maximum mean discrepancy between restored pictures and their references; 0 is the best.

    The kernel is KID's, k(u, v) = (u v / F + 1)^3 (Binkowski et al. 2018). The F features are the means of
    MobileNetV2's channels after ``stages`` stages. KID is defined by another network, so this metric is not KID:
    compare its values only with each other. With pairs z = (restored u, reference v) the estimate is the mean over
    i != j of

        h(z_i, z_j) = k(u_i, u_j) + k(v_i, v_j) - k(u_i, v_j) - k(u_j, v_i)

    (Gretton et al. 2012, equation 4). A picture is never compared with its own reference, so the estimate is unbiased
    although the two show the same scene. It may be below 0, and identical sets score 0.
    """

    def __init__(self, options: KernelDistanceOptions) -> None:
        record = MOBILENET_V2_14 if options.stages <= SHIPPED_STAGES else MOBILENET_V2_IMAGENET
        self.trunk = mobilenet_v2_trunk(weights.load(record), options.stages)
        self.key = f"kernel_distance_mobilenet_v2_{options.stages}"

    def features(self, image_BCHW: Tensor) -> Tensor:
        """Returns the features, (B, F) float32.

        Raises ImageError for pictures smaller than 16 px.
        """
        check_picture(self.key, image_BCHW, _MINIMUM_PX)
        trunk = self.trunk.to(image_BCHW.device)
        # without autocast, a score does not depend on the precision of the caller
        with torch.autocast(image_BCHW.device.type, enabled=False):
            features: Tensor = trunk(imagenet_normalised(image_BCHW.float())).mean((2, 3))
        return features

    def contributions(self, features_NF: Tensor, reference_NF: Tensor | None) -> Tensor:
        """Returns the jackknife pseudo-values, (N,) float64, whose mean is the distance.

        They are NaN for fewer than three pictures. A pseudo-value is n U - (n - 1) U_i, with U the estimate and U_i the
        same without picture i. For the mean over pairs this is (2 sum_j h(z_i, z_j) - n U) / (n - 2).
        """
        assert reference_NF is not None
        # float64: h is a small difference of large kernel values
        u, v, n = features_NF.double(), reference_NF.double(), len(features_NF)
        if n < 3:
            return u.new_full((n,), float("nan"))
        # the diagonal of h is left out: there a picture would be compared with its own reference
        crossed = polynomial_kernel(u, v)
        h = polynomial_kernel(u, u) + polynomial_kernel(v, v) - crossed - crossed.T
        rows = h.sum(1) - h.diagonal()
        return (2 * rows - rows.sum() / (n - 1)) / (n - 2)


def polynomial_kernel(u_NF: Tensor, v_MF: Tensor) -> Tensor:
    """Returns (u v / F + 1)^3 of every pair, (N, M)."""
    return (u_NF @ v_MF.T / u_NF.shape[1] + 1) ** 3
