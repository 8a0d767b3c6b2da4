"""Functional ANOVA on a score whose only cause is known."""

import pytest

from texprior.sweeps import importance
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


def test_a_long_study_is_judged_by_a_sample_of_its_trials(registry, storage, made, swept, monkeypatch):
    experiment = made(registry, CURVE)
    result, _ = swept(
        experiment, registry, storage, 20, lambda a: {"score": 100 * a.experiment.sampling.texture_strength**2}
    )
    judged = []
    evaluator = importance.get_param_importances
    monkeypatch.setattr(importance, "MOST", 12)
    monkeypatch.setattr(
        importance, "get_param_importances", lambda study, **k: judged.append(study.trials) or evaluator(study, **k)
    )
    first, second = (parameter_importances(experiment, storage, result.study)["all"] for _ in range(2))
    assert first == second  # the same sample
    assert first["sampling.texture_strength"] > 0.9
    assert [len(trials) for trials in judged] == [12, 12]
