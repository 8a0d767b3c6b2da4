"""Addresses: made and read by the library that opens them, and shown without credentials."""

import sqlite3
from pathlib import Path

import pytest
import sqlalchemy

from texprior.addresses import checked_address, page_address, redact, sqlite_address, sqlite_file
from texprior.errors import ConfigError

NAMES = ["c?d=1", "e%20f", "a b", "ä#x", "u:p@h", "a{b}", "plain"]


@pytest.mark.parametrize("name", NAMES)
def test_the_address_of_a_file_opens_that_file(tmp_path, name):
    path = tmp_path / name / "runs.db"
    path.parent.mkdir()
    address = sqlite_address(path)
    with sqlalchemy.create_engine(address).begin() as connection:
        connection.exec_driver_sql("create table t (a)")
    assert sqlite3.connect(path).execute("select name from sqlite_master").fetchall() == [("t",)]
    assert [p.name for p in tmp_path.iterdir()] == [name]
    assert sqlite_file(address) == path
    assert checked_address(address) == address


def test_other_addresses_are_no_files():
    for address in ("sqlite://", "sqlite:///:memory:", "postgresql://h/d", "http://h:1", "journal:a.log", "nonsense"):
        assert sqlite_file(address) is None
        assert checked_address(address) == address


def test_a_relative_address_stays_relative():
    assert checked_address("sqlite:///a/b.db?timeout=5") == "sqlite:///a/b.db?timeout=5"
    assert sqlite_file("sqlite:///a/b.db?timeout=5") == Path("a/b.db")


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("sqlite:///c?d=1/s.db", "SQLite has no setting named 'd'; write a '?' of a path as %3F"),
        ("sqlite:///c?/s.db", "no setting follows; write a '?' of a path as %3F"),
        ("sqlite:///e%20f/s.db", "this is the address of e f/s.db; write a '%' of a path as %25"),
    ],
)
def test_an_address_that_is_another_file_than_it_seems_is_refused(tmp_path, monkeypatch, address, said):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "e%20f").mkdir()
    with pytest.raises(ConfigError) as caught:
        checked_address(address)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("http://me:S3cret@host:5000/a", "http://me:***@host:5000/a"),
        ("https://S3cret@host/x", "https://***@host/x"),
        ("https://:S3cret@host/x", "https://:***@host/x"),
        ("postgresql+psycopg://me:S3/c@ret@host/db", "postgresql+psycopg://me:***@host/db"),
        ("postgresql://host/db?user=me&password=S3cret", "postgresql://host/db?user=me&password=***"),
        ("POSTGRESQL://me:S3cret@host", "POSTGRESQL://me:***@host"),
        ("http://h/a?access_token=S3cret&b=1#c", "http://h/a?access_token=***&b=1#c"),
        ("user=me password='S3 cret' host=h", "user=me password=*** host=h"),
        (
            "cannot reach 'mysql://a:S3cret@h/d' or http://b:S3cret@h",
            "cannot reach 'mysql://a:***@h/d' or http://b:***@h",
        ),
        ("redis://:S3cret@h", "redis://:***@h"),
    ],
)
def test_credentials_are_not_shown(text, shown):
    assert redact(text) == shown
    assert redact(shown) == shown


@pytest.mark.parametrize(
    "text",
    [
        "http://127.0.0.1:5000/#/compare-runs?runs=%5B%22a%22%5D",
        "http://host:5000/a@b?c=d@e",
        "postgresql+psycopg://me@host:5432/db",
        "sqlite:////a/b.db?timeout=5",
        "error: training.prior.batch=3: give one@example.org a call: 1",
        "journal:sweep.log",
        "--set adapter.mine.token=32",
    ],
)
def test_what_has_no_credentials_stays_as_it_is(text):
    assert redact(text) == text


def test_the_page_of_a_server_opens_without_its_credentials():
    assert page_address("https://me:***@host:5000/mlflow/?token=a") == "https://host:5000/mlflow"
    assert page_address("http://127.0.0.1:9") == "http://127.0.0.1:9"
