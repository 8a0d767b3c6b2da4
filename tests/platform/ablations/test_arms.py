"""Arms from grids and by name: what they set, how they are called, and which of them are refused."""

import pytest

from texprior.ablations.arms import arms_of, baseline_of, grid_combinations, series_of
from texprior.config import resolve
from texprior.errors import ConfigError
from texprior.registry import Registry


@pytest.fixture(scope="module")
def registry():
    return Registry.discover()


@pytest.fixture
def arms(registry):
    def arms(**ablation):
        experiment = resolve({"name": "x", "encoder": "none", "ablation": ablation}, registry)
        return {arm.name: arm for arm in arms_of(experiment, registry)}

    return arms


def test_every_combination_once_and_options_only_of_what_is_chosen():
    grid = {"decomposition.guided.radius": [4, 8], "decomposition": ["guided", "l0"], "sampling.steps": [2, 4]}
    found = list(grid_combinations(grid))
    guided = [(v["decomposition.guided.radius"], v["sampling.steps"]) for v in found if v["decomposition"] == "guided"]
    assert guided == [(4, 2), (4, 4), (8, 2), (8, 4)]
    assert [v for v in found if v["decomposition"] == "l0"] == [
        {"decomposition": "l0", "sampling.steps": 2},
        {"decomposition": "l0", "sampling.steps": 4},
    ]


def test_arms_are_called_by_what_differs(arms):
    assert list(arms(grid={"decomposition": ["guided", "l0"]})) == ["guided", "l0"]
    assert list(arms(grid={"decomposition": ["guided", {"guided": {"radius": 4}}, "l0"]})) == [
        "guided",
        "guided radius=4",
        "l0",
    ]
    assert list(arms(grid={"decomposition": [{"guided": {"radius": 4}}, "l0"], "sampling.steps": [2, 4]})) == [
        "guided steps=2",
        "guided steps=4",
        "l0 steps=2",
        "l0 steps=4",
    ]
    rates = {"training.prior.lr": [0.001, 0.002], "training.adapter.lr": [0.001, 0.003], "training.prior.batch": [8]}
    assert list(arms(grid=rates))[1] == "prior.lr=0.001 adapter.lr=0.003"


def test_arms_are_the_experiment_with_their_values(arms):
    found = arms(grid={"decomposition": [{"guided": {"radius": 4}}, "l0"]})
    assert found["guided"].experiment.decomposition.options == {"radius": 4, "eps": 0.01}
    assert found["l0"].experiment.decomposition.name == "l0"
    assert found["l0"].experiment.encoder.name == "none"
    named = arms(arms={"as it is": {}, "few": {"sampling.steps": 1, "process.concat": "degraded"}})
    assert named["as it is"].experiment.sampling.steps == 4
    assert (named["few"].experiment.sampling.steps, named["few"].experiment.process.concat) == (1, "degraded")
    assert named["few"].sets == "sampling.steps: 1, process.concat: degraded"


@pytest.mark.parametrize(
    ("ablation", "said"),
    [
        ({}, "ablation: there is nothing to compare"),
        ({"arms": {"own": {}}, "predictor_alone": False}, "ablation: there is only 'own' to compare"),
        ({"arms": {"own": {}}, "model": "nowhere"}, "ablation: there is only 'own' to compare"),
        ({"model": "nowhere", "equal": "flops"}, "ablation: equal makes trainings cost the same, but model is sampled"),
        ({"equal": "seconds"}, "ablation.equal: input should be 'images' or 'flops'"),
        ({"grid": {"decomposition": ["guided", "l00"]}}, "arm 'l00': decomposition: .* did you mean 'l0'"),
        ({"grid": {"decomposition.guided.radius": [4, -1]}}, "arm 'radius=-1': decomposition.guided.radius: "),
        ({"arms": {"a": {}, "b": {"sampling.stepz": 2}}}, "arm 'b': sampling.stepz: unknown key; did you mean 'steps'"),
        ({"arms": {"a": {}, "b": {"encoder": "none"}}}, "arm 'b' is the same experiment as arm 'a'"),
        ({"grid": {"sampling.steps": [2, 4]}, "arms": {"steps=4": {}}}, "there are two arms 'steps=4'"),
        ({"arms": {"a": {}, "b": {"data": {"variants": 1}}}}, "arm 'b': data: arms cannot differ in data.val"),
        ({"arms": {"a": {}, "b": {"metrics": ["psnr"]}}}, "arm 'b': metrics: arms cannot differ in metrics"),
        ({"arms": {"a": {}, "b": {"seed": 3}}}, "arm 'b': seed: arms cannot differ in seed"),
        ({"seeds": [1, 1]}, "ablation: a seed is given twice"),
        ({"grid": {"sampling.steps": []}}, "ablation.grid.sampling.steps: list should have at least 1 item"),
    ],
)
def test_what_cannot_be_compared_is_refused_by_name(arms, ablation, said):
    with pytest.raises(ConfigError, match=said):
        arms(**ablation)


def test_every_arm_that_cannot_be_is_named(arms):
    with pytest.raises(ConfigError) as caught:
        arms(grid={"decomposition": ["nope", "guided", "none-such"]})
    assert [line.partition(" (")[0][:25] for line in str(caught.value).splitlines()] == [
        "ablation: arm 'nope': dec",
        "ablation: arm 'none-such'",
    ]


def test_the_baseline_is_an_arm(registry):
    def baseline(name):
        ablation = {"grid": {"decomposition": ["guided", "l0"]}, "baseline": name}
        experiment = resolve({"name": "x", "ablation": ablation}, registry)
        return baseline_of(experiment, arms_of(experiment, registry)).name

    assert (baseline(None), baseline("l0")) == ("guided", "l0")
    with pytest.raises(ConfigError, match=r"ablation.baseline: there is no arm 'guide'; did you mean 'guided'\?"):
        baseline("guide")


def test_a_series_differs_in_the_last_path_of_the_grid_alone(registry):
    grid = {"sampling.texture_strength": [0.5, 1.0], "sampling.steps": [2, 4]}
    ablation = {"grid": grid, "arms": {"one call": {"sampling.steps": 1}}}
    experiment = resolve({"name": "x", "encoder": "none", "ablation": ablation}, registry)
    found = series_of(arms_of(experiment, registry), experiment.ablation.grid)
    assert [[arm.experiment.sampling.steps for arm in series] for series in found] == [[2, 4], [2, 4], [1]]
