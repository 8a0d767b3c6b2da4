"""Who is alive: by the process where it can be seen, by the count of heartbeats elsewhere, never by two clocks."""

import json
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta

import optuna
import pytest

from texprior.processes import this_process
from texprior.sweeps import heartbeats
from texprior.sweeps.heartbeats import Watch, last_sign, name_worker, send_heartbeats, worker_name

ELSEWHERE = {"host": "elsewhere.invalid", "pid": 7, "boot": "another boot", "started": "1"}


@pytest.fixture
def study(tmp_path):
    return optuna.create_study(storage=f"sqlite:///{tmp_path}/a.db")


@pytest.fixture
def clock(monkeypatch):
    """The steady clock of the watching process, in seconds; it stands until a test moves it."""
    now = [1000.0]
    monkeypatch.setattr(heartbeats.time, "monotonic", lambda: now[0])
    return now


def frozen(study, number=0):
    return study.get_trials(deepcopy=False)[number]


def test_a_worker_elsewhere_is_dead_when_its_count_has_stood_still_for_the_grace(study, clock):
    trial, watch = study.ask(), Watch()
    trial.set_user_attr("worker", ELSEWHERE)
    assert not watch.is_dead(frozen(study))
    for count in range(3):  # a beat every 170 s is late, but within the grace
        clock[0] += 170
        trial.set_user_attr("beat", {"count": count, "utc": "2020-01-01T00:00:00+00:00"})
        assert not watch.is_dead(frozen(study))
    clock[0] += 179
    assert not watch.is_dead(frozen(study))
    clock[0] += 2
    assert watch.is_dead(frozen(study))
    assert not Watch().is_dead(frozen(study))  # who has just come has not watched it


@pytest.mark.parametrize("hours", [-14, -1, 1, 14])
def test_no_clock_or_time_zone_of_a_host_makes_a_living_worker_dead(study, clock, hours):
    trial, watch = study.ask(), Watch()
    off = (datetime.now(UTC) + timedelta(hours=hours)).isoformat()
    trial.set_user_attr("worker", {**ELSEWHERE, "utc": off})
    for count in range(5):
        clock[0] += 100
        trial.set_user_attr("beat", {"count": count, "utc": off})
        assert not watch.is_dead(frozen(study))


def test_a_container_with_this_host_name_and_other_process_numbers_is_elsewhere(study, clock):
    """Its process number does not exist here, or is another process's: neither says anything."""
    trial, watch = study.ask(), Watch()
    here = this_process()
    trial.set_user_attr("worker", {**here, "pid": 2**22 - 1, "boot": f"{here['boot']} of a container"})
    assert not watch.is_dead(frozen(study))
    clock[0] += 181
    assert watch.is_dead(frozen(study))


def test_a_process_here_is_the_truth_however_long_it_is_silent(study, clock):
    child = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import json; from texprior.processes import this_process; "
            "print(json.dumps(this_process()), flush=True); input()",
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    worker = json.loads(child.stdout.readline())
    trial, watch = study.ask(), Watch()
    trial.set_user_attr("worker", worker)
    assert not watch.is_dead(frozen(study))
    clock[0] += 10_000
    assert not watch.is_dead(frozen(study))
    child.send_signal(signal.SIGKILL)
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert watch.is_dead(frozen(study))  # though its parent has not fetched its exit code, so the number still exists
    child.communicate()
    assert watch.is_dead(frozen(study))


def test_a_process_number_that_is_used_again_is_another_process(study):
    trial = study.ask()
    trial.set_user_attr("worker", {**this_process(), "started": "1"})
    assert Watch().is_dead(frozen(study))


def test_an_older_trial_of_this_process_is_dead(study):
    name_worker(study.ask())
    assert Watch().is_dead(frozen(study))
    assert worker_name(frozen(study)) == f"process {os.getpid()} on {this_process()['host']}"
    assert last_sign(frozen(study)).startswith("last sign of life ")


def test_trials_of_earlier_versions_without_a_boot_are_judged_by_host_and_number(study, clock):
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    host, watch = this_process()["host"], Watch()
    for pid in (ended.pid, os.getppid()):
        study.ask().set_user_attr("worker", {"host": host, "pid": pid})
    assert [watch.is_dead(frozen(study, n)) for n in (0, 1)] == [True, False]
    clock[0] += 181  # the number may be another process's by now
    assert watch.is_dead(frozen(study, 1))


def test_heartbeats_are_counted_and_go_on_after_one_that_failed(monkeypatch, caplog):
    monkeypatch.setattr(heartbeats, "HEARTBEAT_S", 0.01)
    beats = []

    class Trial:
        number = 7

        def set_user_attr(self, name, value):
            beats.append(value["count"])
            if len(beats) == 3:
                raise OSError("the database is away")

    with send_heartbeats(Trial()):
        end = time.monotonic() + 20
        while len(beats) < 6 and time.monotonic() < end:
            time.sleep(0.01)
    assert beats[:6] == [1, 2, 3, 4, 5, 6]
    assert "trial 7: no heartbeat could be recorded: the database is away" in caplog.text


def test_a_worker_hears_that_its_trial_was_taken(study, monkeypatch, caplog):
    monkeypatch.setattr(heartbeats, "HEARTBEAT_S", 0.01)
    trial = study.ask()
    study.tell(trial.number, state=optuna.trial.TrialState.FAIL)
    with send_heartbeats(trial):
        end = time.monotonic() + 20
        while not caplog.records and time.monotonic() < end:
            time.sleep(0.01)
    assert [r.getMessage() for r in caplog.records] == [
        "trial 0 was taken from this worker; its configuration is run again"
    ]
