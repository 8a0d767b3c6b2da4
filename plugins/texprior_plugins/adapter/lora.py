"""Implements low-rank adaptation (Hu et al. 2022, eq. 3).

DoRA (Liu et al. 2024, eq. 5), its weight-decomposed form, is an option.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from texprior.errors import ConfigError
from texprior.flow.adapt import WeightAdapter, keyed
from texprior.flow.prior import DenoiserNet
from texprior_plugins.adapter import LoraOptions
from texprior_plugins.adapter._layers import layers_of

# keeps the division by |V| finite if all weights of an output channel are 0
_TINY = 1e-12


class LowRank(WeightAdapter):
    """Trained low-rank change of the weights of convolutions and linear layers.

    W' = W + (alpha / rank) B A, and B starts at zero. A convolution's weight is read as the matrix (out, in k k): A is
    then a k x k convolution to ``rank`` channels, and B is a 1x1 convolution.

    With ``dora``, V = W + (alpha / rank) B A is only the direction: W' = (|W| + m) V / |V|. The norm is that of each
    output channel. |V| is a constant for the gradient (section 4.3), and the change of magnitude m starts at zero.
    Raises ConfigError if there is no layer of the chosen kind.
    """

    def __init__(self, options: LoraOptions, denoiser: DenoiserNet) -> None:
        super().__init__()
        layers = layers_of(denoiser, options.position, options.layers)
        if not layers:
            raise ConfigError(
                f"adapter: lora finds no layer of '{options.layers}' at '{options.position}' in the denoiser"
            )
        self.paths = [f"{path}.weight" for path in layers]
        self.scale = options.alpha / options.rank
        shapes = {keyed(path): denoiser.get_parameter(path).shape for path in self.paths}
        down = {key: nn.Parameter(torch.empty(options.rank, math.prod(s[1:]))) for key, s in shapes.items()}
        self.down = nn.ParameterDict(down)
        self.up = nn.ParameterDict({key: nn.Parameter(torch.zeros(s[0], options.rank)) for key, s in shapes.items()})
        # the default of nn.Linear and nn.Conv2d; only B is zero, since with A = B = 0 neither would get a gradient
        for parameter in down.values():
            nn.init.kaiming_uniform_(parameter, a=math.sqrt(5))
        sizes = shapes if options.dora else {}
        self.magnitude = nn.ParameterDict({key: nn.Parameter(torch.zeros(s[0])) for key, s in sizes.items()})

    def weights(self, frozen: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Returns W' of every layer."""
        return {path: self._weight(keyed(path), frozen[path]) for path in self.paths}

    def _weight(self, key: str, weight: Tensor) -> Tensor:
        v = weight + self.scale * (self.up[key] @ self.down[key]).view(weight.shape)
        if key not in self.magnitude:
            return v
        # DoRA, section 4.3: without a gradient through |V|, training needs less memory
        size = (_size(weight) + self.magnitude[key]) / _size(v.detach()).clamp_min(_TINY)
        return v * size.view(-1, *(1,) * (v.ndim - 1))


def _size(weight: Tensor) -> Tensor:
    """Returns the norm of each output channel's weights, (out,)."""
    return weight.flatten(1).norm(dim=1)
