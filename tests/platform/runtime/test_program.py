"""Which files are a component's program: an edit of these, and of no others, is another program."""

import importlib
import sys
import types
from dataclasses import replace

import pytest

from texprior.plugin import Degradation, Options, hookimpl
from texprior.registry import Registry
from texprior.runtime.program import program_digest

PLUGIN = """
from texprior.plugin import Degradation, Options, hookimpl

WEIGHT = 2

class DimOptions(Options):
    power: float = 1.0

@hookimpl
def texprior_degradations():
    return [Degradation("dim", "acme_dim.kinds.dim:Dim", DimOptions)]
"""
FILES = {
    "acme_dim/__init__.py": PLUGIN,
    "acme_dim/kinds/__init__.py": "",
    "acme_dim/kinds/dim.py": "from ..core import curves\nclass Dim:\n    def __init__(self, options): pass\n",
    "acme_dim/kinds/logger.py": "class Logger: pass\n",
    "acme_dim/core/__init__.py": "LIMIT = 1\n",
    "acme_dim/core/curves.py": "def curve():\n    import acme_dim.core.tables as t\n    return t.TABLE\n",
    "acme_dim/core/tables.py": "from acme_helpers.read import read\nTABLE = read('data', 'table.csv')\n",
    "acme_dim/data/table.csv": "1,2",
    "acme_dim/data/other.csv": "3,4",
    "acme_helpers/__init__.py": "",
    "acme_helpers/read.py": "def read(*path): return path\n",
}


@pytest.fixture
def dim(tmp_path, monkeypatch):
    """An installed package with two top-level packages: a function that edits a file, and returns the digest after it.

    Discovers the package each time, as a new process does.
    """
    info = tmp_path / "acme_dim-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-dim\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[texprior]\nmain = acme_dim\n")
    (info / "RECORD").write_text("".join(f"{name},,\n" for name in FILES))
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.syspath_prepend(tmp_path)

    def edited(name="", add=""):
        if name:
            with (tmp_path / name).open("a") as file:
                file.write(add)
        sys.modules.pop("acme_dim", None)
        return program_digest(Registry.discover().find("degradation", "dim"))

    yield edited
    sys.modules.pop("acme_dim", None)


@pytest.mark.parametrize(
    ("name", "add"),
    [
        ("acme_dim/kinds/dim.py", "x = 1\n"),
        ("acme_dim/core/curves.py", "x = 1\n"),
        ("acme_dim/core/tables.py", "x = 1\n"),
        ("acme_helpers/read.py", "x = 1\n"),
        ("acme_dim/data/table.csv", ",3"),
    ],
)
def test_what_the_implementation_imports_is_its_program_wherever_it_is_in_the_distribution(dim, name, add):
    before = dim()
    assert dim(name, add) != before
    assert not {"acme_dim.kinds.dim", "acme_dim.core.tables", "acme_helpers"} & set(sys.modules)  # nothing was imported


@pytest.mark.parametrize(
    ("name", "add"),
    [
        ("acme_dim/kinds/logger.py", "x = 1\n"),
        ("acme_dim/data/other.csv", ",5"),
        ("acme_dim/core/tables.py", "# a comment\n\n'''A note.'''\n"),
        # nothing takes a name from these
        ("acme_dim/__init__.py", "x = 1\n"),
        ("acme_dim/core/__init__.py", "x = 1\n"),
    ],
)
def test_what_it_does_not_import_is_no_part_of_it(dim, name, add):
    before = dim()
    assert dim(name, add) == before


@pytest.mark.parametrize(
    ("line", "package"),
    [
        ("from acme_dim import WEIGHT\n", "acme_dim"),
        ("from ..core import LIMIT\n", "acme_dim/core"),
        ("from .. import core\n", "acme_dim/core"),
        ("import acme_dim.core\n", "acme_dim/core"),
        ("from ..core import *\n", "acme_dim/core"),
    ],
)
def test_the_init_of_a_package_counts_if_a_name_of_it_is_used(dim, line, package):
    before = dim("acme_dim/kinds/dim.py", line)
    assert dim(f"{package}/__init__.py", "x = 1\n") != before


def test_the_init_counts_if_it_gives_the_name_of_a_module_to_something_else(dim):
    before = dim("acme_dim/core/__init__.py", "from acme_dim.core.curves import curve as curves\n")
    assert dim("acme_dim/core/__init__.py", "LIMIT = 2\n") != before


def test_functions_of_the_options_belong_to_the_program(dim):
    """The implementation may call them without importing them; fields alone are settings."""
    before = dim("acme_dim/__init__.py", "\n")
    text = "class DimOptions(Options):\n    @property\n    def squared(self): return 4\n"
    assert dim("acme_dim/__init__.py", text) != before


def test_what_cannot_be_found_has_no_program(dim, tmp_path):
    entry = Registry.discover().find("degradation", "dim")
    assert program_digest(replace(entry, component=replace(entry.component, impl="acme_lost.tv:Tv"))) == ""


def test_another_class_of_the_same_module_is_another_program(dim):
    entry = Registry.discover().find("degradation", "dim")
    other = replace(entry, component=replace(entry.component, impl="acme_dim.kinds.dim:Other"))
    assert program_digest(other) != program_digest(entry)


IDEA = """
from texprior.plugin import Degradation, hookimpl

class Dim:
    def __init__(self, options):
        from program_helper import level

@hookimpl
def texprior_degradations():
    return [Degradation("dim", "program_idea:Dim")]
"""


@pytest.fixture
def idea(tmp_path, monkeypatch):
    """A single-file plugin with a module beside it."""
    (tmp_path / "program_helper.py").write_text("level = 1\n")
    (tmp_path / "unrelated.py").write_text("level = 1\n")
    file = tmp_path / "program_idea.py"
    file.write_text(IDEA)
    for name in ("program_idea", "program_helper"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    yield file
    for name in ("program_idea", "program_helper"):
        sys.modules.pop(name, None)


def digest_of(file):
    return program_digest(Registry.discover([file]).find("degradation", "dim"))


def test_a_single_file_counts_with_the_modules_beside_it_that_it_imports(idea):
    before = digest_of(idea)
    (idea.parent / "unrelated.py").write_text("level = 2\n")
    idea.write_text(f"# a comment\n{IDEA}")
    assert digest_of(idea) == before
    (idea.parent / "program_helper.py").write_text("level = 2\n")
    helped = digest_of(idea)
    assert helped != before
    idea.write_text(f"{IDEA}\nx = 1\n")
    assert digest_of(idea) not in (before, helped)


def test_a_file_that_was_edited_after_it_was_registered_is_neither_program(idea):
    """This process runs the old one, and must not leave work under the name of the new one."""
    registry = Registry.discover([idea])
    entry = registry.find("degradation", "dim")
    before = program_digest(entry)
    idea.write_text(f"{IDEA}\nx = 1\n")
    between = program_digest(entry)
    registry.register(idea)
    after = program_digest(registry.find("degradation", "dim"))
    assert len({before, between, after}) == 3


def test_an_imported_module_counts_as_it_was_until_it_is_imported_again(idea, monkeypatch):
    monkeypatch.syspath_prepend(idea.parent)
    entry = Registry.discover([idea]).find("degradation", "dim")
    before = program_digest(entry)
    helper = importlib.import_module("program_helper")
    (idea.parent / "program_helper.py").write_text("level = 22\n")
    assert program_digest(entry) == before
    importlib.reload(helper)
    assert program_digest(entry) != before


def test_a_module_made_in_memory_is_another_program_at_each_registration():
    module = types.ModuleType("program_memory")
    module.texprior_degradations = hookimpl(lambda: [Degradation("dim", "program_memory:Dim", Options)])
    found = set()
    for _ in range(2):
        registry = Registry.discover()
        registry.register(module)
        entry = registry.find("degradation", "dim")
        assert entry.plugin.version == "unversioned"
        assert program_digest(entry) == program_digest(entry)
        found.add(program_digest(entry))
    assert len(found) == 2
