"""The process: what is diffused and how the picture comes back. Stage I, Stage II and warm starts share it."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Process:
    """A picture is its base plus a layer of unit standard deviation times ``scale``.

    Stage I: base = S(x). Stage II: base = y_eps (the paper) or S(y_eps). All (B, 3, H, W); pictures
    in [0, 1]; the layer is never clipped, only the finished picture is.
    """

    scale: float

    def layer(self, picture_BCHW: Tensor, base_BCHW: Tensor) -> Tensor:
        """What is diffused: (picture - base) / scale."""
        return (picture_BCHW - base_BCHW) / self.scale

    def picture(self, base_BCHW: Tensor, layer_BCHW: Tensor, texture_strength: float = 1.0) -> Tensor:
        """base + w * scale * layer, clipped to [0, 1]; w = 0 is the base, w = 1 the full layer."""
        return (base_BCHW + texture_strength * self.scale * layer_BCHW).clamp(0, 1)

    def warm_start(self, known_BCHW: Tensor, base_BCHW: Tensor, noise_BCHW: Tensor, sigma: float) -> Tensor:
        """The layer of a picture known so far, with noise of an intermediate sigma (0 layer where known = base)."""
        return self.layer(known_BCHW, base_BCHW) + sigma * noise_BCHW
