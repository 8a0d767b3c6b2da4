"""Optuna's private names, held against the installed version on real storages."""

import json

import optuna
import pytest
from optuna.storages import JournalStorage
from optuna.trial import TrialState

from texprior.sweeps.optuna_private import WholeLines, fail_trial, set_trial_attribute


@pytest.fixture(params=["sqlite", "journal"])
def study(request, tmp_path):
    journal = JournalStorage(WholeLines(str(tmp_path / "a.log")))
    return optuna.create_study(storage=journal if request.param == "journal" else f"sqlite:///{tmp_path}/a.db")


def frozen(study, number):
    return study.get_trials(deepcopy=False)[number]


def test_a_trial_is_failed_once_and_an_ended_one_never(study):
    running, ended = study.ask(), study.ask()
    study.tell(ended, 1.0)
    assert set_trial_attribute(study, frozen(study, 0), "reason", "its worker died")
    assert not set_trial_attribute(study, frozen(study, 1), "reason", "its worker died")
    assert [fail_trial(study, frozen(study, n)) for n in (0, 0, 1)] == [True, False, False]
    states = [t.state for t in study.get_trials(deepcopy=False)]
    assert states == [TrialState.FAIL, TrialState.COMPLETE]
    assert frozen(study, running.number).user_attrs == {"reason": "its worker died"}


@pytest.mark.parametrize("cut", ["{", '{"op_code": 4, "worker_id": "a', '{"op_code":4}'])
def test_a_journal_goes_on_after_a_line_that_was_cut_off(tmp_path, cut):
    """Optuna's own file appends to the cut line, and then reads neither."""
    path = tmp_path / "a.log"
    study = optuna.create_study(storage=JournalStorage(WholeLines(str(path))), study_name="s")
    study.tell(study.ask(), 1.0)
    with path.open("a") as file:
        file.write(cut)
    for again in range(2):
        other = optuna.load_study(study_name="s", storage=JournalStorage(WholeLines(str(path))))
        other.tell(other.ask(), 2.0 + again)
    assert [t.value for t in other.get_trials()] == [1.0, 2.0, 3.0]
    assert all(json.loads(line) for line in path.read_text().splitlines())
