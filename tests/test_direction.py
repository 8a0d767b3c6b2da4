"""The direction of imports that import-linter cannot hold: allowed lists, and what is loaded at run time."""

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1] / "platform" / "texprior"
LIGHT = sorted(
    ".".join(file.relative_to(ROOT).with_suffix("").parts)
    for pattern in ("plugin/*.py", "registry/*.py", "config/*.py", "errors.py")
    for file in ROOT.glob(pattern)
    if file.name != "__init__.py"
)
HEAVY = ("torch", "numpy", "scipy", "mlflow", "optuna", "albumentations", "cv2", "PIL", "skimage", "sklearn")


def imported(path: Path) -> Iterator[str]:
    """Absolute names of everything that a module imports, anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield node.module or ""


def test_the_engine_imports_torch_and_the_standard_library_alone(repository: Path) -> None:
    files = sorted((repository / "platform" / "texprior" / "diffusion").glob("*.py"))
    names = {name for file in files for name in imported(file)}
    foreign = {n for n in names if n.split(".")[0] not in sys.stdlib_module_names | {"torch"}}
    assert files
    assert {n for n in foreign if not n.startswith("texprior.diffusion")} == set()


def test_an_entry_module_imports_texprior_plugin_and_pydantic_alone(repository: Path) -> None:
    """So do the modules of its own folder that it imports: options and citations may have files of their own."""
    root = repository / "plugins" / "texprior_plugins"
    allowed = sys.stdlib_module_names | {"pydantic", "annotated_types"}
    entries = sorted(root.glob("*/__init__.py"))
    assert entries
    for waiting in ([entry] for entry in entries):
        for file in waiting:
            own = f"texprior_plugins.{file.parent.name}"
            names = {name for name in imported(file) if name.split(".")[0] not in allowed | {"texprior_plugins"}}
            assert names <= {"texprior.plugin"}, file
            foreign = {n for n in imported(file) if n.startswith("texprior_plugins") and n.rpartition(".")[0] != own}
            assert foreign <= {own}, file
            private = sorted(file.parent.glob("_[a-z]*.py"))
            text = file.read_text(encoding="utf-8")
            waiting += [p for p in private if p not in waiting and re.search(rf"\b{p.stem}\b", text)]


@pytest.mark.parametrize("module", LIGHT)
def test_a_light_module_loads_nothing_heavy(module: str) -> None:
    assert loaded(f"import texprior.{module}") == []


def test_listing_and_validating_load_nothing_heavy() -> None:
    code = (
        "from texprior import config; from texprior.registry import Registry; registry = Registry.discover(); "
        "assert len(registry.entries()) > 10; config.resolve({'name': 'x'}, registry).to_yaml()"
    )
    assert loaded(code) == []


@pytest.mark.parametrize("arguments", [["--help"], ["--version"]])
def test_the_command_line_s_help_loads_nothing_heavy(arguments: list[str]) -> None:
    assert loaded(f"from texprior.cli import main; assert main({arguments!r}) == 0") == []


def loaded(code: str) -> list[str]:
    """The heavy packages that a fresh interpreter holds after running code."""
    report = f"import json, sys; print(json.dumps([name for name in {HEAVY!r} if name in sys.modules]))"
    process = subprocess.run([sys.executable, "-c", f"{code}\n{report}"], capture_output=True, text=True, check=True)
    names: list[str] = json.loads(process.stdout.splitlines()[-1])
    return names
