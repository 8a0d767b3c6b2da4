"""Functional ANOVA on a score whose only cause is known."""

import pytest

from texprior.sweeps.importance import parameter_importances

CURVE = {"sampling.texture_strength": {"low": 0, "high": 2}, "sampling.steps": {"low": 1, "high": 20}}


def test_fanova_finds_what_matters(registry, storage, made, swept):
    """score = 100 s^2 with s the strength; steps have no part in it."""
    experiment = made(registry, CURVE)
    result, _ = swept(
        experiment, registry, storage, 24, lambda a: {"score": 100 * a.experiment.sampling.texture_strength**2}
    )
    shares = parameter_importances(experiment, storage, result.study)["all"]
    assert shares["sampling.texture_strength"] > 0.9
    assert sum(shares.values()) == pytest.approx(1)
    assert shares == parameter_importances(experiment, storage, result.study)["all"]
