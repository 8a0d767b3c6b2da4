"""One MLflow store with runs of every form, recorded by the tracker itself, and one run of another program."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from texprior import config
from texprior.evaluation.scores import Score, Scores
from texprior.plugin import Ref
from texprior.registry import Registry
from texprior.runtime.run_record import flatten_paths
from texprior.track import RunInfo

PICTURES = [f"p{i}" for i in range(8)]
A = np.array([30.0, 31.0, 29.0, 28.0, 33.0, 30.5, 27.5, 31.5])
B = A + np.array([0.5, -0.2, 0.3, 0.0, 0.4, 0.6, -0.1, 0.1])
"""psnr_rgb of two evaluations: the second is better on 5 pictures, equal on 1."""


@dataclass(frozen=True)
class Recorded:
    """The store's address, its folder, MLflow's client and name -> MLflow's id."""

    address: str
    folder: Path
    client: object
    ids: dict


def scores_of(psnr, method="restored 4 calls", degraded=25.0):
    pictures = list(zip(PICTURES, psnr, strict=False))
    found = [Score("degraded", p, "psnr_rgb", degraded) for p, _ in pictures]
    found += [Score(method, p, "psnr_rgb", float(v), 4, 1.0) for p, v in pictures]
    found += [
        Score(m, p, "lpips_alex", 0.3 if m == "degraded" else 0.2) for m in ("degraded", method) for p, _ in pictures
    ]
    return Scores(tuple(found), {"psnr_rgb": "higher", "lpips_alex": "lower"})


def pictures_into(folder, shift):
    (folder / "restored").mkdir(parents=True)
    for name in PICTURES[:3]:
        levels = np.full((80, 100, 3), 100, np.uint8)
        levels[50:60, 70:80] += np.uint8(shift)
        Image.fromarray(levels).save(folder / "restored" / f"{name}.png")


@pytest.fixture(scope="session")
def recorded(tmp_path_factory):
    folder = tmp_path_factory.mktemp("recorded")
    address = f"sqlite:///{folder}/mlflow.db"
    registry = Registry.discover()
    observer = registry.build("events", Ref(name="mlflow", options={"tracking_uri": address}))
    ids = {}

    def experiment(**more):
        return config.resolve({"name": "study", **more}, registry).model_dump(mode="json")

    def run(name, stage, summary=(), params=None, artifacts=(), status="finished", tags=(), parent=""):
        params = flatten_paths(experiment()) if params is None else params
        observer.run_started(
            RunInfo(f"id-{name}", "study", name, stage, parent, params, {"texprior.stage": stage, **dict(tags)})
        )
        for path in artifacts:
            observer.artifact(f"id-{name}", path)
        observer.run_finished(f"id-{name}", status, dict(summary), f"note of {name}")
        ids[name] = observer.where(f"id-{name}")["run_id"]

    def evaluation(name, psnr, **more):
        made, scores = folder / "made" / name, scores_of(psnr)
        made.mkdir(parents=True)
        scores.write(made / "scores.csv")
        return {"summary": scores.flat(), "artifacts": [made], **more}

    command = {"texprior.command": "texprior prior x.yaml"}
    run("prior-a", "prior", {"prior.loss": 0.5}, tags=command)
    wide = flatten_paths(experiment(denoiser={"unet": {"width": 16}}, sampling={"steps": 7}))
    run("first", "evaluation", **evaluation("first", A))
    run("second", "evaluation", **evaluation("second", B, params=wide))
    run("failed", "evaluation", status="failed")

    run("sweep", "sweep")
    for number, kernel in enumerate((1, 3)):
        trial = evaluation(f"trial-{number}", A + number)
        trial["summary"] = {"psnr_rgb": float(A.mean()) + number, "val.psnr_rgb": 1.0, "calls": 4.0}
        (trial["artifacts"][0] / "config.yaml").write_text(
            config.resolve({"name": "study", "adapter": {"cga": {"kernel": kernel}}}, registry).to_yaml()
        )
        run(f"trial {number}", "trial", params={"adapter.cga.kernel": kernel}, parent="id-sweep", **trial)

    for name, psnr, shift in (("cell-a", A, 0), ("cell-b", B, 90)):
        cell = evaluation(name, psnr)
        pictures_into(folder / "made" / name, shift)
        run(name, "cell", **cell)
    summary = folder / "made" / "summary.csv"
    summary.write_text(
        "arm,baseline,metric,better,pictures,trainings,mean,standard_error,seed_sd,difference,low,high\n"
        "plain_50%,plain_50%,psnr_rgb,higher,8,1,30,0.5,nan,,,\n"
        "wide,plain_50%,psnr_rgb,higher,8,1,30.25,0.5,nan,0.25,-0.1,0.6\n"
    )
    run("ablation", "ablation", {"winner/psnr_rgb": 30.25}, artifacts=[summary])

    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=address)
    other = client.create_run(
        client.create_experiment("other", artifact_location=f"file://{folder}/other"), run_name="foreign"
    )
    client.log_param(other.info.run_id, "lr", "0.1")
    client.log_metric(other.info.run_id, "accuracy", 0.9)
    ids["foreign"] = other.info.run_id
    return Recorded(address, folder, client, ids)


@pytest.fixture
def ask(texprior, recorded, tmp_path, monkeypatch):
    """Runs a command of ``texprior runs`` on the store."""
    monkeypatch.setenv("TEXPRIOR_RUNS", str(tmp_path / "empty"))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)

    def call(*arguments):
        return texprior("runs", *arguments, "--store", recorded.address)

    return call
