"""The example package of docs/examples, as its author and its user meet it.

It is built, installed beside texprior's wheel into a virtual environment, tested with its own tests, and swept.
"""

import json
import os
import site
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from texprior.plugin import API
from texprior.scaffold.new_plugin import new_plugin


@pytest.fixture(scope="module")
def wheels(repository, tmp_path_factory):
    """The wheels of texprior, of the example, and of a package that 'plugins new' wrote."""
    out = tmp_path_factory.mktemp("wheels")
    made = new_plugin("metric", "new-metric", tmp_path_factory.mktemp("new") / "package")
    sources = [repository, repository / "docs" / "examples" / "texprior-example", made.folder]
    for source in sources:
        build = ["wheel", "--no-deps", "--no-build-isolation", "--quiet", "--wheel-dir", str(out), str(source)]
        subprocess.run([sys.executable, "-m", "pip", *build], check=True, capture_output=True, text=True)
    return sorted(out.glob("*.whl"))


@pytest.fixture(scope="module")
def python(wheels, tmp_path_factory):
    """The interpreter of a new environment that holds the three wheels.

    The dependencies are those of this environment, by a .pth file, as installing torch once more would take minutes and
    gigabytes. What this environment has of texprior itself lies behind the wheels on the path and is not looked at.
    """
    folder = tmp_path_factory.mktemp("venv")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    interpreter = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    install = ["install", "--no-deps", "--no-index", "--quiet", *map(str, wheels)]
    subprocess.run([sys.executable, "-m", "pip", "--python", str(interpreter), *install], check=True)
    inside = next(folder.glob("lib/python*/site-packages"))
    behind = [sysconfig.get_paths()["purelib"], sysconfig.get_paths()["platlib"], *site.getsitepackages()]
    # an environment may itself stand on another one's packages
    behind += [path for path in sys.path if Path(path).name == "site-packages"]
    (inside / "dependencies.pth").write_text("\n".join(dict.fromkeys(behind)) + "\n", encoding="utf-8")
    return interpreter


def run(python, *arguments, **how):
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "TEXPRIOR_DISABLE")}
    environment |= {"OMP_NUM_THREADS": "1", "TEXPRIOR_RUNS": "runs"}
    done = subprocess.run(
        [str(python), *map(str, arguments)], env=environment, capture_output=True, text=True, timeout=600, **how
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_wheel_restores_by_task(python, repository, tmp_path):
    from PIL import Image

    listed = json.loads(run(python, "-m", "texprior", "models", "list", "--json", cwd=tmp_path))
    here = repository / "platform" / "texprior" / "shipped"
    assert [m["task"] for m in listed] == sorted(path.parent.name for path in here.glob("*/adapter.safetensors"))
    assert all(Path(m["folder"]).is_relative_to(python.parents[1]) for m in listed)
    Image.linear_gradient("L").resize((40, 32)).convert("RGB").save(tmp_path / "photo.png")
    run(python, "-m", "texprior", "restore", "photo.png", "--task", listed[0]["task"], cwd=tmp_path)
    assert Image.open(tmp_path / "restored" / "photo.png").size == (40, 32)


def test_the_wheels_are_what_is_imported_and_listed(python, tmp_path):
    code = "import texprior, texprior_plugins, texprior_example as e; print(texprior.__file__, e.__file__)"
    for place in run(python, "-c", code, cwd=tmp_path).split():
        assert Path(place).is_relative_to(python.parents[1])
    listed = json.loads(run(python, "-m", "texprior", "plugins", "list", "--json", cwd=tmp_path))
    others = [c for c in listed if c["distribution"] != "texprior"]
    assert [(c["declares"]["api"], c["warnings"]) for c in others] == [(API, [])] * 3
    found = {(c["kind"], c["qualified"], c["version"]) for c in others}
    assert found == {
        ("adapter", "texprior-example/gate", "0.1.0"),
        ("degradation", "texprior-example/grain", "0.1.0"),
        ("metric", "texprior-new-metric/new-metric", "0.1.0"),
    }
    run(python, "-m", "texprior", "plugins", "new", "adapter", "another", "-o", "another", cwd=tmp_path)
    own = [c["name"] for c in listed if c["distribution"] == "texprior"]
    assert {"cga", "unet", "mlflow"} <= set(own)


def test_its_own_tests_pass(python, repository, tmp_path):
    if not (repository / "platform" / "texprior" / "testing").is_dir():
        pytest.skip("the conformance kit is not here")
    tests = repository / "docs" / "examples" / "texprior-example" / "tests"
    said = run(python, "-m", "pytest", "-q", "-p", "no:cacheprovider", tests, cwd=tmp_path)
    for name in ("adapter texprior-example/gate", "degradation texprior-example/grain"):
        (line,) = [row for row in said.splitlines() if row.startswith(name)]
        assert int(line.split(": ")[1].split()[0]) >= 15, line


def test_its_options_are_swept(python, repository, tmp_path):
    file = repository / "docs" / "examples" / "texprior-example" / "experiment.yaml"
    small = [f"data.{split}={{bundled: {{max_side: 64}}}}" for split in ("train", "val")]
    small += [f"training.{stage}.budget.images=32" for stage in ("prior", "predictor", "adapter")]
    small += [f"training.{stage}.batch=8" for stage in ("prior", "predictor", "adapter")]
    small += [f"training.{stage}.patch=32" for stage in ("prior", "predictor", "adapter")]
    small += ["events=[]", "threads=1", "metrics=[psnr]", "sweep.confirm.top=0"]
    sets = [part for text in small for part in ("--set", text)]
    told = run(python, "-m", "texprior", "sweep", file, "--trials", "2", "--json", *sets, cwd=tmp_path)
    done = json.loads(told)
    assert [t["state"] for t in done["trials"][:2]] == ["finished", "finished"]
    for trial in done["trials"]:
        assert {"adapter", "adapter.gate.width", "adapter.gate.kernel"} <= set(trial["params"])
    assert "texprior-example/gate 0.1.0" in (Path(done["model"]) / "README.md").read_text()
