"""Deliberately broken plugins: each is caught by the intended check, by its id, and by no other."""

import importlib.util
from pathlib import Path

import pytest

from texprior.plugin import KINDS, Ref
from texprior.registry import Registry, canonical
from texprior.testing import Subject, check_component, entries_of

FILES = sorted((Path(__file__).parent / "broken").glob("broken_*.py"))
HOST = Path(__file__).parent / "broken" / "broken_denoisers.py"


def caught_by(file):
    """The table that a file of broken plugins carries: component -> the checks that it fails."""
    spec = importlib.util.spec_from_file_location(f"table_{file.stem}", file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.CAUGHT_BY


TABLE = [(file, name, set(ids)) for file in FILES for name, ids in caught_by(file).items()]


def failing(report):
    return {outcome.check.id for outcome in report.failed}


@pytest.fixture(scope="module")
def registries():
    """File -> a registry with the installed plugins and this one."""
    return {file: Registry.discover({file, HOST}) for file in FILES}


@pytest.mark.parametrize(("file", "name", "ids"), TABLE, ids=[f"{f.stem}-{n}" for f, n, _ in TABLE])
def test_each_is_caught_by_the_intended_check_alone(registries, file, name, ids):
    registry = registries[file]
    (entry,) = [e for e in entries_of(registry, distribution=canonical(file.stem)) if e.component.name == name]
    report = check_component(Subject(registry, entry, denoiser=Ref(name="broken-denoisers/right")))
    assert failing(report) == ids, {o.check.id: o.message for o in report.failed}


def test_at_least_two_of_every_kind_are_broken(registries):
    broken = {(f, n) for f, n, ids in TABLE if ids}
    kinds = [e.component.kind for f, r in registries.items() for e in r.entries() if (f, e.component.name) in broken]
    assert {kind for kind in KINDS if kinds.count(kind) < 2} == set()
