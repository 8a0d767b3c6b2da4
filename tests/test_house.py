"""The house itself: what must not lie in the repository, and what must."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

MACHINE_PATHS = tuple("/" + name for name in ("work/", "root/", "tmp/bash"))  # in pieces: this file is looked at too
MAX_BYTES = 8 * 2**20


@pytest.fixture(scope="module")
def tracked(repository: Path) -> list[Path]:
    """Every file that git tracks, or would."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        listed = subprocess.run(command, cwd=repository, capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this is no git repository")
    paths = [repository / name for name in listed.stdout.decode().split("\0") if name]
    return [path for path in paths if path.is_file()]


@pytest.mark.parametrize("folder", ["platform", "plugins"])
def test_an_import_root_is_no_package(repository: Path, folder: str) -> None:
    assert not (repository / folder / "__init__.py").exists()


def test_the_standard_library_keeps_its_platform_module(repository: Path) -> None:
    code = "import platform; print(platform.system())"
    printed = subprocess.run([sys.executable, "-c", code], cwd=repository, capture_output=True, text=True, check=True)
    uname = subprocess.run(["uname", "-s"], capture_output=True, text=True, check=True)
    assert printed.stdout == uname.stdout


def test_no_tests_folder_is_a_package(tracked: list[Path], repository: Path) -> None:
    packages = [p for p in tracked if p.name == "__init__.py" and p.is_relative_to(repository / "tests")]
    # what strangers install is a package with a source folder of its own
    assert [p for p in packages if not p.is_relative_to(repository / "tests" / "third_party" / "api1")] == []


def test_no_tracked_file_is_large(tracked: list[Path]) -> None:
    assert {p.name: p.stat().st_size for p in tracked if p.stat().st_size > MAX_BYTES} == {}


def test_no_tracked_text_names_a_path_of_one_machine(tracked: list[Path], repository: Path) -> None:
    pattern = re.compile("|".join(rf"(?<![\w.:/-]){re.escape(path)}" for path in MACHINE_PATHS))
    found = {}
    for path in tracked:
        try:
            match = pattern.search(path.read_text(encoding="utf-8"))
        except UnicodeDecodeError:
            continue
        if match:
            found[str(path.relative_to(repository))] = match.group()
    assert found == {}


def test_the_changelog_names_this_version(repository: Path) -> None:
    version = tomllib.loads((repository / "pyproject.toml").read_text())["project"]["version"]
    assert re.search(rf"^## \[{re.escape(version)}\]", (repository / "CHANGELOG.md").read_text(), re.MULTILINE)


def test_the_licence_is_whole(repository: Path) -> None:
    licence = (repository / "LICENSE").read_text()
    assert "Apache License" in licence
    assert "END OF TERMS AND CONDITIONS" in licence


def test_constraints_pin_every_dependency_within_its_bounds(repository: Path) -> None:
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    lines = (repository / "constraints.txt").read_text().splitlines()
    pins = dict(line.split("==") for line in lines if line and not line.startswith("#"))
    versions = {canonicalize_name(name): version for name, version in pins.items()}
    project = tomllib.loads((repository / "pyproject.toml").read_text())["project"]
    asked = [Requirement(r) for r in [*project["dependencies"], *project["optional-dependencies"]["dev"]]]
    wrong = [str(r) for r in asked if not r.specifier.contains(versions.get(canonicalize_name(r.name), "0"))]
    assert wrong == []


def test_every_first_party_kind_is_an_entry_point(repository: Path) -> None:
    points = tomllib.loads((repository / "pyproject.toml").read_text())["project"]["entry-points"]["texprior"]
    folders = {p.parent.name for p in (repository / "plugins" / "texprior_plugins").glob("*/__init__.py")}
    assert points == {kind: f"texprior_plugins.{kind}" for kind in folders}


COVERED_BY = "tests/covered_by.txt"


@pytest.fixture(scope="module")
def mirrors(repository: Path) -> dict[str, str]:
    """Module of the platform -> the test file of its name, whether it is there or not."""
    root = repository / "platform" / "texprior"
    modules = [path.relative_to(root) for path in root.rglob("*.py") if path.name != "__init__.py"]
    return {m.as_posix(): (Path("tests/platform") / m.with_name(f"test_{m.name}")).as_posix() for m in sorted(modules)}


@pytest.fixture(scope="module")
def covered_by(repository: Path) -> dict[str, list[str]]:
    """Module -> test files, of every line of the list."""
    lines = (repository / COVERED_BY).read_text(encoding="utf-8").splitlines()
    lines = [line for line in lines if not line.startswith("#")]
    assert [line for line in lines if not re.fullmatch(r"\S+\.py: \S+\.py(, \S+\.py)*", line)] == [], "not MODULE: TEST"
    assert lines == sorted(set(lines)), f"{COVERED_BY} is not sorted, or says a line twice"
    named = [line.partition(": ") for line in lines]
    assert len({module for module, _, _ in named}) == len(named), f"{COVERED_BY} names a module twice"
    return {module: tests.split(", ") for module, _, tests in named}


def test_every_module_has_its_test_file_or_a_line_that_says_which_test_covers_it(
    repository: Path, mirrors: dict[str, str], covered_by: dict[str, list[str]]
) -> None:
    missing = [m for m, test in mirrors.items() if m not in covered_by and not (repository / test).is_file()]
    told = [f"{module}: write {mirrors[module]}, or a line in {COVERED_BY}" for module in missing]
    assert missing == [], "\n".join(told)


def test_every_line_of_the_list_is_needed_and_true(
    repository: Path, mirrors: dict[str, str], covered_by: dict[str, list[str]]
) -> None:
    wrong = []
    for module, tests in covered_by.items():
        if module not in mirrors:
            wrong.append(f"{module}: there is no such module")
        elif (repository / mirrors[module]).is_file():
            wrong.append(f"{module}: it has a test file of its own, {mirrors[module]}")
        wrong += [f"{module}: there is no {test}" for test in tests if not (repository / test).is_file()]
    assert wrong == [], f"lines of {COVERED_BY} to remove or to correct:\n" + "\n".join(wrong)


def test_every_plugin_kind_has_a_folder_of_tests(repository: Path) -> None:
    kinds = sorted(init.parent.name for init in (repository / "plugins" / "texprior_plugins").glob("*/__init__.py"))
    folders = [repository / "tests" / "plugins" / kind for kind in kinds]
    missing = [f"tests/plugins/{folder.name}" for folder in folders if not any(folder.glob("test_*.py"))]
    assert kinds
    assert missing == [], f"no test file in: {', '.join(missing)}"


def test_every_text_file_is_opened_with_its_encoding(repository: Path) -> None:
    # without one, Python takes the locale's, and a file written on one machine cannot be read on the other
    pytest.importorskip("ruff")
    rule = ["--isolated", "--preview", "--select", "PLW1514", "--target-version", "py311"]
    command = [sys.executable, "-m", "ruff", "check", "--no-cache", *rule, "platform", "plugins"]
    done = subprocess.run(command, cwd=repository, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
