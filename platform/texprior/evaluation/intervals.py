"""Computes bootstrap intervals that contain the truth as often as they state.

This also holds with few pictures. A plain percentile bootstrap is too narrow: its 95 % interval of 6 pictures contains
the true mean in 86 of 100 studies.
"""

from __future__ import annotations

import functools
import math

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

LEVEL = 0.95
"""The share of studies in which an interval shall contain the true mean: the usual level, as in the tables' heads."""
FEWEST = 6
"""Fewest pictures with an interval: simulated intervals of 6 hold their level within .01, those of 2 to 4 do not."""
NO_INTERVAL = f"no interval below {FEWEST} pictures"
"""What a table or a figure says where intervals are missing."""


def mean_interval(values: Array, resamples: int = 2000, seed: int = 0) -> tuple[float, float]:
    """Returns the 95 % bootstrap interval of a mean over pictures, (N,).

    NaN if there are fewer than ``FEWEST`` pictures. The seed is fixed, so the result can be redone.
    """
    if values.size < FEWEST:
        return math.nan, math.nan
    replicates = _picture_weights(values.size, resamples, seed) @ values
    return stretched_interval(float(values.mean()), replicates, values.size - 1)


# a summary asks for the same weights once for each method and metric, and drawing them for 1,000 pictures takes 0.1 s
@functools.lru_cache(maxsize=1)
def _picture_weights(pictures: int, resamples: int, seed: int) -> Array:
    return resampling_weights(np.random.default_rng(seed), pictures, resamples)


def resampling_weights(rng: np.random.Generator, units: int, resamples: int) -> Array:
    """Returns the share of each unit in each resample, (R, n).

    Each resample of the n units has n - 1 draws (one draw if n is 1). Drawing n - 1 makes the variance of a mean
    unbiased (Rao and Wu 1988, m = n - 1).
    """
    draws = max(1, units - 1)
    return rng.multinomial(draws, np.full(units, 1 / units), size=resamples) / draws


def stretched_interval(mean: float, replicates: Array, freedom: float) -> tuple[float, float]:
    """Returns the percentiles of the replicates, stretched about the mean.

    The factor is t / z (cf. Hesterberg 2015). ``freedom`` are the degrees of freedom of t. If they are infinite,
    nothing is stretched.
    """
    from scipy.stats import norm, t

    tails = 50 * (1 - LEVEL)
    low, high = np.percentile(replicates, [tails, 100 - tails])
    upper = (1 + LEVEL) / 2
    stretch = float(t.ppf(upper, freedom) / norm.ppf(upper)) if math.isfinite(freedom) else 1.0
    return mean + (float(low) - mean) * stretch, mean + (float(high) - mean) * stretch
