"""Computes what several processes have in common."""

from __future__ import annotations

from torch import Tensor


def in_picture(sigma_B: Tensor, scale: float) -> Tensor:
    """Returns noise levels of a layer in units of the picture, (B, 1, 1, 1), so that they multiply pictures."""
    return (scale * sigma_B).view(-1, 1, 1, 1)


def markov(sigma: float, following: float) -> float:
    """Returns the share of noise that a Markov chain keeps.

    x_t / a gains independent noise in each step, so that the noise of two levels has the covariance following^2, and
    the squared correlation (following / sigma)^2.
    """
    return (following / sigma) ** 2


def preserving(sigma: Tensor, noise: float) -> Tensor:
    """Returns a with sigma^2 = noise^2 (1 / a^2 - 1): noise of deviation c = noise sqrt(1 - a^2) is added to a x_0."""
    return 1 / (1 + (sigma / noise) ** 2).sqrt()
