"""A store that fails while a run is going on, for real: a server that is killed, and a disk that is full."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.request import urlopen

import pytest
import torch

from texprior.plugin import Ref
from texprior.track import RunInfo, Tracker
from texprior.track.resend import read_unsent, resend_events, unsent_folders
from texprior.track.unsent import Unsent

BEGIN_S = 120


@pytest.fixture
def database(store, registry, tmp_path):
    """A store of this test's own, copied from one that has its tables."""
    source = Path(store.removeprefix("sqlite:///"))
    if not source.is_file():
        registry.build("events", Ref(name="mlflow", options={"tracking_uri": store})).run_started(
            RunInfo("made", "made", "made", "prior")
        )
    shutil.copy(source, tmp_path / "mlflow.db")
    return tmp_path / "mlflow.db"


def serve(database, port):
    command = [sys.executable, "-m", "mlflow", "server", "--workers", "1", "--host", "127.0.0.1", "--port", str(port)]
    command += [
        "--backend-store-uri",
        f"sqlite:///{database}",
        "--artifacts-destination",
        str(database.parent / "kept"),
    ]
    environment = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    server = subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    end = time.monotonic() + BEGIN_S
    while time.monotonic() < end and server.poll() is None:
        try:
            if urlopen(f"http://127.0.0.1:{port}/health", timeout=2).status == 200:
                return server
        except OSError:
            time.sleep(0.2)
    kill(server)
    pytest.fail("MLflow's server did not start")


def kill(server):
    os.killpg(server.pid, signal.SIGKILL)
    server.wait()


def tracker(observer, root):
    return Tracker({"mlflow": observer}, {"mlflow": Unsent(root / "unsent", {"mlflow": {}})})


def test_a_server_killed_in_the_middle_of_a_run_costs_no_value_and_no_minute(
    registry, database, tmp_path, monkeypatch, caplog, capfd
):
    """Its address holds a password, which nobody is shown and no file keeps."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = serve(database, port)
    try:
        uri = f"http://127.0.0.1:{port}"
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://me:S3cret@127.0.0.1:{port}")
        observer = registry.build("events", Ref(name="mlflow", options={"flush_every_s": 0.001}))
        told = tracker(observer, tmp_path)
        picture = torch.arange(12.0).reshape(3, 2, 2) / 16
        (tmp_path / "scores.csv").write_text("a,b\n")
        with told.run(RunInfo("cut", "cut study", "cut", "prior", params={"lr": 0.1})) as run:
            for images in (16, 32):
                run.step(images, loss=1 / images)
            assert run.where()["tracking_uri"] == f"http://me:***@127.0.0.1:{port}"
            kill(server)
            time.sleep(0.6)  # the observer looks twice a second whether its server is there
            started = time.monotonic()
            for images in (48, 64):
                run.step(images, loss=1 / images)
            run.image("sheet", picture, 64)
            run.artifact(tmp_path / "scores.csv")
            run.summary["best"] = 0.5
        assert time.monotonic() - started < 60  # MLflow alone would retry for minutes
        assert "cannot be reached" in told.broken["mlflow"]
        (folder,) = unsent_folders(tmp_path)
        assert not [path for path in tmp_path.rglob("*") if path.is_file() and b"S3cret" in path.read_bytes()]
        server = serve(database, port)
        later = registry.build("events", Ref(name="mlflow"))
        resend_events(read_unsent(folder), later)
        from mlflow import MlflowClient

        client = MlflowClient(tracking_uri=uri)
        experiment = client.get_experiment_by_name("cut study")
        (found,) = client.search_runs([experiment.experiment_id])
        history = [(m.step, m.value) for m in client.get_metric_history(found.info.run_id, "loss")]
        assert history == [(images, 1 / images) for images in (16, 32, 48, 64)]
        assert (found.info.status, found.data.params, found.data.metrics["best"]) == ("FINISHED", {"lr": "0.1"}, 0.5)
        names = [f.path for f in client.list_artifacts(found.info.run_id)]
        assert names == ["images", "scores.csv"]
        (png,) = [f.path for f in client.list_artifacts(found.info.run_id, "images") if f.path.endswith(".png")]
        from texprior.flow.image import load_image

        shown = load_image(client.download_artifacts(found.info.run_id, png, str(tmp_path / "back")))
        assert shown.mul(255).round().equal(picture.mul(255).round())
        assert not [path for path in tmp_path.rglob("*") if path.is_file() and b"S3cret" in path.read_bytes()]
        assert "S3cret" not in "".join([caplog.text, *capfd.readouterr()])
    finally:
        kill(server)


FULL = """
import shutil, sys
from pathlib import Path
import torch
import texprior_plugins.events as module
from texprior.plugin import Ref
from texprior.registry import Registry
from texprior.track.resend import read_unsent, resend_events, unsent_folders
from texprior.track import RunInfo, Tracker
from texprior.track.unsent import Unsent
small, root = Path(sys.argv[1]), Path(sys.argv[2])
shutil.copy(root / "mlflow.db", small / "mlflow.db")
registry = Registry()
registry.register(module)
options = {"tracking_uri": f"sqlite:///{small}/mlflow.db", "flush_every_s": 0.001}
observer = registry.build("events", Ref(name="mlflow", options=options))
told = Tracker({"mlflow": observer}, {"mlflow": Unsent(root / "unsent", {"mlflow": {}})})
with told.run(RunInfo("full", "full study", "full", "prior")) as run:
    run.step(16, loss=0.5)
    try:
        (small / "filler").write_bytes(bytes(2**26))
    except OSError as error:
        print("filled:", error.strerror)
    for images in range(32, 16 * 200, 16):
        run.step(images, **{f"loss{i}": 0.25 for i in range(40)})
    run.image("sheet", torch.rand(3, 64, 64), 32)
(small / "filler").unlink()
print("broken:", told.broken["mlflow"])
(folder,) = unsent_folders(root)
fresh = registry.build("events", Ref(name="mlflow", options=options))
resend_events(read_unsent(folder), fresh)
from mlflow import MlflowClient
client = MlflowClient(tracking_uri=options["tracking_uri"])
(found,) = client.search_runs([client.get_experiment_by_name("full study").experiment_id])
steps = sorted({m.step for m in client.get_metric_history(found.info.run_id, "loss7")})
print("steps:", len(steps), steps == list(range(32, 16 * 200, 16)))
print("status:", found.info.status, [f.path for f in client.list_artifacts(found.info.run_id)])
"""


def test_a_full_disk_costs_no_value(database, tmp_path):
    """A tmpfs of 8 MB holds the store; what does not fit is kept on another disk and sent when there is room."""
    small = tmp_path / "small"
    small.mkdir()
    mount = [
        "unshare",
        "--map-root-user",
        "--mount",
        "sh",
        "-c",
        'mount -t tmpfs -o size=8m none "$1" && shift && "$@"',
    ]
    if shutil.which("unshare") is None or subprocess.run([*mount, "sh", small, "true"], capture_output=True).returncode:
        pytest.skip("no small file system can be mounted here")
    command = [*mount, "sh", small, sys.executable, "-c", FULL, small, tmp_path]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "filled: No space left on device"
    assert "disk is full" in lines[1] or "No space left" in lines[1]
    assert lines[2:] == ["steps: 198 True", "status: FINISHED ['images']"]
