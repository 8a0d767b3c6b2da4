"""Converts the feature map of MobileNetV2 to tokens."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from texprior import weights
from texprior.flow.prior import SemanticEncoder
from texprior.flow.tile import Part, tiles
from texprior_plugins._mobilenet_v2 import imagenet_normalised, mobilenet_v2_trunk, stage_widths, stride_and_reach
from texprior_plugins.encoder import MOBILENET_V2_14, MOBILENET_V2_IMAGENET, SHIPPED_STAGES, MobileNetV2Options

_TILE = 768
"""Side of the tiles of a large picture, px: a multiple of every stride."""
_COARSEST = 32
"""The stride of all 19 stages, px."""


class MobileNetV2(SemanticEncoder):
    """Encoder that averages the feature map after ``stages`` stages to grid x grid tokens.

    The tokens are in row-major order. The default, 14 stages, has 96 channels at stride 16. Any picture size works. If
    the map is smaller than the grid, neighbouring tokens repeat. With ``place`` the platform averages what the map has
    at the place of a patch or tile. The parameters are buffers that no checkpoint stores;
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
        self.stride, reach = stride_and_reach(self.trunk)
        self.map_stride = self.stride if options.place else 0
        self.halo = -(-reach // _COARSEST) * _COARSEST

    def forward(self, image_BCHW: Tensor) -> Tensor:
        """Returns the semantic code, (B, grid * grid, width) float32."""
        return self._tokens(self.map(image_BCHW))

    def of_parts(self, part: Part, height: int, width: int) -> Tensor:
        """Returns the same code of a large picture, whose feature map is computed in tiles."""
        return self._tokens(self.map_of_parts(part, height, width))

    def map_of_parts(self, part: Part, height: int, width: int) -> Tensor:
        """Returns the same feature map of a large picture, computed in tiles."""
        found = None
        for tile in tiles(height, width, _TILE, self.halo):
            features = self.map(part(*tile.seen))
            if found is None:
                size = (len(features), self.width, -(-height // self.stride), -(-width // self.stride))
                found = features.new_empty(size)
            kept, place = (tuple(self._at_stride(s) for s in where) for where in (tile.kept, tile.place))
            found[..., place[0], place[1]] = features[..., kept[0], kept[1]]
        assert found is not None
        return found

    def map(self, image_BCHW: Tensor) -> Tensor:
        """Returns the feature map, (B, width, ceil(H / stride), ceil(W / stride)) float32."""
        # without autocast, the code does not depend on the precision of training
        with torch.autocast(image_BCHW.device.type, enabled=False):
            features: Tensor = self.trunk(imagenet_normalised(image_BCHW.float()))
            return features

    def _tokens(self, features_BCHW: Tensor) -> Tensor:
        # adaptive pooling returns the same number of tokens for every picture size
        return F.adaptive_avg_pool2d(features_BCHW, self.grid).flatten(2).transpose(1, 2)

    def _at_stride(self, px: slice) -> slice:
        return slice(px.start // self.stride, -(-px.stop // self.stride))
