"""Computes the two-dimensional discrete cosine transform.

It needs one real FFT of the same length per axis. PyTorch has no cosine transform. The method is that of J. Makhoul, "A
fast cosine transform in one and two dimensions", IEEE Trans. ASSP 28 (1980).
"""

from __future__ import annotations

import torch
from torch import Tensor


def dct2(image: Tensor) -> Tensor:
    """Returns the DCT-II over the last two axes, not normalised.

    Along each axis it is the sum of x(n) cos(pi k (2n + 1) / 2N).
    """
    return _dct(_dct(image).mT).mT


def idct2(spectrum: Tensor) -> Tensor:
    """Returns the inverse of ``dct2``."""
    return _idct(_idct(spectrum.mT).mT)


def mirror_laplacian(image: Tensor) -> Tensor:
    """Returns the eigenvalues of minus the Laplacian with mirrored borders, (H, W).

    They are in the order of the basis of ``dct2``.
    """
    y, x = (4 * torch.sin(_count(n, image) * (torch.pi / (2 * n))).square() for n in image.shape[-2:])
    return y[:, None] + x


def _dct(x: Tensor) -> Tensor:
    n = x.shape[-1]
    even_then_odd_backwards = torch.cat([x[..., ::2], x[..., 1::2].flip(-1)], -1)
    z = torch.fft.rfft(even_then_odd_backwards) * _twiddle(n, x)
    return torch.cat([z.real, -z.imag[..., 1 : (n + 1) // 2].flip(-1)], -1)


def _idct(spectrum: Tensor) -> Tensor:
    n = spectrum.shape[-1]
    backwards = torch.cat([torch.zeros_like(spectrum[..., :1]), spectrum[..., 1:].flip(-1)], -1)
    z = torch.complex(spectrum, -backwards)[..., : n // 2 + 1]
    v = torch.fft.irfft(z / _twiddle(n, spectrum), n)
    x = torch.empty_like(v)
    x[..., ::2], x[..., 1::2] = v[..., : (n + 1) // 2], v[..., (n + 1) // 2 :].flip(-1)
    return x


def _twiddle(n: int, like: Tensor) -> Tensor:
    angle = _count(n // 2 + 1, like) * (-torch.pi / (2 * n))
    return torch.polar(torch.ones_like(angle), angle)


def _count(n: int, like: Tensor) -> Tensor:
    return torch.arange(n, dtype=like.dtype, device=like.device)
