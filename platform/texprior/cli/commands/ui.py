"""Implements ``texprior ui``, which starts MLflow's UI on the store in use."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import ProxyHandler, Request, build_opener

import click

from texprior.addresses import checked_address, page_address, redact, sqlite_file
from texprior.cli.output import emit, keep_stdout_for_json, say
from texprior.cli.ui_address import HOST, PORT, announced
from texprior.errors import ConfigError, TexpriorError
from texprior.store import runs_root

READY_S, END_S = 180.0, 15.0
"""Time limits, s, for the server to answer and to end. On two idle cores it answers after 10 to 13 s."""


@click.command()
@click.option("--port", type=click.IntRange(1, 65535), default=PORT, show_default=True)
@click.option(
    "--store", metavar="URI", help="MLflow's store; MLFLOW_TRACKING_URI, else mlflow.db of the runs, if not given."
)
@click.option(
    "--check",
    is_flag=True,
    callback=keep_stdout_for_json,
    help="Start the UI, wait until it answers, print its address as JSON, and stop it.",
)
def ui(port: int, store: str | None, check: bool) -> None:
    """Start the MLflow UI on the store in use; Ctrl-C ends it."""
    from texprior.track.embedded import store_in_use

    uri = checked_address(store) if store else store_in_use()
    if uri.startswith(("http://", "https://")):
        say(f"the store in use is a server; its UI is at {page_address(uri)}")
        if check:
            emit({"url": page_address(uri), "store": redact(uri)})
        return

    with _serving(uri, port) as (server, url):
        if check:
            emit({"url": url, "store": redact(uri), "links": _links(url)})
            return
        click.echo(f"{url}\nshows {redact(uri)}; Ctrl-C ends it")
        with contextlib.suppress(KeyboardInterrupt):
            for name, link in _links(url).items():
                click.echo(f"{name}: {link}")
            if server.wait():
                raise TexpriorError(f"MLflow's server ended with code {server.returncode}")


@contextmanager
def _serving(uri: str, port: int) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """Starts MLflow's server and yields it with its address when it answers.

    At the end, ends the server with all of its processes.
    """
    # Both are checked first: MLflow would create an empty database, and report a busy port only in its log.
    database = sqlite_file(uri)
    if database is not None and not database.is_file():
        raise ConfigError(f"{database}: there are no runs yet; 'texprior demo' or any training makes this store")
    _require_free(port)

    command = [sys.executable, "-m", "mlflow", "server", "--host", HOST, "--port", str(port), "--workers", "1"]
    if database is not None:
        command += ["--artifacts-destination", _ready_artifacts(database).as_uri()]
    # Every user of this machine can read a command line, and the address may hold a password.
    settings = {"MLFLOW_BACKEND_STORE_URI": uri}
    # Without job execution and with one worker the server needs 2 processes and 300 MB instead of 10 and 2.5 GB.
    settings |= {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}

    # A session of its own keeps Ctrl-C from reaching the server, which ``keeper`` ends if this process is killed.
    log = runs_root() / "ui.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as out:
        server = subprocess.Popen(
            [sys.executable, "-m", "texprior.cli.keeper", str(END_S), *command],
            env={**os.environ, **settings},
            stdout=out,
            stderr=subprocess.STDOUT,
            stdin=subprocess.PIPE,
            start_new_session=True,
        )

    try:
        url = f"http://{HOST}:{port}"
        _wait_until_healthy(server, url, log)
        with announced(uri, url):
            yield server, url
    finally:
        _end(server)


def _ready_artifacts(database: Path) -> Path:
    """Returns the folder of the store's files, after their addresses have followed a move of the store.

    Also waits for a process that is making the store at this moment.
    """
    from texprior.track.embedded import artifacts_of, follow_move, lock_store

    with lock_store(database):
        follow_move(database)
    return artifacts_of(database)


def _links(url: str) -> dict[str, str]:
    """Returns name -> address: for each experiment, its runs and the charts of all runs.

    The address of the charts orders by a metric, because only then MLflow lists nested runs flat. Else the page of
    charts is empty.
    """
    request = Request(
        f"{url}/api/2.0/mlflow/experiments/search",
        data=b'{"max_results": 100}',
        headers={"Content-Type": "application/json"},
    )
    with _open(request, timeout=30) as answer:
        experiments = json.load(answer).get("experiments", [])
    links = {}
    for experiment in experiments:
        page = f"{url}/#/experiments/{experiment['experiment_id']}/runs?workflowType=machine_learning"
        if experiment["name"] != "Default":
            links[experiment["name"]] = page
            flat = "&compareRunsMode=CHART&orderByKey=metrics.%60images_seen%60&orderByAsc=false"
            links[f"{experiment['name']}, charts of all runs"] = page + flat
    return links


_open = build_opener(ProxyHandler({})).open
"""Opens an address without a proxy: the server is on this machine, where a configured proxy cannot reach it."""


def _require_free(port: int) -> None:
    with socket.socket() as probe:
        # Without SO_REUSEADDR, a port counts as busy for a minute after a server on it has ended.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise ConfigError(
                f"port {port} of {HOST} cannot be used ({error.strerror}); choose another with --port"
            ) from None


def _wait_until_healthy(server: subprocess.Popen[bytes], url: str, log: Path) -> None:
    say("starting MLflow's server ...")
    end = time.monotonic() + READY_S
    while time.monotonic() < end:
        if server.poll() is not None:
            raise TexpriorError(f"MLflow's server ended with code {server.returncode}; its output is in {log}")
        with contextlib.suppress(OSError), _open(f"{url}/health", timeout=2) as answer:
            if answer.status == 200:
                return
        time.sleep(0.25)
    raise TexpriorError(f"MLflow's server did not answer within {READY_S:.0f} s; its output is in {log}")


def _end(server: subprocess.Popen[bytes]) -> None:
    """Ends the server and its workers: its keeper does it, and after ``END_S`` and a little more SIGKILL."""
    if server.stdin is not None:
        server.stdin.close()
    # A second Ctrl-C does not wait any longer.
    with contextlib.suppress(subprocess.TimeoutExpired, KeyboardInterrupt):
        server.wait(END_S + 5)
        return
    with contextlib.suppress(ProcessLookupError):
        os.killpg(server.pid, signal.SIGKILL)
    server.wait()
