"""Intervals of means against the coverage that they state, Student's interval, and a spread known by hand."""

import math

import numpy as np
import pytest
from scipy import stats

from texprior.evaluation.intervals import FEWEST, mean_interval, resampling_weights, stretched_interval


@pytest.mark.parametrize("pictures", [6, 8, 12, 24])
def test_an_interval_holds_the_true_mean_as_often_as_it_says(pictures):
    """4,000 studies of normal scores around 0; a share of .95 has a standard error of .0035 there."""
    rng = np.random.default_rng(pictures)
    ends = np.array([mean_interval(scores) for scores in rng.normal(0, 1, (4000, pictures))])
    held = ((ends[:, 0] <= 0) & (ends[:, 1] >= 0)).mean()
    assert held == pytest.approx(0.95, abs=0.02)


def test_few_pictures_have_no_interval():
    assert all(math.isnan(end) for end in mean_interval(np.arange(FEWEST - 1.0)))
    assert all(math.isfinite(end) for end in mean_interval(np.arange(FEWEST * 1.0)))


def test_an_interval_of_many_pictures_is_students():
    scores = np.random.default_rng(0).normal(5, 2, 400)
    expected = stats.ttest_1samp(scores, 0).confidence_interval(0.95)
    assert mean_interval(scores, resamples=20_000) == pytest.approx((expected.low, expected.high), abs=0.02)
    assert mean_interval(scores) == mean_interval(scores)


def test_resampled_means_have_the_unbiased_variance():
    values = np.array([1.0, 2.0, 4.0])  # s^2 / n = (7 / 3) / 3
    means = resampling_weights(np.random.default_rng(0), 3, 200_000) @ values
    assert means.var() == pytest.approx(7 / 9, rel=0.01)
    assert resampling_weights(np.random.default_rng(0), 1, 2).tolist() == [[1.0], [1.0]]


def test_percentiles_are_stretched_about_the_mean():
    replicates = np.linspace(-1, 1, 2001)  # percentiles -.95 and .95
    assert stretched_interval(0.5, replicates, math.inf) == pytest.approx((-0.95, 0.95))
    stretch = 12.7062 / 1.95996  # Student's t of one degree of freedom over the normal quantile
    expected = (0.5 - 1.45 * stretch, 0.5 + 0.45 * stretch)
    assert stretched_interval(0.5, replicates, 1) == pytest.approx(expected, rel=1e-4)
