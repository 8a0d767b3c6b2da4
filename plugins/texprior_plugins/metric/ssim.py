"""Computes the structural similarity (Wang et al. 2004)."""

from __future__ import annotations

from torch import Tensor

from texprior_plugins.metric import SsimOptions
from texprior_plugins.metric._filters import filter_separable, gaussian_taps
from texprior_plugins.metric._pictures import check_pair, to_space

C1, C2 = 0.01**2, 0.03**2
"""The stabilising constants (K L)^2 for a dynamic range L of 1."""
TAPS = gaussian_taps(1.5, radius=5)
"""The window of the paper, section III-B: a Gaussian of 1.5 px over 11 x 11 taps."""


class Ssim:
    """Structural similarity (equation 13), at most 1.

    It is the mean over channels and over the window's valid region. Covariances are those of the population, weighted
    by the window. Pictures are not downsampled.
    """

    def __init__(self, options: SsimOptions) -> None:
        self.space = options.space
        self.key = f"ssim_{options.space}_{options.window}"

    def __call__(self, image_BCHW: Tensor, reference_BCHW: Tensor | None) -> Tensor:
        """Returns the scores, (B,) float64.

        Raises ImageError for pictures smaller than the window.
        """
        reference = check_pair(self.key, image_BCHW, reference_BCHW, minimum=len(TAPS))
        luminance, contrast_structure = similarity(to_space(image_BCHW, self.space), to_space(reference, self.space))
        return (luminance * contrast_structure).flatten(1).mean(1)


def similarity(x_BCHW: Tensor, y_BCHW: Tensor) -> tuple[Tensor, Tensor]:
    """Returns the maps l and c s (equations 6 and 13).

    Each is (B, C, H - 10, W - 10).
    """
    mean_x, mean_y = _local_mean(x_BCHW), _local_mean(y_BCHW)
    variance_x = _local_mean(x_BCHW * x_BCHW) - mean_x**2
    variance_y = _local_mean(y_BCHW * y_BCHW) - mean_y**2
    covariance = _local_mean(x_BCHW * y_BCHW) - mean_x * mean_y
    luminance = (2 * mean_x * mean_y + C1) / (mean_x**2 + mean_y**2 + C1)
    contrast_structure = (2 * covariance + C2) / (variance_x + variance_y + C2)
    return luminance, contrast_structure


def _local_mean(image_BCHW: Tensor) -> Tensor:
    return filter_separable(image_BCHW, TAPS)
