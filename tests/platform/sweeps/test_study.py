"""The study in Optuna's storage: which trials are comparable, what it holds, and what is said of a change."""

import re
import sqlite3

import pytest

from texprior.errors import ConfigError
from texprior.sweeps.ask_tell import run_trials
from texprior.sweeps.storage import connect, default_storage
from texprior.sweeps.study import programs_of, study_name

CURVE = {"sampling.texture_strength": {"low": 0, "high": 2}, "sampling.steps": {"low": 1, "high": 20}}


def test_another_space_is_another_study_and_another_experiment_is_refused(registry, storage, made, swept):
    first, _ = swept(made(registry, CURVE), registry, storage, 2)
    wider = made(registry, {**CURVE, "sampling.rho": [5, 7]})
    other, told = swept(wider, registry, storage, 2)
    assert other.study != first.study
    assert len(told) == 2
    assert other.study == study_name(wider)
    changed = made(registry, CURVE, sampling={"rho": 5.0})
    with pytest.raises(
        ConfigError, match=r"another experiment: sampling.rho was 7.0 and is 5.0; give this one another"
    ):
        swept(changed, registry, storage, 2)
    assert swept(made(registry, CURVE, threads=1, device="cpu"), registry, storage, 2)[1] == []


def test_trials_on_another_prior_are_refused(registry, storage, made, distance, setup):
    def stood_on(content):
        shared = {"prior's sha256": content}
        return run_trials(
            setup(made(registry, CURVE), registry, storage, 2, shared=shared or {}), distance, lambda _: None
        )

    assert len(stood_on("aa").trials) == len(stood_on("aa").trials) == 2
    with pytest.raises(ConfigError, match="another experiment: prior's sha256 was aa and is bb"):
        stood_on("bb")


@pytest.mark.parametrize(
    "broken",
    [
        "sqlite:////nowhere/at/all/x.db",
        "not an address",
        "nosuchdatabase://me:secret@host/x",
        "postgresql://me:secret@127.0.0.1:1/x",
        "postgresql+psycopg://me@127.0.0.1:1/x?password=secret",
    ],
)
def test_a_storage_that_cannot_be_used_is_said_in_a_sentence(registry, broken, made, swept):
    with pytest.raises(ConfigError, match=r"^Optuna's storage .* cannot be used: ") as caught:
        swept(made(registry, CURVE), registry, broken, 1)
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_default_storage_lies_beside_the_runs(registry, tmp_path, monkeypatch, made, swept):
    monkeypatch.setenv("TEXPRIOR_RUNS", str(tmp_path / "runs"))
    assert default_storage() == f"sqlite:///{tmp_path}/runs/optuna.db"
    swept(made(registry, CURVE), registry, default_storage(), 1)
    assert (tmp_path / "runs" / "optuna.db").is_file()


@pytest.mark.parametrize("name", ["c?d=1", "e%20f", "a b", "ä#x", "a{b}"])
def test_the_default_storage_lies_beside_runs_of_any_name(registry, tmp_path, monkeypatch, made, name):
    monkeypatch.setenv("TEXPRIOR_RUNS", str(tmp_path / name / "runs"))
    connect(default_storage())
    assert [p.name for p in tmp_path.iterdir()] == [name]
    assert (tmp_path / name / "runs" / "optuna.db").is_file()


def test_a_storage_that_is_another_file_than_it_seems_is_refused(registry, tmp_path, monkeypatch, made, swept):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match="write a '\\?' of a path as %3F"):
        swept(made(registry, CURVE), registry, "sqlite:///c?d=1/sweep.db", 1)
    assert list(tmp_path.iterdir()) == []


def test_several_objectives_give_their_front(registry, storage, made, both):
    """Up to 20 steps every trial is on the front; beyond, more steps are worse in both."""
    dimensions = {"sampling.steps": {"low": 16, "high": 25}}
    experiment = made(registry, dimensions, sweep_also=["cost"])
    result, _ = both(experiment, registry, storage, 10)
    assert [t.params["sampling.steps"] for t in result.front] == [20, 19, 18, 17, 16]
    assert result.best.params == {"sampling.steps": 20}
    assert study_name(experiment).endswith("-score-cost")


def test_a_journal_is_a_storage(registry, tmp_path, made, swept):
    storage = f"journal:{tmp_path}/sweep.log"
    first, _ = swept(made(registry, CURVE), registry, storage, 3)
    again, told = swept(made(registry, CURVE), registry, storage, 4)
    assert len(told) == 1
    assert again.trials[:3] == first.trials


def test_a_space_that_changed_is_said(registry, storage, made, distance, swept, setup):
    swept(made(registry, CURVE), registry, storage, 1)
    said = []
    wider = {**CURVE, "sampling.steps": {"low": 1, "high": 40}, "sampling.rho": [5, 7]}
    run_trials(setup(made(registry, wider), registry, storage, 1), distance, print, said.append)
    (sentence,) = said
    assert "sampling.steps: 1 to 20 -> 1 to 40; sampling.rho: not searched -> 5.0, 7.0" in sentence
    assert sentence.endswith("this is a new study")


@pytest.mark.parametrize("named", [True, False])
def test_an_experiment_whose_name_begins_alike_has_other_studies(
    registry, storage, made, swept, setup, distance, named
):
    """Studies of earlier versions have no name of their experiment, but the hash of their space."""
    swept(made(registry, CURVE, name="study-b"), registry, storage, 1)
    if not named:
        with sqlite3.connect(storage.removeprefix("sqlite:///")) as database:
            database.execute("DELETE FROM study_user_attributes WHERE key = 'name'")
    said = []
    wider = {**CURVE, "sampling.rho": [5, 7]}
    run_trials(setup(made(registry, wider), registry, storage, 1), distance, print, said.append)
    assert said == []


def test_programs_that_changed_are_said(registry, storage, made, distance, setup):
    said = []
    for programs in (["adapter gate/gate 1"], ["adapter gate/gate 2", "degradation acme/rain 1"]):
        result = run_trials(
            setup(made(registry, CURVE), registry, storage, 1, programs=programs), distance, print, said.append
        )
        assert [t.state for t in result.trials] == ["finished"]
    (sentence,) = said
    assert re.fullmatch(
        r"adapter gate/gate, degradation acme/rain: not the program that study study-\S+ used: this is a new study",
        sentence,
    )


def test_a_study_is_of_the_programs_that_its_trials_use(package):
    """Also of an adapter that only some trials have; texprior's own components are not named."""
    program, session = package
    plain = session(sweep={"space": {"adapter": ["cga", "sft"]}})
    assert programs_of(plain) == []
    searching = session(sweep={"space": {"adapter": ["cga", "gate"]}})
    before = programs_of(searching)
    name = study_name(searching.experiment, before)
    assert [tag.rpartition(" ")[0] for tag in before] == ["adapter acme-dusk/gate"]
    program.write_text("class Gate: open = True\n")
    assert study_name(searching.experiment, programs_of(searching)) != name
    assert study_name(searching.experiment) not in (name, study_name(plain.experiment))
