"""MLflow's SQLite store: made once, by whoever comes first, and whole, whoever is killed."""

import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

import pytest

from texprior.addresses import sqlite_address
from texprior.errors import TexpriorError
from texprior.plugin import Ref
from texprior.track import RunInfo
from texprior.track.embedded import follow_move, lock_store
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


ODD = "c?d=1 e%20f ä#x"
"""A folder's name with all that an address would take for something else."""


def record(registry, folder, run_id):
    """Records a run with a file and a logged model, and returns the observer."""
    options = {"tracking_uri": sqlite_address(folder / "mlflow.db")}
    observer = registry.build("events", Ref(name="mlflow", options=options))
    observer.run_started(RunInfo(run_id, "moved", run_id, "prior"))
    model = folder / f"model-{run_id}"
    model.mkdir()
    for name in ("config.yaml", "adapter.safetensors"):
        (model / name).write_text(run_id)
    observer.artifact(run_id, model)
    observer.artifact(run_id, model / "config.yaml")
    observer.run_finished(run_id, "finished", {}, "")
    return observer


def files_of(observer, run_id, to):
    """Returns the texts of a run's file and of its logged model, and the folders where MLflow has them."""
    client = observer._client
    run = observer._find(run_id, observer._experiment_id("moved"))
    (output,) = client.get_run(run.info.run_id).outputs.model_outputs
    addresses = run.info.artifact_uri, client.get_logged_model(output.model_id).artifact_location
    places = [Path(url2pathname(urlsplit(address).path)) for address in addresses]
    downloaded = Path(client.download_artifacts(run.info.run_id, "config.yaml", str(to)))
    return [downloaded.read_text(), (places[1] / "adapter.safetensors").read_text()], places


def test_the_files_of_runs_follow_a_folder_that_is_moved_or_copied(copied, registry, tmp_path, caplog):
    first, second, third = (tmp_path / ODD / name for name in ("first", "second", "third"))
    first.mkdir(parents=True)
    copied.rename(first / "mlflow.db")
    record(registry, first, "old")
    first.rename(second)
    observer = record(registry, second, "new")
    assert "was moved" in caplog.text
    for run_id in ("old", "new"):
        texts, places = files_of(observer, run_id, tmp_path)
        assert texts == [run_id, run_id]
        assert all(place.is_relative_to(second / "artifacts") for place in places)
    shutil.copytree(second, third)
    observer = record(registry, third, "copy")
    for run_id in ("old", "new", "copy"):
        texts, places = files_of(observer, run_id, tmp_path)
        assert texts == [run_id, run_id]
        assert all(place.is_relative_to(third / "artifacts") for place in places)
    assert sorted(p.name for p in (tmp_path / ODD).iterdir()) == ["second", "third"]
    assert {p.name for p in tmp_path.iterdir()} - {".locks"} == {ODD, "config.yaml"}
    caplog.clear()
    record(registry, second, "again")
    assert caplog.text == ""  # the original is where it was


def test_the_files_of_another_program_s_experiment_stay_where_it_wants_them(copied, tmp_path):
    place = (tmp_path / "not mounted" / "artifacts").as_uri()
    with sqlite3.connect(copied) as connection:
        connection.execute(
            "insert into experiments (experiment_id, name, lifecycle_stage, artifact_location)"
            " values (70, 'x', 'active', ?)",
            (place,),
        )
        connection.execute(
            "insert into runs (run_uuid, name, experiment_id, status, lifecycle_stage, start_time, artifact_uri)"
            " values ('theirs', 'theirs', 70, 'FINISHED', 'active', 1, ?)",
            (f"{place}/theirs/artifacts",),
        )
    with lock_store(copied):
        follow_move(copied)
    connection = sqlite3.connect(copied)
    (kept,) = connection.execute("select artifact_location from experiments where name = 'x'").fetchall()
    kept += connection.execute("select artifact_uri from runs where name = 'theirs'").fetchone()
    assert kept == (place, f"{place}/theirs/artifacts")
