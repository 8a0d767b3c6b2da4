"""A tiny study, trained once through the command line: crops of photographs, networks of 8 channels, 64 images."""

import contextlib
import functools
import io
import json
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator
from PIL import Image

from texprior.cli import COMMANDS, main


@dataclass(frozen=True)
class Answer:
    """What a command said, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def json(self):
        return json.loads(self.out)


@functools.cache
def schemas():
    """The documented schema of each command's answer."""
    from texprior.cli.json_page import json_schema

    whole = json_schema()
    return {name: Draft202012Validator({**found, "$defs": whole["$defs"]}) for name, found in whole["answers"].items()}


def require_schema(arguments, answer):
    """Holds an answer in JSON against its documented schema; commands of plugins answer as they like."""
    family, below = [*arguments, ""][:2]
    name = f"{family} {below}" if f"{family} {below}" in schemas() else family
    if isinstance(document := answer.json, dict) and "error" in document:
        name = "any command that failed"
        assert document["error"]["exit_code"] == answer.code
    elif family not in COMMANDS:
        return
    else:
        forms = [option for option in arguments if f"{name} {option}" in schemas()]
        # layers are written, whether their strength was found or not
        forms = [form for form in forms if not (form == "--match-std" and "-o" in arguments)]
        name = " ".join([name, *forms[-1:]])
    schemas()[name].validate(document)


@pytest.fixture(scope="session")
def texprior():
    """Runs a command in this process."""

    def call(*arguments):
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = main([str(argument) for argument in arguments])
        answer = Answer(code, out.getvalue(), err.getvalue())
        assert "Traceback" not in answer.out + answer.err
        if "--json" in arguments and "--help" not in arguments:
            require_schema([str(argument) for argument in arguments], answer)
        return answer

    return call


@pytest.fixture(scope="session")
def pictures(tmp_path_factory):
    """Folders ``train``, ``val`` and ``test`` of crops, 120 x 100 px."""
    from texprior_plugins.dataset.bundled import PHOTOGRAPHS

    root = tmp_path_factory.mktemp("pictures")
    for split, names in {
        "train": ("coffee", "rocket", "astronaut"),
        "val": ("chelsea", "china"),
        "test": ("flower",),
    }.items():
        (root / split).mkdir()
        for name in names:
            image = Image.open(PHOTOGRAPHS[name].path).convert("RGB")
            left, top = image.width // 2 - 60, image.height // 2 - 50
            image.crop((left, top, left + 120, top + 100)).save(root / split / f"{name}.png")
    return root


def described(pictures, **more):
    """The tiny experiment as a mapping; its ablation has no arm of the predictor alone, unless it is asked for."""
    if "ablation" in more:
        more["ablation"] = {"predictor_alone": False, **more["ablation"]}
    budget = {"batch": 8, "patch": 32, "log_every_images": 16}
    return {
        "name": "tiny",
        "threads": 1,
        "data": {
            "train": {"folder": {"path": str(pictures / "train")}},
            "val": {"folder": {"path": str(pictures / "val")}},
            "test": {"folder": {"path": str(pictures / "test")}},
            "variants": 1,
        },
        "encoder": "none",
        "denoiser": {"unet": {"width": 8, "levels": 2, "blocks": 1, "heads": 1}},
        "predictor": {"unet": {"width": 8, "levels": 1, "blocks": 1}},
        "adapter": {"cga": {"width": 8}},
        "degradation": {"defocus": {"radius": 2.0, "noise": 2.0}},
        "training": {
            "prior": {"budget": {"images": 64}, **budget},
            "predictor": {"budget": {"images": 64}, **budget},
            "adapter": {"budget": {"images": 32}, **budget},
        },
        "sampling": {"steps": 2},
        "metrics": ["psnr", "texture_ratio"],
        "events": [],
        "sweep": {"space": {"adapter.cga.kernel": [1, 3]}, "metric": "psnr_rgb", "trials": 2},
        **more,
    }


@pytest.fixture
def write(pictures, tmp_path):
    """Writes the tiny experiment with changes, and returns the file."""

    def write(**more):
        path = tmp_path / "experiment.yaml"
        path.write_text(yaml.safe_dump(described(pictures, **more)), encoding="utf-8")
        return path

    return write


@pytest.fixture
def runs(tmp_path, monkeypatch):
    """A folder of runs of this test's own."""
    monkeypatch.setenv("TEXPRIOR_RUNS", str(tmp_path / "runs"))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return tmp_path / "runs"


@dataclass(frozen=True)
class Study:
    """The trained tiny experiment: its file, the folder of its runs, and what the commands answered."""

    file: Path
    runs: Path
    prior: Answer
    adapt: Answer

    @property
    def model(self):
        return Path(self.adapt.json["model"])


@pytest.fixture(scope="session")
def study(texprior, pictures, tmp_path_factory):
    """Trained once, with the MLflow tracker; its folder of runs stays in use for the tests that ask for it."""
    root = tmp_path_factory.mktemp("study")
    file = root / "tiny.yaml"
    file.write_text(yaml.safe_dump(described(pictures, events=["mlflow"])), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TEXPRIOR_RUNS", str(root / "runs"))
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        prior = texprior("prior", file, "--json")
        adapt = texprior("adapt", file, "--json")
    assert (prior.code, adapt.code) == (0, 0), prior.err + adapt.err
    return Study(file, root / "runs", prior, adapt)


@pytest.fixture
def in_study(study, monkeypatch):
    """The study, its folder of runs in use."""
    monkeypatch.setenv("TEXPRIOR_RUNS", str(study.runs))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return study
