"""adapt: small trained modules that steer the frozen prior by the initial estimate."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import Any

from torch import Tensor, nn

from texprior.flow.prior import Block, DenoiserNet, Guide

Features = Mapping[str, Any]
"""What depends only on the condition, by block; tensors whose first dimension is the batch."""


def bytes_of(features: Any) -> int:
    """Memory of all tensors in features, however nested."""
    if isinstance(features, Tensor):
        return features.untyped_storage().nbytes()
    inner = features.values() if isinstance(features, Mapping) else features
    return sum(map(bytes_of, inner)) if isinstance(inner, Iterable) else 0


class BlockAdapter(nn.Module, ABC):
    """The contract of an adapter. Built as ``Impl(options, blocks=...)``, then attached to the frozen denoiser.

    Only its own parameters are trained. After ``detach`` the prior's tensors are what they were.
    """

    def __init__(self, blocks: Mapping[str, Block]) -> None:
        super().__init__()
        self.block_of = dict(blocks)

    def attach(self, denoiser: DenoiserNet) -> None:
        """Called once with the frozen denoiser, by methods that change its weights or copy a part of it."""

    def detach(self, denoiser: DenoiserNet) -> None:
        """Undoes ``attach``."""

    @abstractmethod
    def features(self, estimate_BCHW: Tensor) -> Features:
        """What depends only on y_eps, (B, 3, H, W) in [0, 1]; computed once per image, whatever the steps."""

    @abstractmethod
    def after_block(self, block: str, hidden_BCHW: Tensor, features: Features) -> Tensor:
        """The block's output h, (B, channels, H/stride, W/stride), as it goes on: h'."""

    def guide(self, features: Features) -> Guide:
        """The guide of one network call."""
        return lambda block, hidden_BCHW: self.after_block(block, hidden_BCHW, features)
