"""The points of an alpha curve: means over pictures with their intervals."""

import numpy as np
import pytest

from texprior.evaluation.alpha_curve.curves import Curves, method_of
from texprior.evaluation.scores import Score, Scores, mean_of


def test_a_point_has_the_mean_and_the_interval_of_its_pictures():
    values = np.random.default_rng(0).normal(4, 1, (2, 8))
    rows = [
        Score(method_of("guided", alpha), str(n), "niqe", value)
        for alpha, of_alpha in zip((0.1, 1.0), values, strict=True)
        for n, value in enumerate(of_alpha)
    ]
    curves = Curves(Scores(tuple(rows), {"niqe": "lower"}), ("guided",), (0.1, 1.0), {}, {})
    points = curves.points("guided", "niqe")
    assert points == [mean_of(list(of_alpha)) for of_alpha in values]
    assert all(point.low < point.mean < point.high for point in points)
    change = curves.change("guided", "niqe")
    assert change.difference.mean == pytest.approx((values[1] - values[0]).mean())
    assert change.difference == mean_of(list(values[1] - values[0]))
