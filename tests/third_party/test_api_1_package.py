"""A package that was written for plugin API 1 goes on working: it loads, passes the kit, is swept, and finds its work.

``api1/texprior-example`` is the example package as it was then. Do not change it: it is what strangers have installed.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent / "api1" / "texprior-example"
WARNING = (
    "warning: plugin texprior-example uses plugin API 1, which still works; write api=2 and in adapter/gate "
    "cacheable=True instead of the tag 'cacheable'\n"
)
SMALL = [
    *(f"data.{split}={{bundled: {{max_side: 64}}}}" for split in ("train", "val")),
    *(f"training.{stage}.{what}" for stage in ("prior", "predictor", "adapter") for what in ("batch=8", "patch=32")),
    *(f"training.{stage}.budget.images=16" for stage in ("prior", "predictor", "adapter")),
    *("adapter=gate", "events=[]", "threads=1", "metrics=[psnr]"),
]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """run(arguments): Python with the package as an installer leaves it; what it prints."""
    folder = tmp_path_factory.mktemp("api1")
    info = folder / "texprior_example-0.1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: texprior-example\nVersion: 0.1.0\n")
    (info / "entry_points.txt").write_text("[texprior]\ntexprior_example = texprior_example\n")
    path = os.pathsep.join([str(folder), str(PACKAGE / "src"), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1", "TEXPRIOR_RUNS": "runs"}

    def command(*arguments):
        line = [sys.executable, *map(str, arguments)]
        done = subprocess.run(line, cwd=folder, env=environment, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stdout + done.stderr
        return done

    return command


def test_its_records_are_read_as_they_were_meant(run):
    done = run("-m", "texprior", "plugins", "list", "--json")
    found = {c["name"]: c for c in json.loads(done.stdout) if c["distribution"] == "texprior-example"}
    assert {name: c["declares"]["api"] for name, c in found.items()} == {"gate": 1, "grain": 1}
    assert found["gate"]["declares"]["cacheable"] is True
    assert found["grain"]["declares"]["deterministic"] is False
    assert WARNING in run("-m", "texprior", "plugins", "list").stderr


def test_its_own_tests_and_the_kit_pass_and_say_once_what_to_write(run):
    said = run("-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", PACKAGE, PACKAGE / "tests").stdout
    (gate,) = [row for row in said.splitlines() if row.startswith("adapter texprior-example/gate: ")]
    assert int(gate.split(": ")[1].split()[0]) >= 25
    assert said.count(WARNING) == 1


def test_it_is_trained_and_its_work_is_found_by_the_names_that_it_had(run):
    """The names of prior and predictor are those that texprior with plugin API 1 alone gave them."""
    sets = [part for text in SMALL for part in ("--set", text)]
    prior, model = (run("-m", "texprior", c, PACKAGE / "experiment.yaml", "--json", *sets) for c in ("prior", "adapt"))
    assert Path(json.loads(prior.stdout)["prior"]).name == "prior-87c8bc08b7-16"
    assert Path(json.loads(model.stdout)["predictor"]).name == "predictor-ef826b78b6-16"
    card = (Path(json.loads(model.stdout)["model"]) / "README.md").read_text(encoding="utf-8")
    assert all(f"texprior-example/{name} 0.1.0" in card for name in ("gate", "grain"))
    assert prior.stderr.count(WARNING) == model.stderr.count(WARNING) == 1


def test_a_script_that_loads_an_experiment_is_told_once(run):
    code = f"import texprior; texprior.load({str(PACKAGE / 'experiment.yaml')!r})"
    assert run("-c", code).stderr == WARNING.removeprefix("warning: ")
