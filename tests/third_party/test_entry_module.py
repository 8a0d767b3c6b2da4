"""A distribution as an installer leaves it, whose entry module is heavy, or light; and the guide's plugin."""

import re
import sys

import pytest

from texprior.registry import Registry
from texprior.testing import Subject, check_component, entries_of

SOURCE = """
{imports}
from texprior.plugin import Degradation, Options, hookimpl

@hookimpl
def texprior_degradations():
    return [Degradation("dim", "acme_{name}_impl:Dim", Options, "Dims.")]
"""
IMPLEMENTATION = """
import torch

class Dim:
    def __init__(self, options):
        pass

    def __call__(self, image_CHW, rng):
        return image_CHW * torch.rand((), generator=rng)
"""


@pytest.fixture
def forgotten():
    """Modules that a test imports are not there for the next one."""
    yield
    for name in [name for name in sys.modules if name.startswith("acme_") or name == "glow"]:
        del sys.modules[name]


@pytest.fixture
def installed(forgotten, tmp_path, monkeypatch):
    """installed(name, imports): the report of a distribution's one component."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def install(name, imports):
        info = tmp_path / f"acme_{name}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: acme-{name}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[texprior]\nmain = acme_{name}\n")
        (tmp_path / f"acme_{name}.py").write_text(SOURCE.format(imports=imports, name=name))
        (tmp_path / f"acme_{name}_impl.py").write_text(IMPLEMENTATION)
        registry = Registry.discover()
        (entry,) = entries_of(registry, distribution=f"acme-{name}")
        return check_component(Subject(registry, entry))

    return install


def test_an_entry_module_that_imports_torch_is_caught(installed):
    (failed,) = installed("heavy", "import torch").failed
    assert failed.check.id == "any.entry-module"
    assert failed.message == "importing the entry modules of acme-heavy loads torch"


def test_an_entry_module_that_imports_its_implementation_is_caught_too(installed):
    (failed,) = installed("greedy", "import acme_greedy_impl").failed
    assert (failed.check.id, failed.message[-5:]) == ("any.entry-module", "torch")


def test_a_light_one_passes_every_check(installed):
    report = installed("light", "import json")
    # it does not tell what it draws
    assert [o.check.id for o in report.outcomes if o.status != "passed"] == ["degradation.drawn"]
    assert report.run == 17


def test_the_guides_plugin_of_one_file_passes(forgotten, repository, tmp_path):
    code = re.search(r"```python\n(.*?)```", (repository / "docs" / "plugins.md").read_text("utf-8"), re.DOTALL)
    (tmp_path / "glow.py").write_text(code.group(1), encoding="utf-8")
    registry = Registry.discover([tmp_path / "glow.py"])
    report = check_component(Subject(registry, registry.find("degradation", "glow")))
    assert report.failed == []
