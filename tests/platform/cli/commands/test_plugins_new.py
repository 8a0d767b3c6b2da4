"""``texprior plugins new``: packages of every kind, whose own tests pass as rendered."""

import os
import re
import subprocess
import sys
import tomllib
from importlib.metadata import version

import pytest

from texprior.plugin import API, KINDS


@pytest.fixture(scope="module")
def packages(texprior, tmp_path_factory):
    """A rendered package of each kind, and beside it what pip would leave of its installation."""
    root = tmp_path_factory.mktemp("new")
    for kind in KINDS:
        answer = texprior("plugins", "new", kind, f"my-{kind}", "-o", root / kind, "--json")
        assert answer.code == 0, answer.err
        assert all((root / kind / file).is_file() for file in answer.json["files"])
        project = tomllib.loads((root / kind / "pyproject.toml").read_text())["project"]
        info = root / "site" / f"{answer.json['package']}-{project['version']}.dist-info"
        info.mkdir(parents=True)
        needs = "".join(f"Requires-Dist: {text}\n" for text in project["dependencies"])
        head = f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
        (info / "METADATA").write_text(head + needs)
        points = "".join(f"{name} = {module}\n" for name, module in project["entry-points"]["texprior"].items())
        (info / "entry_points.txt").write_text(f"[texprior]\n{points}")
    return root


def environment(packages):
    path = [packages / "site", *(packages / kind / "src" for kind in KINDS), os.environ.get("PYTHONPATH", "")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, path)), "OMP_NUM_THREADS": "1"}


def test_the_tests_of_every_kind_pass_as_rendered(packages):
    pytest.importorskip("texprior.testing")
    tests = [str(packages / kind / "tests") for kind in KINDS]
    command = [sys.executable, "-m", "pytest", "-q", "--import-mode=importlib", "-p", "no:cacheprovider", *tests]
    done = subprocess.run(command, cwd=packages, env=environment(packages), capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout
    counts = dict(re.findall(r"^(\w+) texprior-my-\S+: (\d+) checks run", done.stdout, re.MULTILINE))
    assert set(counts) == set(KINDS)
    own = {kind: len(re.findall("^def test_", (packages / kind / "tests" / f"test_my_{kind}.py").read_text(), re.M))
           for kind in KINDS}  # fmt: skip
    assert min(own.values()) >= 1


def test_every_kind_is_listed_with_a_search_space(packages):
    command = [sys.executable, "-m", "texprior", "plugins", "list", "--json"]
    done = subprocess.run(command, env=environment(packages), capture_output=True, text=True, check=True)
    import json

    found = {c["kind"]: c for c in json.loads(done.stdout) if c["distribution"].startswith("texprior-my-")}
    assert set(found) == set(KINDS)
    for kind, component in found.items():
        distribution = f"texprior-my-{kind}".replace("_", "-")
        assert (component["status"], component["qualified"]) == ("loaded", f"{distribution}/my-{kind}")
        # no search chooses who starts workers, and a command has only click's options
        assert any(option["search"] for option in component["options"]) or kind in ("launcher", "command")
        assert (component["declares"]["api"], component["warnings"]) == (API, [])
        assert all(option["description"] for option in component["options"])


def test_the_rendered_code_is_formatted_and_clean(packages):
    for command in (["format", "--check"], ["check", "--select", "E,F,W,I,B,UP,SIM,C4,PT,RET"]):
        for kind in KINDS:
            done = subprocess.run(
                [sys.executable, "-m", "ruff", *command, "."], cwd=packages / kind, capture_output=True
            )
            assert done.returncode == 0, done.stdout.decode()


def test_the_package_asks_for_this_texprior(packages):
    project = tomllib.loads((packages / "metric" / "pyproject.toml").read_text())["project"]
    assert project["dependencies"] == [f"texprior>={'.'.join(version('texprior').split('.')[:2])}"]


@pytest.mark.parametrize(
    ("kind", "name", "output", "fragment"),
    [
        ("adaptor", "x", "new", "there is no kind 'adaptor'; the kinds are: degradation, decomposition"),
        ("adapter", "Big Name", "new", "'Big Name' is not a valid component name; write it like rain or light-rain"),
        ("adapter", "2d", "new", "'2d' is not a valid component name"),
        ("adapter", "none", "new", "'none' is not a valid component name"),
        ("adapter", "../x", "new", "'../x' is not a valid component name"),
        ("adapter", "x", "full", "already exists; name a new folder with -o"),
        ("adapter", "x", "full/file", "already exists; name a new folder with -o"),
    ],
)
def test_what_cannot_be_made_is_refused_and_leaves_nothing(texprior, tmp_path, kind, name, output, fragment):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").write_text("x")
    answer = texprior("plugins", "new", kind, name, "-o", tmp_path / output)
    assert (answer.code, answer.out) == (2, "")
    assert fragment in answer.err
    assert [p.name for p in tmp_path.rglob("*")] == ["full", "file"]


def test_a_folder_that_cannot_be_written_is_a_failure(texprior, tmp_path):
    (tmp_path / "file").write_text("x")
    answer = texprior("plugins", "new", "adapter", "x", "-o", tmp_path / "file" / "below")
    assert (answer.code, answer.out) == (1, "")
    assert "the package cannot be written" in answer.err


def test_a_name_that_is_taken_is_noted(texprior, tmp_path):
    answer = texprior("plugins", "new", "adapter", "cga", "-o", tmp_path / "cga")
    assert answer.code == 0
    assert "note: texprior also has adapter/cga; if both are installed, write texprior-cga/cga in experiments" in (
        answer.err
    )
