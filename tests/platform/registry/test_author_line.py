"""The line of the author's code that an error leads to."""

import sys

import pytest

from texprior.registry import Registry
from texprior.registry.author_line import author_line, frames_of

PLUGIN = """
from texprior.plugin import Degradation, hookimpl


class Calls:
    def __init__(self, options):
        pass

    def __call__(self, function):
        return function(self.inner)

    def inner(self):
        return 1 / 0


@hookimpl
def texprior_degradations():
    return [Degradation("calls", "line_idea:Calls")]
"""


@pytest.fixture
def entry(tmp_path, monkeypatch):
    file = tmp_path / "line_idea.py"
    file.write_text(PLUGIN, encoding="utf-8")
    yield Registry.discover([file]).find("degradation", "calls")
    sys.modules.pop("line_idea", None)


def error_of(entry, function):
    try:
        sys.modules["line_idea"].Calls(None)(function)
    except Exception as error:
        return error
    raise AssertionError


def test_it_is_the_innermost_frame_of_the_plugin_even_if_the_error_is_raised_elsewhere(entry, tmp_path, monkeypatch):
    inside = error_of(entry, lambda inner: inner())
    assert author_line(inside, entry) == f"{tmp_path / 'line_idea.py'}:13: return 1 / 0"

    def elsewhere(_inner):
        raise ValueError

    monkeypatch.chdir(tmp_path)
    assert author_line(error_of(entry, elsewhere), entry) == "line_idea.py:10: return function(self.inner)"
    assert len(frames_of(inside, entry)) == 2


def test_an_error_without_such_a_frame_leads_to_the_class(entry, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert author_line(ValueError(), entry) == "line_idea.py:5: class Calls:"
    assert frames_of(ValueError(), entry) == []
