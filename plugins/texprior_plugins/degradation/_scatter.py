"""Places a kernel at random pixels: the sum of many drops or flakes of one shape."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft2, next_fast_len, rfft2
from torch import Tensor

Map = NDArray[np.float64]

LEAST = 1e-9
"""Values of a kernel below this are left out: a thousandth of a thousandth of a grey level."""
_SPARSE = 2
"""Additions per pixel up to which single kernels are added, instead of a Fourier transform of the whole field.

An addition at a computed place takes about 15 ns on a CPU, and the transforms take about 30 ns a pixel."""


def scattered(here: Tensor, strength: Tensor, kernel: Map, size: tuple[int, int]) -> Map:
    """Returns the sum of kernels centred at pixels of a field, each times its strength.

    The places are (N, 2), row and column, and the strengths (N,). For a kernel of the side 2 half + 1 the field has the
    ``size`` (H + 2 half, W + 2 half), and the sum is its middle, (H, W).
    """
    rows, columns = here.numpy().T
    values = strength.numpy().astype(np.float64)
    if len(values) * np.count_nonzero(kernel > LEAST) <= _SPARSE * size[0] * size[1]:
        return one_after_the_other(rows, columns, values, kernel, size)
    field = np.zeros(size)
    field[rows, columns] = values
    return by_transform(field, kernel)


def one_after_the_other(
    rows: NDArray[np.int64], columns: NDArray[np.int64], values: Map, kernel: Map, size: tuple[int, int]
) -> Map:
    """Adds each kernel's own pixels; the time is proportional to their number."""
    side, (height, width) = len(kernel), size
    inside = kernel > LEAST
    y, x = np.nonzero(inside)
    # Pixels of a larger picture that no kernel leaves, counted in one line.
    larger = (height + side - 1, width + side - 1)
    places = (rows * larger[1] + columns)[:, None] + (y * larger[1] + x)
    sums = np.bincount(places.ravel(), np.outer(values, kernel[inside]).ravel(), minlength=larger[0] * larger[1])
    return sums.reshape(larger)[side - 1 : height, side - 1 : width]


def by_transform(field: Map, kernel: Map) -> Map:
    """Convolves the whole field; the time does not depend on how many of its pixels are not 0."""
    side, (height, width) = len(kernel), field.shape
    # What wraps around at the borders of a periodic field reaches only the rim, which is cut off.
    size = [next_fast_len(n, real=True) for n in (height, width)]
    sums: Map = irfft2(rfft2(field, size) * rfft2(kernel, size), size)
    return sums[side - 1 : height, side - 1 : width]
