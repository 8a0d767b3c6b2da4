"""Measures how well a discriminator, which is trained beside the network, tells estimates from targets."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from texprior.flow.objective import Learned, Objective
from texprior_plugins.objective import AdversarialOptions
from texprior_plugins.objective._levels import below


class Adversarial(Objective):
    """The hinge losses (Lim & Ye 2017) of a conditional patch discriminator C (Isola et al. 2017, section 3.2.2).

    The network minimises -C(base, D); C minimises max(0, 1 - C(base, x_0)) + max(0, 1 + C(base, D)). Each is the mean
    over the positions of C, for samples with sigma below ``max_sigma``, and 0 for the others. C sees the layer with its
    unit variance, because a network of bounded slope cannot tell apart what differs by a few hundredths. For the
    predictor the base is 0 and the layer is the picture. Nothing is clamped.
    """

    def __init__(self, options: AdversarialOptions) -> None:
        super().__init__()
        self.max_sigma, self.own_lr = options.max_sigma, options.own_lr
        self.discriminator = discriminator(options.width, options.layers)

    def forward(self, learned: Learned) -> Tensor:
        """Returns the network's loss of each picture, (B,)."""
        return self._below(learned, -self._scores(learned, learned.estimate))

    def own_loss(self, learned: Learned) -> Tensor:
        """Returns the discriminator's loss of each picture, (B,)."""
        real, made = (self._scores(learned, layer) for layer in (learned.target, learned.estimate))
        return self._below(learned, (1 - real).relu() + (1 + made).relu())

    def _scores(self, learned: Learned, layer_BCHW: Tensor) -> Tensor:
        scores: Tensor = self.discriminator(torch.cat([learned.base, layer_BCHW], 1))
        return scores.float()

    def _below(self, learned: Learned, losses_B1HW: Tensor) -> Tensor:
        # a product and no selection: every parameter then has a gradient in every step, in every process
        return below(learned, self.max_sigma) * losses_B1HW.mean(dim=(1, 2, 3))


def discriminator(width: int, layers: int) -> nn.Sequential:
    """Returns a network from base and layer, (B, 6, H, W), to scores of patches, (B, 1, H / 2^layers, W / 2^layers).

    A patch has 8, 18, 38 or 78 px a side for 1 to 4 layers. It has no norm over activations, as one over the batch
    would mix pictures.
    """
    channels = [6, *(width * 2**i for i in range(layers))]
    parts: list[nn.Module] = []
    for before, after in pairwise(channels):
        parts += [SpectralConv2d(before, after, 4, stride=2, padding=1), nn.LeakyReLU(0.2)]
    return nn.Sequential(*parts, SpectralConv2d(channels[-1], 1, 3, padding=1))


class SpectralConv2d(nn.Conv2d):
    """A convolution by its weight divided by the largest singular value (Miyato et al. 2018, eq. 8).

    The value is exact. The paper's power iteration keeps a vector that every call changes, so that a result would
    depend on the number of calls before it.
    """

    def forward(self, image_BCHW: Tensor) -> Tensor:
        """Returns the convolution."""
        weight = self.weight / largest_singular_value(self.weight.flatten(1))
        return F.conv2d(image_BCHW, weight, self.bias, self.stride, self.padding)


def largest_singular_value(matrix: Tensor) -> Tensor:
    """Returns |u^T W|, with the left singular vector u held constant: the value, and its exact gradient."""
    with torch.autocast(matrix.device.type, enabled=False):
        with torch.no_grad():
            u = torch.linalg.eigh(matrix @ matrix.T).eigenvectors[:, -1]
        value: Tensor = (u @ matrix).norm()
        return value
