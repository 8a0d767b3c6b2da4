"""Defines what is diffused, and how a picture is made of it.

Stage I, Stage II and warm starts share this process.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Process:
    """The relation picture = base + scale * layer.

    The layer has unit standard deviation. Stage I: base = S(x). Stage II: base = y_eps (the paper) or S(y_eps). All are
    (B, 3, H, W), and pictures are in [0, 1]. The layer is never clipped; only the finished picture is.
    """

    scale: float

    def layer(self, picture_BCHW: Tensor, base_BCHW: Tensor) -> Tensor:
        """Returns the layer that is diffused: (picture - base) / scale."""
        return (picture_BCHW - base_BCHW) / self.scale

    def picture(self, base_BCHW: Tensor, layer_BCHW: Tensor, texture_strength: float = 1.0) -> Tensor:
        """Returns base + w * scale * layer, clipped to [0, 1].

        w is ``texture_strength``: 0 is the base alone, 1 the full layer.
        """
        return (base_BCHW + texture_strength * self.scale * layer_BCHW).clamp(0, 1)

    def warm_start(self, known_BCHW: Tensor, base_BCHW: Tensor, noise_BCHW: Tensor, sigma: float) -> Tensor:
        """Returns the layer of the known picture plus noise of an intermediate sigma.

        The layer is 0 if the known picture is the base.
        """
        return self.layer(known_BCHW, base_BCHW) + sigma * noise_BCHW
