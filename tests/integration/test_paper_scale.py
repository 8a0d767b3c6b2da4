"""The experiments at the poster's scale: they resolve, their sizes are what their README says, and their twins run."""

import re
from pathlib import Path

import pytest
import torch
import yaml

from texprior import config
from texprior.evaluation.evaluate import evaluate
from texprior.flow.image import load_image, save_image
from texprior.flow.kinds import PREDICTOR
from texprior.models.build import build_adapter, build_prior, count_parameters
from texprior.models.folders import load_model
from texprior.registry import Registry
from texprior.runtime.session import Session
from texprior.training.adapter import train_adapter
from texprior.training.predictor import train_predictor
from texprior.training.prior import train_prior

TASKS = ("outdoor-rain", "raindrop", "snow", "defocus")


@pytest.fixture(scope="module")
def registry():
    return Registry.discover()


@pytest.fixture(scope="module")
def folder(repository):
    return repository / "experiments" / "paper-scale"


def laid(folder, name, data):
    """A file of the study with the twin's values over it, and other pictures."""
    twin = yaml.safe_load((folder / "twin.yaml").read_text())
    return {"extends": str(folder / f"{name}.yaml"), **twin, "data": {**data, "cache_mb": 256}}


def loaded(tmp_path, registry, folder, name, data):
    path = tmp_path / f"{name}.yaml"
    path.write_text(yaml.safe_dump(laid(folder, name, data)))
    return Session(config.load(path, registry), registry, root=tmp_path / "runs")


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    """Crops of a bundled photograph, and darker versions of them."""
    from texprior_plugins.dataset.bundled import PHOTOGRAPHS

    root = tmp_path_factory.mktemp("pairs")
    picture = load_image(PHOTOGRAPHS["chelsea"].path)
    for split, left in {"train": 0, "val": 150}.items():
        crop = picture[:, :80, left : left + 96]
        save_image(crop, root / split / "clean" / "a.png")
        save_image(crop / 2, root / split / "degraded" / "a.png")
    return {s: {"paired": {n: str(root / s / n) for n in ("degraded", "clean")}} for s in ("train", "val")}


@pytest.fixture(scope="module")
def prior(tmp_path_factory, registry, folder):
    clean = {split: {"bundled": {"max_side": 96}} for split in ("train", "val", "test")}
    session = loaded(tmp_path_factory.mktemp("prior"), registry, folder, "stage1", clean)
    return train_prior(session).folder


@pytest.mark.parametrize("task", TASKS)
def test_the_twin_of_a_task_runs(tmp_path, registry, folder, prior, pairs, task):
    session = loaded(tmp_path, registry, folder, task, {**pairs, "test": pairs["val"]})
    session = session.with_(
        experiment=session.experiment.model_copy(
            update={"evaluation": session.experiment.evaluation.model_copy(update={"split": "val"})}
        )
    )
    predictor = train_predictor(session).folder
    model = train_adapter(session, prior, predictor).folder
    scores = evaluate(session, load_model(model, session.builder, prior)).scores.means()
    assert scores["degraded"]["psnr_rgb"] < 20  # half the light
    assert scores["restored 1 calls"]["psnr_rgb"] > 0


def test_the_sizes_are_those_of_the_readme(registry, folder):
    """Parameters, and what one more picture adds to the tensors that the backward pass keeps, MB (2^20 bytes)."""
    experiment = config.load(folder / "stage1.yaml", registry, ["events=[]", "device=cpu"])
    session = Session(experiment, registry)
    prior = build_prior(session.builder, 1.0, Path())
    predictor, adapter = session.build(PREDICTOR), build_adapter(session.builder, prior)
    patch = experiment.training.prior.patch

    def pictures(n):
        return torch.rand(n, 3, patch, patch)

    def code(n):
        return torch.zeros(n, prior.encoder.tokens, prior.encoder.width)

    def of_prior(n):
        return prior.network(pictures(n), torch.zeros(n), pictures(n), code(n))

    def of_adapter(n):
        guide = adapter.guide(adapter.features(pictures(n)))
        return prior.network(pictures(n), torch.zeros(n), pictures(n), code(n), guide)

    found = {"prior": (count_parameters(prior.network), kept(of_prior))}
    prior.network.requires_grad_(False)
    found["adapter"] = (count_parameters(adapter), kept(of_adapter))
    found["predictor"] = (count_parameters(predictor), kept(lambda n: predictor(pictures(n))))
    text = (folder / "README.md").read_text()
    for name, (parameters, megabytes) in found.items():
        row = re.search(rf"\| {name} \| ([\d.]+) M[^|]*\|[^|]*\| (\d+) MB \|", text)
        assert row is not None, name
        assert parameters / 1e6 == pytest.approx(float(row[1]), abs=0.051)
        assert megabytes == pytest.approx(float(row[2]), rel=0.02)


def kept(forward) -> float:
    """What the second of two pictures adds to the tensors that are kept for the backward pass, MB."""

    def bytes_of(n):
        seen = {}

        def pack(tensor):
            seen[tensor.data_ptr()] = tensor.untyped_storage().nbytes()
            held.append(tensor)
            return tensor

        held = []
        with torch.autograd.graph.saved_tensors_hooks(pack, lambda t: t):
            forward(n)
        return sum(seen.values())

    return (bytes_of(2) - bytes_of(1)) / 2**20
