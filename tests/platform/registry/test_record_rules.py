"""Wrong records: each is refused with what to write, and nothing relies on it."""

import pytest

from texprior.errors import IncompatibleError, PluginError
from texprior.plugin import (
    API,
    HOOK_OF_KIND,
    Command,
    Dataset,
    Decomposition,
    Degradation,
    Launcher,
    Metric,
    Options,
    Sampler,
    Weights,
)
from texprior.registry.record_rules import check_record


class Wide(Options):
    width: int = 1


def refusal(record):
    with pytest.raises(PluginError) as caught:
        check_record(record, type(record), HOOK_OF_KIND[record.kind][0])
    return str(caught.value)


@pytest.mark.parametrize(
    ("record", "said"),
    [
        (Degradation("g", "m:G", tags="fast"), "'g': tags must be a tuple of texts, such as ('fast',), not 'fast'"),
        (Degradation("g", "m:G", tags=(1,)), "'g': tags must be a tuple of texts, not (1,)"),
        (Degradation("g", "m:G", deterministic="no"), "'g': deterministic must be True or False, not 'no'"),
        (Degradation("g", "m:G", deterministic=1), "'g': deterministic must be True or False, not 1"),
        (Degradation("g", "m:G", citation=None), "'g': citation must be a text, not None"),
        (Degradation("g", "m:G", api="2"), "'g': api must be a whole number, not '2'"),
        (Degradation("g", "m:G", api=True), "'g': api must be a whole number, not True"),
        (Degradation(3, "m:G"), "'3': name must be a text, not 3"),
        (Degradation("g", "m:G", weights=("w",)), "'g': weights must be a tuple of Weights records, not ('w',)"),
        (Command("c", "m:c", Wide), "'c': a command has no options of texprior; give its click.Command the options"),
        (Launcher("l", "m:L", local="here"), "'l': local must be True or False, not 'here'"),
        (Sampler("s", "m:S", order=2.5), "'s': order must be a whole number, not 2.5"),
        (Metric("m", "m:M", better="Higher"), "'m': better must be 'higher', 'lower' or 'one', not 'Higher'"),
        (Metric("m", "m:M", better="one", scope="sets"), "'m': scope must be 'image' or 'set', not 'sets'"),
        (Metric("m", "m:M", better="one", reference=None), "'m': reference must be True or False, not None"),
        (Dataset("d", "m:D", licence=("MIT",)), "'d': licence must be a text, not ('MIT',)"),
    ],
)
def test_a_value_of_another_type_is_told_with_what_to_write(record, said):
    assert refusal(record) == said


def test_a_direction_must_be_said_from_api_2_on():
    said = "'m': say which scores are better: better='higher', better='lower', or better='one' (closest to 1)"
    assert refusal(Metric("m", "m:M", api=2)) == said
    for record in (Metric("m", "m:M", api=2, better="one"), Metric("m", "m:M", api=1)):
        check_record(record, Metric, "texprior_metrics")


def test_a_later_api_is_told_before_what_its_fields_mean():
    with pytest.raises(IncompatibleError, match="install a newer texprior"):
        check_record(Metric("m", "m:M", api=API + 1, better="middle"), Metric, "texprior_metrics")


def test_right_records_of_every_kind_pass():
    for kind, (hook, record) in HOOK_OF_KIND.items():
        more = {"metric": {"better": "one"}, "objective": {"layer": True}}.get(kind, {})
        weights = [Weights("w", "0" * 64, "MIT", "here")]
        check_record(record("x", "m:X", api=API, tags=["a"], weights=weights, **more), record, hook)
    check_record(Decomposition("d", "m:D", api=2, strength="radius", slow=True), Decomposition, "texprior_x")
