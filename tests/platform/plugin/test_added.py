"""A setting that is added later: new experiments have it, stored ones are read as they were, digests find both."""

import types
from typing import Annotated

import pytest
from pydantic import Field

from texprior import config
from texprior.plugin import Before, Degradation, Kind, Options, Ref, hookimpl
from texprior.plugin.added import DIGEST, STORED, all_before_values, before_values
from texprior.registry import Registry


class Old(Options):
    """Blur as the first version had it."""

    radius: float = 2.0


class New(Options):
    """The same, with a setting that the first version did not have: it worked as with False."""

    radius: float = 2.0
    linear: Annotated[bool, Before(False)] = True


class Chain(Options):
    """Names other components."""

    of: Annotated[list[Ref], Kind("degradation")] = Field(default=[Ref(name="blur")])


def registry(options):
    module = types.ModuleType("blur_plugin")
    records = [Degradation("blur", "a:B", options), Degradation("chain", "a:C", Chain)]
    module.texprior_degradations = hookimpl(lambda: records)
    found = Registry.discover()
    found.register(module)
    return found


def made(options, degradation, **how):
    return config.resolve({"name": "x", "degradation": degradation}, registry(options), **how)


@pytest.mark.parametrize(
    ("degradation", "explicit"),
    [("blur", {"blur": {"linear": False}}), ("chain", {"chain": {"of": [{"blur": {"linear": False}}]}})],
)
def test_the_value_of_earlier_versions_is_the_same_work(degradation, explicit):
    """Named outright, or inside of another component."""
    before = made(Old, degradation)
    assert made(New, explicit).hash() == before.hash()
    assert made(New, degradation).hash() != before.hash()
    assert made(New, degradation).hash("seed") == before.hash("seed")


@pytest.mark.parametrize("degradation", ["blur", "chain"])
def test_a_stored_experiment_is_read_as_it_was(degradation):
    stored = made(Old, degradation).model_dump(mode="json")
    again = config.resolve(stored, registry(New), stored=True)
    assert "'linear': False" in str(again.degradation.options)
    assert again.hash() == made(Old, degradation).hash()
    assert "'linear': True" in str(config.resolve(stored, registry(New)).degradation.options)


def test_what_is_written_holds_the_setting_and_only_a_digest_leaves_it_out():
    chosen = made(New, {"blur": {"linear": False}})
    assert chosen.degradation.options == {"radius": 2.0, "linear": False}
    assert chosen.model_dump(mode="json")["degradation"] == {"blur": {"radius": 2.0, "linear": False}}
    assert chosen.model_dump(mode="json", context=dict(DIGEST))["degradation"] == {"blur": {"radius": 2.0}}


def test_another_option_set_on_a_reference_leaves_out_the_same():
    chosen = made(New, {"blur": {"linear": False}}).degradation
    other = chosen.with_options({**chosen.options, "radius": 3.0})
    assert other.options == {"radius": 3.0, "linear": False}
    assert other.model_dump(context=dict(DIGEST)) == {"blur": {"radius": 3.0}}
    switched = chosen.with_options({**chosen.options, "linear": True})
    assert switched.model_dump(context=dict(DIGEST)) == {"blur": {"radius": 2.0, "linear": True}}


def test_marks_are_found_in_nested_models():
    class Outer(Options):
        inner: New = New()
        plain: int = 1

    assert (before_values(New), before_values(Outer)) == ({"linear": False}, {})
    assert all_before_values(Outer) == {"inner": {"linear": False}}
    assert New.model_validate({}, context=dict(STORED)).linear is False
    assert New.model_validate({"linear": True}, context=dict(STORED)).linear is True
    assert New().linear is True
