"""The search space: written out, suggested, and refused where it can not work."""

from pathlib import Path

import optuna
import pytest
from optuna.distributions import FloatDistribution, IntDistribution

from texprior.config import Experiment, Range, resolve, search_space, with_overrides
from texprior.errors import ConfigError
from texprior.registry import Registry


@pytest.fixture(scope="module")
def registry():
    registry = Registry()
    registry.register(Path(__file__).parents[1] / "fake_components.py")
    return registry


def made(registry, dimensions=None, **more) -> Experiment:
    sweep = {"space": dimensions} if dimensions is not None else {}
    return resolve({"name": "x", "sweep": sweep, **more}, registry)


def refused(registry, dimensions, **more) -> str:
    with pytest.raises(ConfigError) as caught:
        made(registry, dimensions, **more)
    return str(caught.value)


def sampled(sweep, trials, seed=0):
    """(trial, values) of a real study with random values."""
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=seed))
    for _ in range(trials):
        trial = study.ask()
        yield trial, search_space.suggest_values(trial, sweep)


OF_CGA = {
    "adapter.cga.width": Range(low=4, high=64, integer=True),
    "adapter.cga.rate": Range(low=1e-4, high=1e-1, log=True),
    "adapter.cga.drop": Range(low=0.0, high=1.0),
    "adapter.cga.maybe": Range(low=1, high=5, integer=True),
    "adapter.cga.channels": Range(low=8, high=32, step=8, integer=True),
    "adapter.cga.grid": Range(low=0.0, high=1.0, step=0.25),
    "adapter.cga.bias": [False, True],
    "adapter.cga.form": ["add", "mul", None],
    "adapter.cga.colour": ["red", "blue"],
    "adapter.cga.gate.scale": Range(low=0.0, high=1.0),
}


def test_an_empty_space_is_the_experiments_own_adapter_with_its_tune_options(registry):
    rates = {"training.adapter.lr": Range(low=1e-4, high=4e-3, log=True)}
    assert made(registry).sweep.space == {"adapter": ["cga"], **OF_CGA, **rates}
    assert made(registry, adapter="plain").sweep.space == {"adapter": ["plain"], **rates}


def test_a_float_in_0_to_1_is_a_float_and_an_int_is_an_int(registry):
    found = dict(sampled(made(registry).sweep, 1))
    (trial,) = found
    assert trial.distributions["adapter.cga.drop"] == FloatDistribution(0.0, 1.0)
    assert trial.distributions["adapter.cga.width"] == IntDistribution(4, 64)
    assert trial.distributions["adapter.cga.rate"] == FloatDistribution(1e-4, 1e-1, log=True)
    assert trial.distributions["adapter.cga.channels"] == IntDistribution(8, 32, step=8)


def test_a_resolved_dump_reloads_to_the_same(registry):
    given = {"adapter": ["cga", "thin"], "training.adapter.lr": {"low": "1e-4", "high": 1, "log": True}}
    once = made(registry, given)
    again = resolve(once.model_dump(mode="json"), registry)
    assert again == once
    assert search_space.space_hash(again.sweep) == search_space.space_hash(once.sweep)
    assert list(once.sweep.space) == ["adapter", *OF_CGA, "adapter.thin.rank", "training.adapter.lr"]


def test_what_is_given_wins_over_what_a_component_brings(registry):
    swept = made(registry, {"adapter": ["thin"], "adapter.thin.rank": [2, 8]})
    assert swept.sweep.space == {"adapter": ["thin"], "adapter.thin.rank": [2, 8]}


def test_integers_follow_from_the_field_at_any_path(registry):
    given = {
        "sampling.steps": {"low": 1, "high": 10},
        "sampling.sigma_max": {"low": 5, "high": 40},
        "training.adapter.lr": {"low": 0.5, "high": 1},
        "training.adapter.budget.images": {"low": 100, "high": 200},
        "training.adapter.budget.seconds": {"low": 1, "high": 2},
        "training.adapter.patch": {"low": 16, "high": 64},
        "threads": {"low": 1, "high": 2},
        "adapter.cga.heads": {"low": 1, "high": 8},
        "adapter.cga.gate.order": {"low": 1, "high": 3},
        "sampling.sampler.ddim.eta": {"low": 0, "high": 1},
    }
    found = made(registry, given).sweep.space
    whole = {path: d.integer for path, d in found.items()}
    floats = {
        "sampling.sigma_max",
        "training.adapter.lr",
        "training.adapter.budget.seconds",
        "sampling.sampler.ddim.eta",
    }
    assert whole == {path: path not in floats for path in given}
    assert found["training.adapter.patch"] == Range(low=16, high=64, step=2, integer=True)


def test_200_samples_validate_and_conditional_options_never_leak(registry):
    given = {
        "adapter": ["cga", "thin", "plain"],
        "adapter.cga.stages": [[1, 2], [3]],
        "training.adapter.microbatch": [4, None],
        "sampling.steps": {"low": 1, "high": 9, "step": 4},
    }
    experiment = made(registry, given)
    seen = set()
    for trial, values in sampled(experiment.sweep, 200):
        made_so = with_overrides(experiment, values, registry)
        assert made_so.adapter.name == values["adapter"]
        assert {p.split(".")[1] for p in values if p.startswith("adapter.")} <= {values["adapter"]}
        assert set(trial.params) == set(values)
        assert values["sampling.steps"] in (1, 5, 9)
        assert made_so.training.adapter.microbatch == values["training.adapter.microbatch"]
        seen.add(values["adapter"])
        if values["adapter"] == "cga":
            options = made_so.adapter.options
            assert isinstance(values["adapter.cga.width"], int)
            assert isinstance(values["adapter.cga.drop"], float)
            assert options["channels"] % 8 == 0
            assert options["grid"] in (0, 0.25, 0.5, 0.75, 1)
            assert options["gate"]["scale"] == values["adapter.cga.gate.scale"]
            assert options["stages"] == values["adapter.cga.stages"] in ([1, 2], [3])
    assert seen == {"cga", "thin", "plain"}


def test_a_fixed_trial_is_read_back(registry):
    sweep = made(registry, {"adapter": ["cga", "thin"]}).sweep
    values = {"adapter": "thin", "adapter.thin.rank": 5}
    assert search_space.suggest_values(optuna.trial.FixedTrial(values), sweep) == values


def test_log_is_respected(registry):
    rates = [values["adapter.cga.rate"] for _, values in sampled(made(registry).sweep, 400)]
    below = sum(rate < 10**-2.5 for rate in rates) / len(rates)
    assert below == pytest.approx(0.5, abs=0.1)  # 4 standard errors of a fair coin; linear would give 0.03


@pytest.mark.parametrize(
    ("dimensions", "sentence"),
    [
        ({"sampling.stepz": [1]}, "there is no 'stepz' in 'sampling'; did you mean 'steps'?"),
        ({"smapling.steps": [1]}, "there is no 'smapling' in 'the experiment'; did you mean 'sampling'?"),
        ({"adapter.cga.widht": [8]}, "there is no 'widht' in 'adapter.cga'; did you mean 'width'?"),
        ({"adapter.thin.rank": [8]}, "'adapter' is never 'thin' here; known are: cga"),
        ({"adapter": ["thim"]}, "there is no adapter 'thim'; did you mean 'thin'?"),
        ({"adapter": ["thin", "thin"]}, "at least one choice, and each choice only once"),
        ({"adapter": []}, "at least one"),
        ({"adapter": {"low": 1, "high": 2}}, "a component is searched over a list of names"),
        ({"adapter": [{"cga": {"width": 8}}]}, "a component is searched over a list of names"),
        ({"adapter": [None]}, "a component is searched over a list of names"),
        ({"adapter.cga": [8]}, "name an option of 'cga'"),
        ({"adapter.cga.width": [8, 65]}, "less than or equal to 64 (got 65)"),
        ({"adapter.cga.form": ["add", "div"]}, "'add' or 'mul' (got 'div')"),
        ({"adapter.cga.name_of_net": {"low": 1, "high": 2}}, "give a list of choices"),
        ({"adapter.cga.bias": {"low": 0, "high": 1}}, "give a list of choices"),
        ({"adapter.cga.width": {"low": 1, "high": 32}}, "greater than or equal to 4 (got 1)"),
        ({"adapter.cga.heads": {"low": 1, "high": 9}}, "less than or equal to 8 (got 9)"),
        ({"adapter.cga.rate": {"low": 0, "high": 1}}, "greater than 0 (got 0.0)"),
        ({"adapter.cga.width": {"low": 4.5, "high": 8}}, "values here are whole numbers, and 4.5 is not"),
        ({"adapter.cga.width": {"low": 4, "high": 8, "step": 0.5}}, "values here are whole numbers, and 0.5 is not"),
        ({"adapter.cga.width": {"low": 4, "high": 9, "step": 2}}, "high 9 is not reached from low 4 in steps of 2"),
        ({"adapter.cga.channels": {"low": 8, "high": 32, "step": 4}}, "multiples of 8"),
        ({"adapter.cga.channels": {"low": 8, "high": 32, "log": True}}, "multiples of 8"),
        ({"sampling": [1]}, "this is a section"),
        ({"sampling.steps.more": [1]}, "'sampling.steps' is a value"),
        ({"metrics": [1]}, "'metrics' cannot be searched"),
        ({"sweep.trials": [1]}, "'sweep' cannot be searched"),
        ({"adapter.cga.drop": {"low": 0, "high": 1, "log": True}}, "log needs low > 0"),
        ({"adapter": ["open"]}, "option 'width' is marked Tune, but has no bounds"),
        ({"adapter": ["log-zero"]}, "option 'rate' is marked Tune, but log needs low > 0"),
        ({"adapter": ["text"]}, "option 'text' is marked Tune, but its type"),
        ({"adapter": ["mixed"]}, "option 'size' is marked Tune, but its values are numbers and others"),
        ({"adapter": ["open-rate"]}, "option 'rate' is marked Tune, but has no bounds"),
        ({"adapter": ["odd-multiple"]}, "option 'width' is marked Tune, but input should be a multiple of 8 (got 30)"),
    ],
)
def test_what_can_not_be_searched_is_refused_with_a_sentence(registry, dimensions, sentence):
    message = refused(registry, dimensions)
    assert sentence in message
    assert f"sweep.space.{next(iter(dimensions))}" in message
    assert "\n" not in message


def test_default_values_are_the_experiments_own_where_they_apply(registry):
    given = {"adapter": ["thin", "plain"], "sampling.steps": {"low": 1, "high": 9, "step": 1}}
    own = {"adapter": "thin", "adapter.thin.rank": 4, "sampling.steps": 4}
    assert search_space.default_values(made(registry, given, adapter="thin")) == own
    assert search_space.default_values(made(registry, given, adapter="plain")) == {
        "adapter": "plain",
        "sampling.steps": 4,
    }
    assert search_space.default_values(made(registry, given, adapter="cga")) == {}
    assert search_space.default_values(made(registry, {"sampling.steps": [1, 2]})) == {}
    assert search_space.default_values(made(registry, {"sampling.steps": {"low": 1, "high": 9, "step": 2}})) == {}
    stages = search_space.default_values(made(registry, {"adapter.cga.stages": [[1, 2], [3]]}))
    assert stages == {"adapter.cga.stages": [1, 2]}
    assert search_space.params_of(stages) == {"adapter.cga.stages": "[1, 2]"}


def test_the_hash_follows_the_dimensions_alone(registry):
    plain = made(registry, {"sampling.steps": [1, 2]}).sweep
    assert len(search_space.space_hash(plain)) == 10
    assert search_space.space_hash(plain.model_copy(update={"trials": 99, "seed": 3})) == search_space.space_hash(plain)
    assert search_space.space_hash(made(registry, {"sampling.steps": [1, 3]}).sweep) != search_space.space_hash(plain)
    as_floats = made(registry, {"sampling.steps": {"low": 1.0, "high": 4.0}}).sweep
    assert search_space.space_hash(as_floats) == search_space.space_hash(
        made(registry, {"sampling.steps": {"low": 1, "high": 4}}).sweep
    )


def test_the_size_counts_configurations(registry):
    given = {"adapter": ["thin", "plain"], "sampling.steps": {"low": 1, "high": 9, "step": 2}, "sampling.rho": [5, 7]}
    assert search_space.count_configurations(made(registry, given).sweep) == (32 + 1) * 5 * 2
    assert search_space.count_configurations(made(registry).sweep) is None
    assert search_space.count_configurations(made(registry, {"training.adapter.microbatch": [4, None]}).sweep) == 2


@pytest.mark.parametrize(
    "path",
    ["decomposition", "predictor.unet.width", "training.prior.lr", "degradation", "diffusion.condition_noise"],
)
def test_what_all_trials_share_cannot_be_searched(registry, path):
    with pytest.raises(ConfigError, match=r"belongs to the prior or the predictor, which all trials share"):
        made(registry, {path: [1, 2]})
