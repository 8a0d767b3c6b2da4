"""``texprior runs list``, and how a run is found, on a real store."""

import io
import json
import re
import shutil
import sqlite3

import pytest

from texprior.cli.commands.runs import listing
from texprior.cli.commands.runs.finding import find_run
from texprior.cli.commands.runs.store import open_store
from texprior.errors import ConfigError, TexpriorError

NAMES = [
    "prior-a",
    "first",
    "second",
    "failed",
    "sweep",
    "trial 0",
    "trial 1",
    "cell-a",
    "cell-b",
    "ablation",
    "foreign",
]


def names(answer):
    assert answer.code == 0, answer.err
    return [row["name"] for row in answer.json]


def test_all_runs_newest_first_with_what_they_are(ask, recorded):
    listed = ask("list", "--json")
    assert sorted(names(listed)) == sorted(NAMES)
    started = [row["started"] for row in listed.json]
    assert started == sorted(started, reverse=True)
    rows = {row["name"]: row for row in listed.json}
    assert rows["trial 0"]["parent"] == rows["sweep"]["id"] == recorded.ids["sweep"]
    assert (rows["first"]["kind"], rows["first"]["folder_name"]) == ("evaluation", "id-first")
    assert (rows["foreign"]["kind"], rows["foreign"]["experiment"]) == ("", "other")
    assert rows["first"]["metrics"]["restored 4 calls/psnr_rgb"] == 30.0625


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        (["--kind", "trial"], ["trial 0", "trial 1"]),
        (["--experiment", "other"], ["foreign"]),
        (["--status", "failed"], ["failed"]),
        (["--status", "pruned"], []),
        (["--kind", "prior", "--since", "1h"], ["prior-a"]),
        (["--kind", "prior", "--since", "2999-01-01"], []),
        (["--where", "accuracy>0.5"], ["foreign"]),
        # a trial's own metric, the row of restored pictures of an evaluation, and the winner of an ablation
        (["--where", "psnr_rgb>30.2"], ["ablation", "cell-b", "second", "trial 1"]),
        (["--where", "psnr_rgb>30.2", "--where", "lpips_alex<0.1"], []),
        # by the component, one of whose keys is recorded
        (["--where", "psnr>30.2"], ["ablation", "cell-b", "second", "trial 1"]),
        (["--where", "ssim>0"], []),
        (["--where", "degraded/psnr_rgb=25", "--kind", "cell"], ["cell-a", "cell-b"]),
        (["--tag", "texprior.command=texprior prior x.yaml"], ["prior-a"]),
    ],
)
def test_filters(ask, filters, expected):
    assert sorted(names(ask("list", *filters, "--json"))) == expected


def test_a_store_that_cannot_name_its_metrics_finds_the_same(ask, monkeypatch):
    monkeypatch.setattr("texprior.cli.commands.runs.store.Store.metric_names", lambda _store, _beginning: None)
    where = ["--where", "psnr_rgb>30.2", "--where", "lpips_alex<0.3"]
    # the cell has rows of methods too, but no server is asked for its kind
    assert names(ask("list", *where, "--json")) == ["second"]


def test_the_limit_takes_the_newest_and_says_that_there_are_more(ask):
    whole = names(ask("list", "--json", "--limit", "0"))
    assert names(ask("list", "--json", "--limit", "3")) == whole[:3]
    answer = ask("list", "--limit", "3")
    assert "there are more; --limit 6" in answer.err
    assert len([line for line in answer.out.splitlines() if "2" in line]) == 3


def test_pages_are_read_to_the_end(recorded, monkeypatch):
    monkeypatch.setattr("texprior.cli.commands.runs.store.PAGE", 2)
    assert len(list(open_store(recorded.address).search())) == len(NAMES)


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize("columns", [60, 140])
def test_a_row_is_readable_at_the_width_of_the_terminal(recorded, monkeypatch, columns):
    runs = list(open_store(recorded.address).search())
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setattr("sys.stdout", out := Terminal())
    listing._show(runs, [])
    lines = re.sub(r"\x1b\[[\d;]*m", "", out.getvalue()).splitlines()
    assert max(map(len, lines)) <= columns
    (line,) = (line for line in lines if recorded.ids["first"][:8] in line)
    assert "evaluation" in line
    assert "first" in line
    assert ("restored 4 calls/psnr_rgb" in line) == (columns == 140)


def test_a_run_is_found_by_its_id_its_folder_and_its_name(recorded):
    store, id_ = open_store(recorded.address), recorded.ids["first"]
    for word in (id_, id_[:12], id_[:12].upper(), "id-first", "some/where/id-first", "id-first/", "first"):
        assert find_run(store, word).id == id_


def test_a_word_that_fits_no_run_or_several_is_a_sentence(ask, recorded):
    answer = ask("show", "nobody")
    assert (answer.code, answer.out) == (2, "")
    assert "there is no run 'nobody'; 'texprior runs list' shows what is there" in answer.err
    with pytest.raises(ConfigError, match="RUN: expected an id"):
        find_run(open_store(recorded.address), " ")
    # of eleven ids in hexadecimal, some first digit may be that of one run only, but not that of all
    digits = [id_[0] for id_ in recorded.ids.values()]
    common = next((d for d in digits if digits.count(d) > 1), None)
    if common:
        several = ask("show", common)
        assert several.code == 2
        assert f"'{common}' fits several runs; give the beginning of an id" in several.err


def test_two_runs_of_one_name_are_both_named(ask, recorded):
    experiment = recorded.client.get_experiment_by_name("other").experiment_id
    twins = [recorded.client.create_run(experiment, run_name="twin").info.run_id for _ in range(2)]
    try:
        answer = ask("show", "twin")
    finally:
        for twin in twins:
            recorded.client.delete_run(twin)
    assert answer.code == 2
    assert all(twin[:8] in answer.err for twin in twins)
    assert "of another tool: twin" in answer.err


def test_what_is_no_store_is_a_sentence_and_stays_as_it_is(texprior, tmp_path, runs):
    missing = texprior("runs", "list")
    assert (missing.code, missing.out) == (2, "")
    assert "there are no runs yet" in missing.err
    assert not (runs / "mlflow.db").exists()
    (tmp_path / "text.db").write_text("no database at all, of more than a few bytes " * 30)
    foreign = tmp_path / "foreign.db"
    with sqlite3.connect(foreign) as connection:
        connection.execute("CREATE TABLE studies (x)")
    before = foreign.read_bytes()
    for name in ("text.db", "foreign.db"):
        answer = texprior("runs", "list", "--store", f"sqlite:///{tmp_path / name}")
        assert answer.code == 2
        assert "this is no MLflow store" in answer.err
    assert foreign.read_bytes() == before
    answer = texprior("runs", "list", "--store", "moon://x")
    assert answer.code == 2
    assert "moon://x: this MLflow store cannot be opened" in answer.err


def test_a_store_of_another_mlflow_is_refused_and_not_changed(texprior, recorded, tmp_path):
    shutil.copy(recorded.folder / "mlflow.db", tmp_path / "mlflow.db")
    with sqlite3.connect(tmp_path / "mlflow.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = 'older'")
    before = (tmp_path / "mlflow.db").read_bytes()
    answer = texprior("runs", "list", "--store", f"sqlite:///{tmp_path}/mlflow.db")
    assert answer.code == 2
    assert "another version of MLflow made this store" in answer.err
    assert (tmp_path / "mlflow.db").read_bytes() == before


def test_of_two_stores_the_other_one_is_named(texprior, recorded, runs, monkeypatch):
    runs.mkdir()
    shutil.copy(recorded.folder / "mlflow.db", runs / "mlflow.db")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", recorded.address)
    answer = texprior("runs", "list", "--kind", "prior", "--json")
    assert [row["name"] for row in json.loads(answer.out)] == ["prior-a"]
    assert f"has another store: --store sqlite:///{runs}/mlflow.db" in answer.err
    unknown = texprior("runs", "show", "nobody")
    assert f"or look in the store of the folder of the runs: --store sqlite:///{runs}/mlflow.db" in unknown.err


def test_a_server_that_is_not_there_is_a_sentence_without_its_password(texprior, monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    answer = texprior("runs", "list", "--store", "http://me:S3cret@127.0.0.1:9")
    assert (answer.code, answer.out) == (1, "")
    assert "S3cret" not in answer.err
    assert "127.0.0.1" in answer.err


def test_what_mlflow_refuses_is_a_sentence(recorded):
    def no_package():
        raise ModuleNotFoundError("No module named 'boto3'")

    with pytest.raises(TexpriorError, match="MLflow says: No module named 'boto3'"):
        open_store(recorded.address).ask(no_package)
