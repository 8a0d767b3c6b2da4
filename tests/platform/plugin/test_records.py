"""Records: what is given by position and by name, and what a wrong argument is told."""

import copy
import dataclasses
import pickle
import re

import pytest

from texprior.errors import IncompatibleError, PluginError
from texprior.plugin import HOOK_OF_KIND, Adapter, Component, Decomposition, Degradation, Metric, Options, Weights
from texprior.plugin.records import API, BY_POSITION, LOWEST_API, api_fault, flags_of
from texprior.registry import Registry


@pytest.mark.parametrize("record", [record for _, record in HOOK_OF_KIND.values()])
def test_name_impl_options_and_summary_alone_may_be_given_by_position(record):
    made = record("x", "m:X", Options, "A summary.")
    assert tuple(getattr(made, name) for name in BY_POSITION) == ("x", "m:X", Options, "A summary.")
    assert {f.name for f in dataclasses.fields(record) if not f.kw_only} == set(BY_POSITION)
    with pytest.raises(PluginError, match=r"'x': only name, impl, options and summary may be given by position"):
        record("x", "m:X", Options, "A summary.", ("a",))


def test_what_was_once_given_by_position_is_told_as_it_is_written_now():
    with pytest.raises(PluginError) as caught:
        Decomposition("box", "m:Box", Options, "Box.", ("linear",), "@misc{box}", 1, (), (), "radius")
    written = "tags=('linear',), citation='@misc{box}', api=1, weights=(), requires=(), strength='radius'"
    assert str(caught.value).endswith(f"may be given by position; write {written}")
    given = eval(f"dict({written})")
    assert dataclasses.replace(Decomposition("box", "m:Box", Options, "Box."), **given).strength == "radius"


def test_a_misspelt_field_is_told_with_the_one_that_is_meant():
    with pytest.raises(PluginError, match=r"^Adapter 'a' has no field 'cachable'; did you mean 'cacheable'\?$"):
        Adapter("a", "m:A", cachable=True)
    with pytest.raises(PluginError, match=r"^Degradation 'g' has no field 'zzz'; its fields are: name, impl, options"):
        Degradation(name="g", impl="m:G", zzz=1)


def test_a_field_of_a_later_api_says_that_texprior_is_too_old():
    """And not that the field is misspelt: its author had another texprior."""
    with pytest.raises(IncompatibleError, match=rf"'a' is written for plugin API {API + 1}; this texprior has"):
        Adapter("a", "m:A", api=API + 1, tiled=True)


@pytest.mark.parametrize(
    ("api", "said"),
    [
        (LOWEST_API, "^$"),
        (API, "^$"),
        (API + 1, rf"API {API + 1}; this texprior has {LOWEST_API} to {API}: install a newer texprior, or an older"),
        (0, rf"API 0, which never was; write api={API} in its record$"),
        (-1, "API -1, which never was"),
    ],
)
def test_an_api_that_is_not_accepted_says_what_to_do(api, said):
    assert re.search(said, api_fault("x", api))


def test_an_api_that_is_accepted_no_longer_says_what_to_do(monkeypatch):
    monkeypatch.setattr("texprior.plugin.records.LOWEST_API", 2)
    assert api_fault("x", 1) == (
        "'x' is written for plugin API 1; this texprior has 2 to 2: install a newer version of the plugin, "
        "or change its record as docs/hooks.md says and write api=2"
    )


def test_what_can_be_declared_is_false_unless_it_is_said():
    found = {kind: flags_of(record) for kind, (_, record) in HOOK_OF_KIND.items()}
    assert found["sampler"] == ["deterministic", "stochastic", "posterior"]
    assert found["degradation"] == ["deterministic", "directional"]
    assert found["schedule"] == ["fixed", "of_process"]
    assert found["metric"] == []
    assert all(getattr(record("x", "m:X"), f) is False for _, record in HOOK_OF_KIND.values() for f in flags_of(record))


def test_every_first_party_record_states_the_current_api_and_nothing_is_translated():
    (own,) = [plugin for plugin in Registry.discover().plugins if plugin.distribution == "texprior"]
    assert {component.api for component in own.components} == {API}
    assert own.warning == ""


def test_a_record_is_copied_replaced_and_pickled():
    weights = Weights("w", "0" * 64, "MIT", "here")
    record = Metric("m", "m:M", Options, "M.", api=2, better="one", weights=(weights,))
    assert copy.copy(record) == copy.deepcopy(record) == pickle.loads(pickle.dumps(record)) == record
    assert dataclasses.replace(record, better="lower").better == "lower"


@pytest.mark.parametrize("record", [Component, *(record for _, record in HOOK_OF_KIND.values())])
def test_every_field_has_its_documentation_below_it(record, repository):
    source = (repository / "platform" / "texprior" / "plugin" / "records.py").read_text(encoding="utf-8")
    body = source.partition(f"class {record.__name__}(" if record is not Component else "class Component:")[2]
    for name in (n for n in record.__annotations__ if n not in ("kind", "_")):
        assert re.search(rf'^    {name}: [^\n]+\n    """[A-Z`][^"]*(\."""|``"""|")', body, re.MULTILINE), name
