"""Sweeps on a real SQLite storage, with objectives whose optimum is known."""

from pathlib import Path

import pytest

from texprior.config import resolve
from texprior.registry import Registry
from texprior.sweeps.ask_tell import run_trials
from texprior.sweeps.records import SweepSetup


@pytest.fixture(scope="session")
def registry():
    registry = Registry()
    registry.register(Path(__file__).parents[1] / "fake_components.py")
    return registry


@pytest.fixture
def storage(tmp_path):
    return f"sqlite:///{tmp_path}/optuna.db"


@pytest.fixture(scope="session")
def made():
    """An experiment that searches these dimensions; ``sweep_NAME`` are further settings of its sweep."""

    def made(registry, dimensions, **more):
        sweep = {name.removeprefix("sweep_"): more.pop(name) for name in list(more) if name.startswith("sweep_")}
        return resolve({"name": "study", **more, "sweep": {"space": dimensions, "metric": "score", **sweep}}, registry)

    return made


@pytest.fixture(scope="session")
def distance():
    """An objective: 0 at texture strength 0.5 and 12 steps."""

    def distance(asked):
        sampling = asked.experiment.sampling
        score = (sampling.texture_strength - 0.5) ** 2 + (sampling.steps - 12) ** 2 / 400
        return {"score": score, "other": asked.number}

    return distance


@pytest.fixture(scope="session")
def setup():
    def setup(experiment, registry, storage, trials=None, objectives=None, **more):
        return SweepSetup(
            experiment=experiment,
            registry=registry,
            storage=storage,
            objectives=objectives or {"score": "lower"},
            trials=trials,
            **more,
        )

    return setup


@pytest.fixture(scope="session")
def swept(setup, distance):
    """Runs a sweep; its result, and the trials that it told of."""

    def swept(experiment, registry, storage, trials, objective=distance, better="lower"):
        told = []
        result = run_trials(setup(experiment, registry, storage, trials, {"score": better}), objective, told.append)
        return result, told

    return swept


@pytest.fixture(scope="session")
def both(setup):
    """Runs a sweep by score and cost; its result, and the trials that it told of."""

    def costly(asked):
        """Better and dearer with every step: score (steps - 20)^2, cost 10 steps; every trial reports at two rungs."""
        steps = asked.experiment.sampling.steps
        values = {"score": float((steps - 20) ** 2), "cost": 10.0 * steps}
        for images in (100, 200):
            asked.report(images, values)
        return values

    def both(experiment, registry, storage, trials, objective=costly):
        told = []
        better = {"score": "lower", "cost": "lower"}
        return run_trials(setup(experiment, registry, storage, trials, better), objective, told.append), told

    return both


@pytest.fixture(scope="session")
def params():
    """The parameters of some trials."""
    return lambda records: [dict(r.params) for r in records]
