"""Many plugins beside ours, and bad ones: what ``plugins list`` says, what it imports, and that the rest works."""

import json
import os
import subprocess
import sys

import pytest

HEAVY = ("torch", "mlflow", "optuna", "albumentations", "numpy", "cv2")
SOURCE = """
from typing import Annotated
from pydantic import Field
from texprior.plugin import Degradation, Options, Tune, hookimpl

class DummyOptions(Options):
    strength: Annotated[float, Field(ge=0, le=1, description="how much"), Tune()] = 0.5

@hookimpl
def texprior_degradations():
    return [Degradation("{name}", "{module}.impl:Dummy", DummyOptions, "A dummy."{more})]
"""


NEW = "'n' is written for plugin API 99; this texprior has 1 to 2: install a newer texprior"


def install(folder, distribution, name, requires="", more="", source=SOURCE):
    """A distribution as an installer leaves it: a package with an implementation that imports torch."""
    module = distribution.replace("-", "_")
    info = folder / f"{module}-1.0.dist-info"
    info.mkdir(parents=True)
    needs = f"Requires-Dist: {requires}\n" if requires else ""
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n{needs}")
    (info / "entry_points.txt").write_text(f"[texprior]\nmain = {module}\n")
    (folder / module).mkdir()
    (folder / module / "__init__.py").write_text(source.format(name=name, module=module, more=more))
    (folder / module / "impl.py").write_text("import torch\n\nclass Dummy:\n    pass\n")


def texprior(folder, *arguments, **variables):
    """The command in a process of its own, with what it has imported in the end."""
    code = (
        "import sys, json; from texprior.cli import main; code = main(sys.argv[1:]); "
        f"print(json.dumps([m for m in {HEAVY!r} if m in sys.modules]), file=sys.stderr); sys.exit(code)"
    )
    path = os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")])
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env={**os.environ, "PYTHONPATH": path, **variables}, capture_output=True, text=True, timeout=180,
    )  # fmt: skip


def test_fifty_plugins_are_listed_and_nothing_heavy_is_imported(tmp_path):
    for i in range(50):
        install(tmp_path, f"dummy-{i:02}", f"dummy{i}")
    done = texprior(tmp_path, "plugins", "list", "--json")
    assert done.returncode == 0, done.stderr
    found = [c for c in json.loads(done.stdout) if c["distribution"].startswith("dummy-")]
    assert sorted(c["qualified"] for c in found) == [f"dummy-{i:02}/dummy{i}" for i in range(50)]
    assert {(c["status"], c["options"][0]["search"]) for c in found} == {("loaded", "0.0 to 1.0")}
    assert json.loads(done.stderr.splitlines()[-1]) == []


@pytest.fixture(scope="module")
def bad(tmp_path_factory):
    """A broken, a duplicate, a too-new, a too-new by its requirement, and one to be disabled, beside a good one."""
    folder = tmp_path_factory.mktemp("bad")
    install(folder, "acme-broken", "b", source="import a_module_that_is_not_there\n")
    install(folder, "acme-rain", "rain")  # texprior has a degradation of this name
    install(folder, "acme-new", "n", more=", api=99")
    install(folder, "acme-newer", "n", requires="texprior>=99")
    install(folder, "acme-off", "o", source="raise SystemExit('it was imported')\n")
    install(folder, "acme-good", "good")
    return folder


def test_bad_plugins_are_listed_with_their_reason(bad):
    done = texprior(bad, "plugins", "list", "--json", TEXPRIOR_DISABLE="acme-off")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stderr.splitlines()[-1]) == []
    listed = json.loads(done.stdout)
    told = {c["distribution"]: (c["status"], c["reason"]) for c in listed}
    assert told == {
        "texprior": ("loaded", ""),
        "acme-good": ("loaded", ""),
        "acme-rain": ("loaded", ""),
        "acme-broken": ("failed", "ModuleNotFoundError: No module named 'a_module_that_is_not_there'"),
        "acme-new": ("incompatible", f"{NEW}, or an older version of the plugin"),
        "acme-newer": ("incompatible", "it requires 'texprior>=99', and this is texprior 0.1.0"),
        "acme-off": ("disabled", "disabled by TEXPRIOR_DISABLE"),
    }
    assert all(c["kind"] is None for c in listed if c["status"] != "loaded")
    rains = {c["qualified"] for c in listed if c["name"] == "rain"}
    assert rains == {"texprior/rain", "acme-rain/rain"}


def test_a_name_that_two_give_is_an_error_where_it_is_used_alone(bad):
    done = texprior(bad, "plugins", "show", "degradation/rain")
    assert (done.returncode, done.stdout) == (2, "")
    assert "'rain' is given by several plugins; name one of: acme-rain/rain, texprior/rain" in done.stderr
    for name in ("texprior/rain", "acme-rain/rain", "noise_jpeg"):
        assert texprior(bad, "plugins", "show", f"degradation/{name}").returncode == 0


@pytest.mark.parametrize(
    ("name", "fragment"),
    [
        ("acme-broken/b", "plugin acme-broken is failed: ModuleNotFoundError"),
        ("acme-new/n", "plugin acme-new is incompatible: 'n' is written for plugin API 99"),
        ("acme-off/o", "plugin acme-off is disabled: disabled by TEXPRIOR_DISABLE"),
    ],
)
def test_a_component_of_a_bad_plugin_that_is_named_stops_the_command_with_the_reason(bad, name, fragment):
    done = texprior(bad, "plugins", "show", f"degradation/{name}", TEXPRIOR_DISABLE="acme-off")
    assert (done.returncode, done.stdout) == (2, "")
    assert fragment in done.stderr
