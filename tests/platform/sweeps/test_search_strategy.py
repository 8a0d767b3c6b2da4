"""Samplers and pruners: what resumes as if unbroken, what is searched whole, and who is stopped at a rung."""

import itertools

import pytest

from texprior.errors import ConfigError
from texprior.sweeps.search_strategy import should_prune

CURVE = {"sampling.texture_strength": {"low": 0, "high": 2}, "sampling.steps": {"low": 1, "high": 20}}


def test_a_resumed_sweep_goes_on_as_an_unbroken_one(registry, tmp_path, made, swept, params):
    experiment = made(registry, CURVE)
    unbroken, _ = swept(experiment, registry, f"sqlite:///{tmp_path}/a.db", 14)
    swept(experiment, registry, f"sqlite:///{tmp_path}/b.db", 6)
    resumed, told = swept(experiment, registry, f"sqlite:///{tmp_path}/b.db", 14)
    assert len(told) == 8
    assert params(resumed.trials) == params(unbroken.trials)


def test_a_discrete_space_no_larger_than_the_trials_is_searched_whole(registry, storage, made, swept, params):
    experiment = made(registry, {"adapter": ["plain", "thin"], "adapter.thin.rank": [1, 2, 4], "sampling.rho": [5, 7]})
    result, told = swept(experiment, registry, storage, 50, lambda a: {"score": a.number})
    assert len(told) == (1 + 3) * 2
    assert len({str(sorted(p.items())) for p in params(told)}) == 8
    assert {t.state for t in told} == {"finished"}
    assert all(("adapter.thin.rank" in t.params) == (t.params["adapter"] == "thin") for t in result.trials)


@pytest.mark.parametrize(
    ("values", "others", "patience", "expected"),
    [
        ([2.0, 5.0], [[1.0, 5.0], [1.5, 4.0]], 2, True),
        ([2.0, 5.0], [[1.0, 6.0], [1.5, 4.0]], 2, False),  # one of them costs more
        ([2.0, 5.0], [[2.0, 1.0], [1.5, 4.0]], 2, False),  # one of them is no better
        ([2.0], [[1.0]], 1, True),
    ],
)
def test_the_rule_of_several_objectives(values, others, patience, expected):
    assert should_prune(values, others, patience) is expected


def test_the_median_rule_prunes_at_a_rung(registry, storage, made, swept):
    """Scores rise with the trial's number: from the fifth trial on, each is worse than the median of those before."""

    def worse(asked):
        asked.report(100, {"score": float(asked.number)})
        return {"score": float(asked.number)}

    experiment = made(registry, CURVE, sweep_rungs=[0.5])
    told = swept(experiment, registry, storage, 7, worse)[1]
    assert [t.state for t in told] == ["finished"] * 4 + ["pruned"] * 3
    assert told[4].reason == "Pruned: after 100 images: MedianPruner sees no hope"


def test_a_sampler_and_a_pruner_of_optuna_by_name(registry, storage, made, swept):
    quasi = made(registry, CURVE, sweep_sampler={"QMCSampler": {"qmc_type": "halton"}}, sweep_pruner="HyperbandPruner")
    result, _ = swept(quasi, registry, storage, 4)
    halton = [2 * n for n in (0, 1 / 2, 1 / 4)]  # van der Corput's sequence in base 2, on [0, 2]
    assert [t.params["sampling.texture_strength"] for t in result.trials[1:]] == halton
    with pytest.raises(ConfigError, match=r"sweep.sampler: Optuna has no 'Tpe'; it has auto, .*TPESampler"):
        swept(made(registry, CURVE, sweep_sampler="Tpe"), registry, storage, 1)
    with pytest.raises(ConfigError, match=r"sweep.pruner.MedianPruner: .*unexpected keyword argument 'speed'"):
        swept(
            made(registry, CURVE, sweep_rungs=[0.5], sweep_pruner={"MedianPruner": {"speed": 1}}), registry, storage, 1
        )


def test_a_grid_is_gone_through_once(registry, storage, made, swept):
    grid = {"sampling.texture_strength": [0.0, 0.5, 1.0], "sampling.steps": [4, 12, 20]}
    space = {path: {"low": values[0], "high": values[-1]} for path, values in grid.items()}
    experiment = made(registry, space, sweep_sampler={"GridSampler": {"search_space": grid}})
    result, _ = swept(experiment, registry, storage, 9)
    found = [
        (t.params["sampling.texture_strength"], t.params["sampling.steps"])
        for t in result.trials
        if t.state == "finished"
    ]
    assert sorted(found) == sorted(itertools.product(*grid.values()))  # the own configuration is one of them
