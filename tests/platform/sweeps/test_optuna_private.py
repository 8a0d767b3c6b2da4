"""Optuna's private names, held against the installed version on real storages."""

import optuna
import pytest
from optuna.storages import RDBStorage
from optuna.trial import TrialState

from texprior.sweeps.optuna_private import (
    fail_trial,
    has_missed_heartbeats,
    keeps_heartbeats,
    record_heartbeat,
    set_trial_attribute,
)


@pytest.fixture
def beating(tmp_path):
    """A study whose database keeps heartbeats, with no grace at all."""
    storage = RDBStorage(f"sqlite:///{tmp_path}/a.db", heartbeat_interval=1, grace_period=1)
    return optuna.create_study(storage=storage)


def frozen(study, number):
    return study.get_trials(deepcopy=False)[number]


def test_only_a_storage_with_an_interval_keeps_heartbeats(beating, tmp_path):
    assert keeps_heartbeats(beating)
    assert not keeps_heartbeats(optuna.create_study(storage=f"sqlite:///{tmp_path}/b.db"))
    assert not keeps_heartbeats(optuna.create_study())


@pytest.mark.filterwarnings("ignore")
def test_a_trial_is_stale_when_its_heartbeat_is_older_than_the_grace(beating, tmp_path):
    from sqlalchemy import create_engine, text

    trial = beating.ask()
    record_heartbeat(beating, trial)
    assert not has_missed_heartbeats(beating, frozen(beating, 0))
    with create_engine(f"sqlite:///{tmp_path}/a.db").begin() as connection:  # an hour passes
        connection.execute(text("UPDATE trial_heartbeats SET heartbeat = datetime(heartbeat, '-1 hour')"))
    assert has_missed_heartbeats(beating, frozen(beating, 0))


@pytest.mark.filterwarnings("ignore")
def test_a_trial_is_failed_once_and_an_ended_one_never(beating):
    running, ended = beating.ask(), beating.ask()
    beating.tell(ended, 1.0)
    set_trial_attribute(beating, frozen(beating, 0), "reason", "its worker died")
    assert [fail_trial(beating, frozen(beating, n)) for n in (0, 0, 1)] == [True, False, False]
    states = [t.state for t in beating.get_trials(deepcopy=False)]
    assert states == [TrialState.FAIL, TrialState.COMPLETE]
    assert frozen(beating, running.number).user_attrs == {"reason": "its worker died"}
