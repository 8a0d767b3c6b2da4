"""MLflow's SQLite store: made once, by whoever comes first, and whole, whoever is killed."""

import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from texprior.errors import TexpriorError
from texprior.plugin import Ref
from texprior.track import RunInfo
from texprior.track.embedded import lock_store
from texprior_plugins.events._store import prepare_store

# One interpreter, and forks of it: MLflow's import takes seconds, and forks start at the same moment.
RACE = """
import json, os, signal, sqlite3, sys
from pathlib import Path
os.environ |= {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_LOGGING_LEVEL": "WARNING"}
import alembic.command, mlflow.store.tracking.sqlalchemy_store
from alembic.script import ScriptDirectory
from mlflow.store.db import utils
import texprior_plugins.events as module
import texprior_plugins.events._store as store
from texprior.plugin import Ref
from texprior.registry import Registry
from texprior.track import RunInfo
state, database = sys.argv[1], Path(sys.argv[2])
registry = Registry()
registry.register(module)

def fork(work):
    process = os.fork()
    if process:
        return process
    try:
        work()
        os._exit(0)
    except BaseException as error:
        print(f"{type(error).__name__}: {error}", flush=True)
        os._exit(1)

def killed():
    store.prepare_store(database, within=lambda: os.kill(os.getpid(), signal.SIGKILL))

def older():
    # the store of an earlier MLflow, with a run
    before = ScriptDirectory.from_config(utils._get_alembic_config("")).get_revision("head").down_revision
    upgrade = alembic.command.upgrade
    alembic.command.upgrade = lambda config, _: upgrade(config, before)
    store._migrate(database, lambda: None)
    with sqlite3.connect(database) as connection:
        connection.execute(
            "insert into experiments (experiment_id, name, lifecycle_stage, artifact_location)"
            " values (7, 'e', 'active', ?)", [(database.parent / "artifacts").as_uri()])
        connection.execute(
            "insert into runs (run_uuid, name, experiment_id, status, lifecycle_stage, start_time, artifact_uri)"
            " values ('old', 'old', 7, 'FINISHED', 'active', 1, '')")
        # what an interrupted upgrade leaves beside a table that it rebuilds
        connection.execute("create table _alembic_tmp_runs (a)")

def first_run(number):
    options = {"tracking_uri": f"sqlite:///{database}"}
    observer = registry.build("events", Ref(name="mlflow", options=options))
    observer.run_started(RunInfo(f"r{number}", "e", f"r{number}", "prior"))
    observer.run_finished(f"r{number}", "finished", {"a": number}, "")

if state == "killed":
    assert os.WTERMSIG(os.waitpid(fork(killed), 0)[1]) == signal.SIGKILL
    assert sqlite3.connect(database).execute("select count(*) from sqlite_master").fetchall() == [(0,)]
else:
    assert os.waitpid(fork(older), 0)[1] == 0
for process in [fork(lambda n=n: first_run(n)) for n in range(4)]:
    assert os.waitpid(process, 0)[1] == 0
"""


@pytest.mark.parametrize("state", ["killed", "older"])
def test_first_runs_at_once_are_all_recorded(tmp_path, state):
    """A process was killed at the end of making the store, or an earlier MLflow made it and its upgrade was killed."""
    database = tmp_path / "mlflow.db"
    command = [sys.executable, "-c", RACE, state, database]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stdout) == (0, ""), done.stdout + done.stderr
    connection = sqlite3.connect(database)
    runs = connection.execute("select name, status from runs order by name").fetchall()
    assert runs == [("old", "FINISHED")] * (state == "older") + [(f"r{n}", "FINISHED") for n in range(4)]
    assert names(database) == {n for n in names(database) if not n.startswith("_alembic_tmp")}
    assert [p.name for p in tmp_path.iterdir() if "half-made" in p.name] == []


@pytest.fixture
def copied(store, registry, tmp_path):
    """A copy of a store that has its tables, and may have runs."""
    observer = registry.build("events", Ref(name="mlflow", options={"tracking_uri": store}))
    observer.run_started(RunInfo("copied", "copied", "copied", "prior"))
    shutil.copy(Path(store.removeprefix("sqlite:///")), tmp_path / "mlflow.db")
    return tmp_path / "mlflow.db"


def spoil(database, *statements):
    """Puts a store in the state in which a race of two migrations left it."""
    with sqlite3.connect(database) as connection:
        connection.execute("create table _alembic_tmp_latest_metrics (a)")
        connection.execute("update alembic_version set version_num = '2b4d017a5e9b'")
        for statement in statements:
            connection.execute(statement)


def prepared(database):
    with lock_store(database):
        prepare_store(database)


def names(database):
    return {name for (name,) in sqlite3.connect(database).execute("select name from sqlite_master")}


def test_a_half_made_store_without_runs_is_set_aside(copied, caplog):
    whole = names(copied)
    spoil(copied, "delete from runs")
    prepared(copied)
    assert names(copied) == whole
    assert "_alembic_tmp_latest_metrics" in names(copied.with_name("mlflow.db.half-made-1"))
    assert "half-made by an interrupted start" in caplog.text
    assert "set aside as" in caplog.text


def test_a_half_made_store_with_runs_stays_and_the_way_out_is_said(copied):
    spoil(copied)
    before = copied.read_bytes()
    with pytest.raises(TexpriorError) as caught:
        prepared(copied)
    assert "this MLflow store is half-made and holds" in str(caught.value)
    assert "move the file to another place" in str(caught.value)
    assert copied.read_bytes() == before


def test_the_store_of_a_newer_mlflow_is_not_touched(copied):
    with sqlite3.connect(copied) as connection:
        connection.execute("update alembic_version set version_num = 'of-tomorrow'")
    with pytest.raises(TexpriorError, match="a newer MLflow than the installed one made this store"):
        prepared(copied)
