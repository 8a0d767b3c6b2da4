"""One MLflow store for all tests of the kind: its creation takes 10 s."""

import pytest

from texprior.registry import Registry


@pytest.fixture(scope="session")
def store(tmp_path_factory):
    return f"sqlite:///{tmp_path_factory.mktemp('store')}/mlflow.db"


@pytest.fixture
def registry():
    import texprior_plugins.events as module

    registry = Registry()
    registry.register(module)
    return registry
