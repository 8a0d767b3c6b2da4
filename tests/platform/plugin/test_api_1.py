"""Records of plugin API 1: what their tags meant is what the fields say now, and their author is told once."""

import pytest

from texprior.plugin import HOOK_OF_KIND, Adapter, Dataset, Metric, Sampler
from texprior.plugin.api_1 import KINDS_OF_TAG, field_of, translate
from texprior.plugin.records import flags_of


@pytest.mark.parametrize(("tag", "kind"), [(tag, kind) for tag, kinds in KINDS_OF_TAG.items() for kind in kinds])
def test_a_tag_with_a_meaning_becomes_its_field(tag, kind):
    _, record = HOOK_OF_KIND[kind]
    old = record("x", "m:X", tags=("word", tag))
    new, advice = translate(old)
    assert {f for f in flags_of(record) if getattr(new, f)} == {field_of(tag)}
    assert (new.tags, new.api, new.kind) == (old.tags, 1, kind)
    assert f"in {kind}/x {field_of(tag)}=True instead of the tag '{tag}'" in advice


def test_a_tag_had_no_meaning_for_other_kinds():
    old = Adapter("a", "m:A", tags=("local", "tracker", "deterministic"))
    assert translate(old) == (old, "")


def test_a_metric_that_does_not_say_its_direction_counts_as_before():
    new, advice = translate(Metric("m", "m:M"))
    assert (new.better, advice) == ("higher", "in metric/m better= (not said, so 'higher' is assumed)")
    said = Metric("m", "m:M", better="lower")
    assert translate(said) == (said, "")


def test_what_is_said_by_a_field_already_needs_no_advice():
    old = Sampler("s", "m:S", tags=("stochastic",), stochastic=True)
    assert translate(old) == (old, "")


def test_a_record_of_api_2_is_left_as_it_is():
    new = Dataset("d", "m:D", api=2, tags=("own-pictures",))
    assert translate(new) == (new, "")
    assert new.own_pictures is False
