"""Implements ControlNet on a denoiser of this platform.

See Zhang et al. 2023, eq. 2 and section 3.2.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional as F

from texprior.errors import ConfigError
from texprior.flow.adapt import DenoiserAdapter, Features, blocks_at, coarsest_stride, keyed
from texprior.flow.prior import DenoiserNet, Guide, Network
from texprior_plugins.adapter import ControlnetOptions
from texprior_plugins.adapter._bring import Bring, named, padded, zeroed
from texprior_plugins.adapter._probe import small_inputs


class ControlNet(DenoiserAdapter):
    """Trained copy of encoder and middle, added to the frozen denoiser by zero convolutions.

    Let c_k be the copy's output at a block. The decoder then receives h_k + Z_k(c_k) through each skip connection. The
    output of the last middle block changes in the same way. The copy reads all inputs of the call, x_t too, so it runs
    at every step.

    y_eps is unshuffled to the first block's stride and convolved. A zero convolution adds the result to the output of
    the copy's first block. This part is computed once per image. Raises ConfigError if the denoiser has neither skip
    connections nor a middle.
    """

    def __init__(self, options: ControlnetOptions, denoiser: DenoiserNet) -> None:
        super().__init__()

        # find the points that receive a control
        blocks = denoiser.blocks()
        middle = [name for name, b in blocks.items() if b.part == "middle"][-1:]
        self.points = {name: b for name, b in blocks.items() if b.skip or name in middle}
        if not self.points:
            raise ConfigError("adapter: controlnet needs skip connections or a middle block, and the denoiser has none")

        # the hint enters at the first encoder block, so that all later blocks of the copy read it
        self.first, first = next(iter(blocks_at(denoiser, "encoder").items()))
        self.multiple = coarsest_stride(denoiser)
        self.bring = Bring(first.stride, options.width, options.kernel)
        self.hint = nn.Conv2d(options.width, first.channels, 1)
        self.join = nn.ModuleDict({named(n): nn.Conv2d(b.channels, b.channels, 1) for n, b in self.points.items()})
        if options.zero_init:
            zeroed(self.hint, self.join)

        # Copies are plain parameters that functional_call puts in place. A second network would also hold the decoder,
        # which the controls never use.
        weights = dict(denoiser.named_parameters())
        self.paths = self._read_by_the_copy(denoiser, weights)
        self.copies = nn.ParameterDict({keyed(p): nn.Parameter(weights[p].detach().clone()) for p in self.paths})

    def features(self, estimate_BCHW: Tensor) -> Features:
        """Returns the hint, (B, channels, H/stride, W/stride) of the first block."""
        return {self.first: self.hint(F.gelu(self.bring(padded(estimate_BCHW, self.multiple))))}

    def adapted(self, denoiser: DenoiserNet, features: Features) -> Network:
        """Returns the denoiser with controls that the copy computes from each call's inputs."""

        def network(x: Tensor, c_noise: Tensor, condition: Tensor, code: Tensor) -> Tensor:
            inputs = (x, c_noise, condition, code)

            # the copy runs first: its outputs are the controls
            copies = {path: self.copies[keyed(path)] for path in self.paths}
            control = {n: self.join[named(n)](c) for n, c in self._copy(denoiser, copies, inputs, features).items()}

            # skip connections and blocks have separate guides, since a block's own output must stay h_k
            skips = {name: c for name, c in control.items() if self.points[name].skip}
            rest = {name: c for name, c in control.items() if name not in skips}
            return denoiser(*inputs, _adding(rest), _adding(skips))  # type: ignore[no-any-return]

        return network

    def _copy(
        self, denoiser: DenoiserNet, weights: Mapping[str, Tensor], inputs: tuple[Tensor, ...], hint: Features
    ) -> dict[str, Tensor]:
        """Runs the denoiser with other weights and returns its outputs at the points of control.

        Stops after the last of these points.
        """
        outputs: dict[str, Tensor] = {}
        last = list(self.points)[-1]

        def watch(block: str, hidden_BCHW: Tensor) -> Tensor:
            h = hidden_BCHW + hint[block] if block in hint else hidden_BCHW
            if block in self.points:
                outputs[block] = h
            # an exception is the only way to leave a forward pass early
            if block == last:
                raise _Seen
            return h

        with contextlib.suppress(_Seen):
            functional_call(denoiser, dict(weights), (*inputs, watch))
        return outputs

    def _read_by_the_copy(self, denoiser: DenoiserNet, weights: Mapping[str, Tensor]) -> list[str]:
        """Returns the paths of the weights that the controls depend on.

        Weights that only the decoder reads are not among them.
        """
        # Autograd finds these weights: a weight without a gradient was not read. The adapter may be built under
        # ``torch.no_grad``, so gradients are switched on here.
        with torch.enable_grad():
            tracked = {path: w.detach().clone().requires_grad_() for path, w in weights.items()}
            outputs = self._copy(denoiser, tracked, small_inputs(denoiser), {})
            total = torch.stack([output.sum() for output in outputs.values()]).sum()
            gradients = torch.autograd.grad(total, list(tracked.values()), allow_unused=True)
        return [path for path, gradient in zip(tracked, gradients, strict=True) if gradient is not None]


class _Seen(Exception):
    """Ends the copy's forward pass once all controls are computed."""


def _adding(control: Mapping[str, Tensor]) -> Guide:
    return lambda block, h: h + control[block] if block in control else h
