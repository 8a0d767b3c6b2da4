"""Implements spatially adaptive normalisation (Park et al. 2019, eq. 1) on a frozen denoiser's norms."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional as F

from texprior.errors import ConfigError
from texprior.flow.adapt import DenoiserAdapter, Features, coarsest_stride, within
from texprior.flow.prior import DenoiserNet, Network
from texprior_plugins.adapter import SpadeOptions
from texprior_plugins.adapter._bring import Bring, named, padded, zeroed
from texprior_plugins.adapter._probe import small_inputs


class SpatiallyAdaptiveNorm(DenoiserAdapter):
    """Modulation by y_eps of the affine parameters of the prior's norms.

    The norm's output is (w + gamma(y_eps)) n + b + beta(y_eps). n is the output of the norm without its affine
    parameters w and b. It is computed as w n + b + (gamma n + beta), so that it starts at the norm itself to the bit.

    The adapter acts on every norm whose output is a map of channels by positions. y_eps is unshuffled and convolved
    once for each stride, and the norms of a stride share the result. Raises ConfigError if the denoiser has no such
    norm.
    """

    def __init__(self, options: SpadeOptions, denoiser: DenoiserNet) -> None:
        super().__init__()

        # find the norms at the position
        inside = within(denoiser, options.position)
        self.norms = {path: norm for path, norm in _norms_over_positions(denoiser).items() if inside(path)}
        if not self.norms:
            where = "" if options.position == "all" else f" at the position '{options.position}'"
            raise ConfigError(
                f"adapter: spade needs normalisation layers with weights, and the denoiser has none{where}"
            )

        # one convolution of y_eps per stride keeps the adapter small; each norm has its own gamma and beta
        self.multiple = coarsest_stride(denoiser)
        strides = sorted({norm.stride for norm in self.norms.values()})
        self.bring = nn.ModuleDict({str(s): Bring(s, options.width, options.kernel) for s in strides})
        self.modulate = nn.ModuleDict(
            {named(path): nn.Conv2d(options.width, 2 * norm.channels, 1) for path, norm in self.norms.items()}
        )
        if options.zero_init:
            zeroed(self.modulate)

    def features(self, estimate_BCHW: Tensor) -> Features:
        """Returns gamma and beta of every norm, stacked, (B, 2 channels, H/stride, W/stride)."""
        y = padded(estimate_BCHW, self.multiple)
        brought = {stride: F.gelu(bring(y)) for stride, bring in self.bring.items()}
        return {path: self.modulate[named(path)](brought[str(norm.stride)]) for path, norm in self.norms.items()}

    def adapted(self, denoiser: DenoiserNet, features: Features) -> Network:
        """Returns the denoiser with modulated norms."""

        def network(x: Tensor, c_noise: Tensor, condition: Tensor, code: Tensor) -> Tensor:
            with _modulated(denoiser, {path: features[path] for path in self.norms}):
                return denoiser(x, c_noise, condition, code)  # type: ignore[no-any-return]

        return network


class _Norm(NamedTuple):
    """Channels of a norm's output, and its stride in px."""

    channels: int
    stride: int


@contextmanager
def _modulated(denoiser: DenoiserNet, modulation: Mapping[str, Tensor]) -> Iterator[None]:
    """Modulates each norm's output within the context.

    The output changes from w n + b to w n + b + gamma n + beta. Hooks do this, so that the prior's modules and tensors
    stay as they are.
    """
    # norms that the hook is computing n of: this second call triggers the hook again
    asked: list[nn.Module] = []

    def hook(norm: nn.Module, inputs: tuple[Any, ...], output: Tensor, path: str) -> Tensor:
        if norm in asked:
            return output
        asked.append(norm)
        n = functional_call(norm, _without_affine(norm), inputs)
        asked.pop()
        gamma, beta = modulation[path].chunk(2, 1)
        return output + (gamma * n + beta)

    handles = [denoiser.get_submodule(path).register_forward_hook(partial(hook, path=path)) for path in modulation]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _without_affine(norm: nn.Module) -> dict[str, Tensor]:
    """Returns weights of one and biases of zero, named and shaped as a norm's own."""
    blank = {"weight": torch.ones_like, "bias": torch.zeros_like}
    return {name: blank[name](own) for name, own in norm.named_parameters() if name in blank}


@torch.no_grad()
def _norms_over_positions(denoiser: DenoiserNet) -> dict[str, _Norm]:
    """Finds the norms whose output is (B, channels, H/stride, W/stride).

    Denoises a small picture to see these outputs, since a module does not declare the shape of its output.
    """
    found: dict[str, _Norm] = {}
    inputs = small_inputs(denoiser)

    def watch(path: str, norm: nn.Module, output: Tensor) -> None:
        weight = norm.weight
        if isinstance(weight, Tensor) and output.ndim == 4 and output.shape[1] == len(weight):
            found[path] = _Norm(len(weight), inputs[0].shape[-1] // output.shape[-1])

    handles = [
        norm.register_forward_hook(lambda module, _inputs, output, path=path: watch(path, module, output))
        for path, norm in denoiser.norms().items()
    ]
    try:
        denoiser(*inputs)
    finally:
        for handle in handles:
            handle.remove()
    return found
