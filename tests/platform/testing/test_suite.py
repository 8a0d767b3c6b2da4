"""The decorator in a pytest of its own: one test for a check, fixtures, strict expectations, counts."""

import os
import re
import subprocess
import sys

import pytest

from texprior.errors import PluginError
from texprior.registry import Registry
from texprior.testing import entries_of

PLUGIN = """
from typing import Annotated

from pydantic import Field

from texprior.plugin import Degradation, Options, hookimpl


class DarkOptions(Options):
    folder: Annotated[str, Field(description="where")]


class Dark:
    def __init__(self, options):
        self.folder = options.folder

    def __call__(self, image_CHW, rng):
        import torch

        assert self.folder.endswith("here")
        return image_CHW * torch.rand((), generator=rng)


class Loud(Dark):
    def __call__(self, image_CHW, rng):
        import torch

        return super().__call__(image_CHW, rng) * torch.rand(())


@hookimpl
def texprior_degradations():
    return [Degradation(n, f"acme_dark:{n.title()}", DarkOptions, "Dark.") for n in ("dark", "loud")]
"""
TESTS = """
import pytest
from pathlib import Path
from texprior.testing import conformance

PLUGIN = Path(__file__).with_name("acme_dark.py")


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    return str(tmp_path_factory.mktemp("x") / "here")


@conformance("degradation", "dark", plugin=PLUGIN)
def test_dark(here):
    return {"folder": here}


@conformance("degradation", "acme-dark/loud", plugin=PLUGIN, expected_failures={"any.global-rng": "it is loud"})
class TestLoud:
    def options(self, here):
        return {"folder": here}


@conformance("degradation", "dark", plugin=PLUGIN, options={"folder": "here"}, expected_failures={"any.inputs": "no"})
def test_strict():
    pass


@conformance("degradation", "dark", plugin=PLUGIN)
def test_bare():
    pass


@conformance(
    distribution="acme-dark", plugin=PLUGIN, expected_failures={"degradation/loud": {"any.global-rng": "it is loud"}}
)
def test_all(component, here):
    assert component.kind == "degradation"
    return {"folder": here}

"""


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Test id -> outcome, and everything that was printed."""
    folder = tmp_path_factory.mktemp("suite")
    (folder / "acme_dark.py").write_text(PLUGIN, encoding="utf-8")
    (folder / "test_dark.py").write_text(TESTS, encoding="utf-8")
    (folder / "pytest.ini").write_text("[pytest]\naddopts = -p no:cacheprovider\n", encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-v", "-W", "error", "test_dark.py"]
    environment = {**os.environ, "COLUMNS": "200"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300)
    lines = re.findall(r"^test_dark.py::(\S+) (PASSED|FAILED|SKIPPED|XFAIL|ERROR)", done.stdout, re.MULTILINE)
    return dict(lines), done.stdout


def of(run, prefix):
    outcomes, _ = run
    return {re.search(r"\[(.*)\]", id_).group(1): s for id_, s in outcomes.items() if id_.startswith(prefix)}


def test_each_check_is_a_test_and_what_the_function_returns_are_options(run):
    dark = of(run, "test_dark[")
    assert len(dark) == 18
    # a single file has no entry module, and this degradation does not tell what it draws
    assert (dark.pop("any.entry-module"), dark.pop("degradation.drawn")) == ("SKIPPED", "SKIPPED")
    assert set(dark.values()) == {"PASSED"}


def test_an_expected_failure_is_xfail_in_a_class_too(run):
    loud = of(run, "TestLoud::test_conformance[")
    assert {id_ for id_, s in loud.items() if s == "XFAIL"} == {"any.global-rng"}
    assert "FAILED" not in loud.values()


def test_an_expected_failure_that_passes_fails(run):
    strict = of(run, "test_strict[")
    assert [id_ for id_, s in strict.items() if s == "FAILED"] == ["any.inputs"]
    assert "expected to fail (no), but it passes: remove this expectation" in run[1]


def test_without_its_options_the_floor_fails_and_says_what_to_hand_in(run):
    bare = of(run, "test_bare[")
    assert [id_ for id_, s in bare.items() if s == "FAILED"] == ["any.floor"]
    assert "option 'folder' has no default: pass a value for it" in run[1]
    assert "rule: Enough checks run" in run[1]
    assert "fix: Pass the options that the component requires" in run[1]


def test_a_whole_distribution_by_component(run):
    both = of(run, "test_all[")
    assert len(both) == 36
    assert both["degradation/dark-any.global-rng"] == "PASSED"
    assert both["degradation/loud-any.global-rng"] == "XFAIL"


def test_a_kind_of_a_distribution(tmp_path):
    (tmp_path / "acme_dark.py").write_text(PLUGIN, encoding="utf-8")
    registry = Registry.discover({tmp_path / "acme_dark.py"})
    adapters = entries_of(registry, "adapter", distribution="texprior")
    assert {entry.component.kind for entry in adapters} == {"adapter"}
    assert adapters == registry.entries("adapter")
    assert [e.component.name for e in entries_of(registry, "degradation", distribution="acme-dark")] == ["dark", "loud"]
    with pytest.raises(PluginError, match="plugin acme-dark provides no metric"):
        entries_of(registry, "metric", distribution="acme-dark")


def test_the_number_of_checks_is_printed(run):
    assert "degradation acme-dark/dark: 16 checks run, 2 not run, floor 15" in run[1]
    assert "degradation acme-dark/dark: 2 checks run, 16 not run, floor 15" in run[1]


def test_pytest_is_imported_when_it_is_used():
    code = "import sys, texprior.testing; assert texprior.testing.CHECKS; print('pytest' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize(
    ("arguments", "keywords", "reason"),
    [
        (("degradation", "rian"), {}, "did you mean 'rain'"),
        ((), {}, "name a component"),
        ((), {"distribution": "acme-nothing"}, "there is no plugin distribution 'acme-nothing'; there are: "),
        (
            (),
            {"distribution": "texprior", "expected_failures": {"sampler/dimm": {}}},
            "the plugin has no such component",
        ),
        (("sampler", "ddim"), {"expected_failures": {"sampler.ordr": "x"}}, "did you mean 'sampler.order'"),
    ],
)
def test_what_cannot_be_checked_is_a_sentence_at_once(arguments, keywords, reason):
    from texprior.errors import ConfigError
    from texprior.testing import conformance

    with pytest.raises(ConfigError, match=reason):
        conformance(*arguments, **keywords)
