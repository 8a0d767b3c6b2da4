"""The address in the links that commands print: the port in use, if a UI runs on the store."""

import json
import socket

import pytest

from texprior.cli.ui_address import announced, ui_address


@pytest.fixture
def runs(tmp_path, monkeypatch):
    monkeypatch.setenv("TEXPRIOR_RUNS", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def listening():
    """The address of a server on a free port."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def test_a_ui_that_runs_on_the_store_is_linked_by_its_port(runs, listening):
    store = f"sqlite:///{runs / 'mlflow.db'}"
    assert ui_address(store) == "http://127.0.0.1:5000"
    with announced(store, listening):
        assert ui_address(store) == listening
        assert ui_address("sqlite:///mlflow.db") == listening  # the same file
        assert ui_address("sqlite:///other.db") == "http://127.0.0.1:5000"
    assert ui_address(store) == "http://127.0.0.1:5000"
    assert not (runs / "ui.json").exists()


def test_the_note_of_a_ui_that_was_killed_is_not_believed(runs, listening):
    with announced("sqlite:///mlflow.db", listening):
        note = (runs / "ui.json").read_text()
    with socket.create_server(("127.0.0.1", 0)) as server:
        closed = server.getsockname()[1]
    (runs / "ui.json").write_text(json.dumps({**json.loads(note), "url": f"http://127.0.0.1:{closed}"}))
    assert ui_address("sqlite:///mlflow.db") == "http://127.0.0.1:5000"
    (runs / "ui.json").write_text("[broken")
    assert ui_address("sqlite:///mlflow.db") == "http://127.0.0.1:5000"


def test_a_server_is_its_own_address_and_no_password_is_stored(runs, listening):
    assert ui_address("https://mlflow.example") == "https://mlflow.example"
    with announced("postgresql://user:secret@host/db", listening):
        assert "secret" not in (runs / "ui.json").read_text()
        assert ui_address("postgresql://user:secret@host/db") == listening
