"""The feature map of MobileNetV2 as tokens."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from texprior import weights
from texprior.flow.prior import SemanticEncoder
from texprior_plugins._mobilenet_v2 import imagenet_normalised, mobilenet_v2_trunk, stage_widths
from texprior_plugins.encoder import MOBILENET_V2_14, MOBILENET_V2_IMAGENET, SHIPPED_STAGES, MobileNetV2Options


class MobileNetV2(SemanticEncoder):
    """The feature map after ``stages`` stages, averaged to grid x grid tokens in row-major order.

    The default, 14 stages, gives 96 channels at stride 16. Any picture size works; on a map smaller than the grid
    neighbouring tokens repeat. The parameters are buffers that no checkpoint stores, computed with in float32.
    Raises ConfigError where more than the 14 shipped stages are asked for and the whole file is not here.
    """

    def __init__(self, options: MobileNetV2Options) -> None:
        super().__init__()
        record = MOBILENET_V2_14 if options.stages <= SHIPPED_STAGES else MOBILENET_V2_IMAGENET
        self.trunk = mobilenet_v2_trunk(weights.load(record), options.stages)
        self.grid = options.grid
        self.tokens = options.grid**2
        self.width = stage_widths()[options.stages - 1]

    def forward(self, image_BCHW: Tensor) -> Tensor:
        """The semantic code, (B, grid * grid, width) float32."""
        with torch.autocast(image_BCHW.device.type, enabled=False):
            features = self.trunk(imagenet_normalised(image_BCHW.float()))
            return F.adaptive_avg_pool2d(features, self.grid).flatten(2).transpose(1, 2)
