"""What an ablation writes to its tracker at the end."""

import pytest

from texprior.ablations.finish import _numbers


def test_arms_are_ordered_in_the_tracker_as_they_are_ranked(training, found):
    """Where 1 is best, values on both sides of it do not cancel."""
    arms = {"apart": [training({"ratio": r}) for r in (0.5, 1.5)], "near": [training({"ratio": 0.9})] * 2}
    results = found("ratio", **arms)
    far = {arm: _numbers(results, arm, "ratio")["distance/ratio"] for arm in arms}
    assert far == pytest.approx({"apart": 0.5, "near": 0.1})
    assert sorted(far, key=far.get) == results.ranking()
