"""Turns a network F into the denoiser D by preconditioning.

D(x, sigma) = c_skip x + c_out F(c_in x, c_noise), for a layer whose standard deviation is 1 (Karras et al. 2022, eq. 7
and table 1).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

Enter = Callable[[Tensor, Tensor], Tensor]
"""The map of a noisy layer and its sigma, (B,), to what the network is given; both are (B, C, H, W)."""


class Coefficients(NamedTuple):
    """The factors c_skip, c_out, c_in and the network's input c_noise.

    Each has the shape of sigma.
    """

    skip: Tensor
    out: Tensor
    in_: Tensor
    noise: Tensor


def coefficients(sigma: Tensor) -> Coefficients:
    """Returns EDM's coefficients with sigma_data = 1."""
    # sigma_data is 1 because the process divides a layer by its standard deviation
    norm = (sigma**2 + 1).sqrt()
    return Coefficients(skip=1 / norm**2, out=sigma / norm, in_=1 / norm, noise=sigma.log() / 4)


def scaled(x_BCHW: Tensor, sigma_B: Tensor) -> Tensor:
    """Returns c_in x, which has unit variance; (B, C, H, W)."""
    return _image(coefficients(sigma_B).in_) * x_BCHW


def denoise(
    network: Callable[[Tensor, Tensor], Tensor], x_BCHW: Tensor, sigma_B: Tensor, enter: Enter = scaled
) -> Tensor:
    """Returns the estimate of the clean layer, (B, C, H, W).

    Calls the network as ``F(enter(x, sigma_B), c_noise_B)``.
    """
    c = coefficients(sigma_B)
    # the network may run in half precision; its result is combined with x in x's precision
    f = network(enter(x_BCHW, sigma_B), c.noise).to(x_BCHW.dtype)
    return _image(c.skip) * x_BCHW + _image(c.out) * f


class Denoised(NamedTuple):
    """The output F of a network for a noisy layer, what F should be, and the estimate D; all (B, C, H, W)."""

    output: Tensor
    target: Tensor
    """It has unit variance at every sigma, so that all noise levels have the same weight in a squared error of F."""
    estimate: Tensor

    def error(self) -> Tensor:
        """Returns the squared error of F, per image, (B,)."""
        return (self.output - self.target).square().mean(dim=(1, 2, 3))


def denoise_noised(
    network: Callable[[Tensor, Tensor], Tensor],
    x0_BCHW: Tensor,
    noise_BCHW: Tensor,
    sigma_B: Tensor,
    enter: Enter = scaled,
) -> Denoised:
    """Adds noise to a clean layer and estimates the layer.

    The squared error of F against its target is EDM's loss, lambda(sigma) |D - x_0|^2 with lambda = 1 / c_out^2 (Karras
    et al. 2022, eq. 8).
    """
    c = coefficients(sigma_B)
    x = x0_BCHW + _image(sigma_B) * noise_BCHW
    target = (x0_BCHW - _image(c.skip) * x) / _image(c.out)
    f = network(enter(x, sigma_B), c.noise).to(x.dtype)
    return Denoised(f, target, _image(c.skip) * x + _image(c.out) * f)


def loss(network: Callable[[Tensor, Tensor], Tensor], x0_BCHW: Tensor, noise_BCHW: Tensor, sigma_B: Tensor) -> Tensor:
    """Returns the squared error of F against its target, per image, (B,)."""
    return denoise_noised(network, x0_BCHW, noise_BCHW, sigma_B).error()


def _image(per_sample_B: Tensor) -> Tensor:
    return per_sample_B.view(-1, 1, 1, 1)


def broadcast(sigma: float | Tensor, x_BCHW: Tensor) -> Tensor:
    """Repeats one sigma for a whole batch, (B,)."""
    return torch.as_tensor(sigma, dtype=x_BCHW.dtype, device=x_BCHW.device).expand(x_BCHW.shape[0])
