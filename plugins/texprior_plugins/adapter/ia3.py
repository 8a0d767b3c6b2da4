"""Implements (IA)^3 (Liu et al. 2022, section 3.3).

The name stands for infused adapter by inhibiting and amplifying inner activations.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from texprior.errors import ConfigError
from texprior.flow.adapt import WeightAdapter, blocks_at, keyed, within
from texprior.flow.prior import DenoiserNet
from texprior_plugins.adapter import Ia3Options


class InnerActivations(WeightAdapter):
    """Trained factors l of keys and values of attention and of each block's inner activation.

    l * h has one number per channel and starts at 1. A block's inner activation is the input of the layer that closes
    its residual branch. The factors are folded into the weights, since these layers are linear: l * (W x + b) has the
    weights l W and l b, and W (l * h) has the columns of W times l. Raises ConfigError if the denoiser declares neither
    kind of activation, or not the kind that ``activations`` selects.
    """

    def __init__(self, options: Ia3Options, denoiser: DenoiserNet) -> None:
        super().__init__()

        # collect the layers whose outputs (attention) or inputs (closing layers) are rescaled
        inside = within(denoiser, options.position)
        projections = [path for paths in denoiser.attentions().values() for path in paths if inside(path)]
        blocks = blocks_at(denoiser, options.position) if options.activations != "attention" else {}
        self.outputs = projections if options.activations != "blocks" else []
        self.inputs = [f"{name}.{b.closing}" for name, b in blocks.items() if b.closing]
        if not self.outputs + self.inputs:
            what = {"attention": "no attention", "blocks": "no inner activations"}.get(
                options.activations, "neither attention nor inner activations"
            )
            raise ConfigError(
                f"adapter: ia3 of '{options.activations}' at '{options.position}': the denoiser declares {what} there"
            )

        # one factor per channel; a grouped convolution's weight has only the input channels of one group
        layers = {path: denoiser.get_submodule(path) for path in self.outputs + self.inputs}
        self.groups = {path: int(getattr(layers[path], "groups", 1)) for path in self.inputs}
        sizes = {path: denoiser.get_parameter(f"{path}.weight").shape[0] for path in self.outputs}
        sizes |= {p: denoiser.get_parameter(f"{p}.weight").shape[1] * self.groups[p] for p in self.inputs}
        self.scale = nn.ParameterDict({keyed(path): nn.Parameter(torch.ones(size)) for path, size in sizes.items()})

    def weights(self, frozen: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Returns the layers' weights, multiplied by l."""
        scaled = {}
        for path in self.outputs:
            scale = self.scale[keyed(path)]
            for name in (f"{path}.weight", f"{path}.bias"):
                if name in frozen:
                    scaled[name] = frozen[name] * scale.view(-1, *(1,) * (frozen[name].ndim - 1))
        for path in self.inputs:
            weight, groups = frozen[f"{path}.weight"], self.groups[path]
            # each group of output channels reads its own input channels, so it has its own row of factors
            columns = self.scale[keyed(path)].view(groups, -1).repeat_interleave(len(weight) // groups, 0)
            scaled[f"{path}.weight"] = weight * columns.view(*columns.shape, *(1,) * (weight.ndim - 2))
        return scaled
