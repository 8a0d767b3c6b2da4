"""(IA)^3, infused adapter by inhibiting and amplifying inner activations (Liu et al. 2022, section 3.3)."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from texprior.errors import ConfigError
from texprior.flow.adapt import WeightAdapter, blocks_at, keyed, within
from texprior.flow.prior import DenoiserNet
from texprior_plugins.adapter import Ia3Options


class InnerActivations(WeightAdapter):
    """l * h, one number a channel, starting at 1: keys and values of attention, and each block's inner activation.

    A block's inner activation is what enters the layer that closes its residual branch. Since both are linear,
    l * (W x + b) has the weights l W and l b, and W (l * h) the columns of W times l. Raises ConfigError where
    the denoiser declares neither, or not what ``activations`` asks for.
    """

    def __init__(self, options: Ia3Options, denoiser: DenoiserNet) -> None:
        super().__init__()
        inside = within(denoiser, options.position)
        projections = [path for paths in denoiser.attentions().values() for path in paths if inside(path)]
        blocks = blocks_at(denoiser, options.position) if options.activations != "attention" else {}
        self.outputs = projections if options.activations != "blocks" else []
        self.inputs = [f"{name}.{b.closing}" for name, b in blocks.items() if b.closing]
        if not self.outputs + self.inputs:
            what = {"attention": "no attention", "blocks": "no inner activations"}.get(
                options.activations, "neither of them"
            )
            raise ConfigError(
                f"adapter: ia3 of '{options.activations}' at '{options.position}': the denoiser declares {what} there"
            )
        layers = {path: denoiser.get_submodule(path) for path in self.outputs + self.inputs}
        self.groups = {path: int(getattr(layers[path], "groups", 1)) for path in self.inputs}
        sizes = {path: denoiser.get_parameter(f"{path}.weight").shape[0] for path in self.outputs}
        sizes |= {p: denoiser.get_parameter(f"{p}.weight").shape[1] * self.groups[p] for p in self.inputs}
        self.scale = nn.ParameterDict({keyed(path): nn.Parameter(torch.ones(size)) for path, size in sizes.items()})

    def weights(self, frozen: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The layers' weights with l in them."""
        scaled = {}
        for path in self.outputs:
            scale = self.scale[keyed(path)]
            for name in (f"{path}.weight", f"{path}.bias"):
                if name in frozen:
                    scaled[name] = frozen[name] * scale.view(-1, *(1,) * (frozen[name].ndim - 1))
        for path in self.inputs:
            weight, groups = frozen[f"{path}.weight"], self.groups[path]
            columns = self.scale[keyed(path)].view(groups, -1).repeat_interleave(len(weight) // groups, 0)
            scaled[f"{path}.weight"] = weight * columns.view(*columns.shape, *(1,) * (weight.ndim - 2))
        return scaled
