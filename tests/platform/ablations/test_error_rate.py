"""How often an ablation without a difference calls an arm separated: experiments/null-simulation in small form."""

import importlib.util

import numpy as np
import pytest

from texprior.ablations.statistics import compare_arms


@pytest.fixture(scope="module")
def simulation(repository):
    path = repository / "experiments" / "null-simulation" / "simulate.py"
    spec = importlib.util.spec_from_file_location("null_simulation", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("sd", [0.0, 0.15, 0.4])
@pytest.mark.parametrize("trainings", [3, 5])
@pytest.mark.parametrize("arms", [5, 10, 20])
def test_false_verdicts_are_as_rare_as_stated(simulation, arms, trainings, sd):
    """In 1,500 studies a share of .05 has a standard error of .006."""
    scores = simulation.null_studies(np.random.default_rng(arms * trainings), 1500, arms, trainings, sd)
    assert simulation.new_rule(scores).any(-1).mean() <= 0.07


@pytest.mark.parametrize(("trainings", "sd"), [(1, 0.4), (3, 0.4), (5, 0.15)])
def test_the_simulation_has_the_platforms_rule(simulation, trainings, sd):
    """Of 40 studies with a real difference in two arms, so that some are separated and some are not."""
    scores = simulation.null_studies(np.random.default_rng(trainings), 40, 4, trainings, sd)
    scores[:, 1] += 0.5
    scores[:, 2] -= 1.0
    expected = simulation.new_rule(scores)
    ps = simulation.wilcoxon_ps(scores.mean(2)[:, 1:] - scores.mean(2)[:, :1])
    for study, flags, of_pictures in zip(scores, expected, ps, strict=True):
        found = compare_arms({str(n): arm for n, arm in enumerate(study)}, "0")
        assert [d.separated for d in found.values()] == flags.tolist()
        assert [d.p_pictures for d in found.values()] == pytest.approx(of_pictures.tolist())
    assert expected.any() == (trainings > 1)
    assert not expected.all()


def test_with_one_training_nothing_is_separated(simulation):
    scores = simulation.null_studies(np.random.default_rng(0), 200, 5, 1, 0.4)
    assert simulation.old_rule(scores).any(-1).mean() > 0.9  # the rule before: an interval and a test of pictures only
    assert not simulation.new_rule(scores).any()
    for study in scores[:20]:
        found = compare_arms({str(n): arm for n, arm in enumerate(study)}, "0")
        assert {d.not_tested for d in found.values()} == {"one training"}
        assert not any(d.separated for d in found.values())
