"""Converts the feature map of MobileNetV2 to tokens."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from texprior import weights
from texprior.flow.prior import SemanticEncoder
from texprior_plugins._mobilenet_v2 import imagenet_normalised, mobilenet_v2_trunk, stage_widths
from texprior_plugins.encoder import MOBILENET_V2_14, MOBILENET_V2_IMAGENET, SHIPPED_STAGES, MobileNetV2Options


class MobileNetV2(SemanticEncoder):
    """Encoder that averages the feature map after ``stages`` stages to grid x grid tokens.

    The tokens are in row-major order. The default, 14 stages, has 96 channels at stride 16. Any picture size works. If
    the map is smaller than the grid, neighbouring tokens repeat. The parameters are buffers that no checkpoint stores;
    they compute in float32. Raises ConfigError if ``stages`` exceeds the 14 shipped stages and the whole file is
    missing.
    """

    def __init__(self, options: MobileNetV2Options) -> None:
        super().__init__()
        record = MOBILENET_V2_14 if options.stages <= SHIPPED_STAGES else MOBILENET_V2_IMAGENET
        self.trunk = mobilenet_v2_trunk(weights.load(record), options.stages)
        self.grid = options.grid
        self.tokens = options.grid**2
        self.width = stage_widths()[options.stages - 1]

    def forward(self, image_BCHW: Tensor) -> Tensor:
        """Returns the semantic code, (B, grid * grid, width) float32."""
        # Without autocast, the code does not depend on the precision of training. Adaptive pooling returns the same
        # number of tokens for every picture size.
        with torch.autocast(image_BCHW.device.type, enabled=False):
            features = self.trunk(imagenet_normalised(image_BCHW.float()))
            return F.adaptive_avg_pool2d(features, self.grid).flatten(2).transpose(1, 2)
