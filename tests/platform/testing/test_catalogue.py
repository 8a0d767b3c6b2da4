"""The catalogue: stable ids, rules with fixes, floors, and a page that lists them all."""

import re

import pytest

from texprior.errors import ConfigError
from texprior.plugin import KINDS, Metric, Sampler
from texprior.testing import CHECKS, FLOOR, checks_of
from texprior.testing.catalogue import check, declares, find
from texprior.testing.page import catalogue

MAY_NOT_RUN = {
    *("any.entry-module", "any.device", "degradation.workers", "predictor.gradients", "adapter.acts"),
    *("adapter.gradients", "sampler.noise", "dataset.splits", "denoiser.fresh"),
    *("optimizer.weight-decay", "adapter.given", "predictor.learned", "encoder.map", "degradation.drawn"),
}
"""Always asked for, but not run where there is nothing to look at: a single file, no accelerator, no parameter, ..."""


@pytest.mark.parametrize("found", CHECKS.values(), ids=list(CHECKS))
def test_a_check_says_its_rule_and_its_fix(found):
    family, _, name = found.id.partition(".")
    assert family in ("any", *found.kinds)
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name)
    assert re.fullmatch(r"[A-Z`].*\.", found.rule, re.DOTALL), found.rule
    assert re.fullmatch(r"[A-Z`].*[.)`]", found.fix, re.DOTALL), found.fix


@pytest.mark.parametrize("kind", KINDS)
def test_the_floor_is_what_runs_on_every_component(kind):
    always = [c for c in CHECKS.values() if kind in c.kinds and not c.when.words and c.id not in MAY_NOT_RUN]
    # a metric has those of its scope as well: five of an image, four of a set
    assert FLOOR[kind] == len(always) + (4 if kind == "metric" else 0)


def test_the_page_lists_every_check_as_the_catalogue_has_it(repository):
    page = (repository / "docs" / "conformance.md").read_text(encoding="utf-8")
    assert catalogue() in page, "docs/conformance.md: replace the tables by what python -m texprior.testing.page prints"
    assert all(f"`{id_}`" in page for id_ in CHECKS)


def test_checks_are_chosen_by_what_the_record_declares():
    deterministic, stochastic = (Sampler("s", "m:S", **{f: True}) for f in ("deterministic", "stochastic"))
    assert {c.id for c in checks_of(deterministic)} ^ {c.id for c in checks_of(stochastic)} == {
        "sampler.deterministic",
        "sampler.stochastic",
    }
    with_one, without = (Metric("m", "m:M", reference=reference) for reference in (True, False))
    assert {c.id for c in checks_of(with_one)} ^ {c.id for c in checks_of(without)} == {
        "metric.identity",
        "metric.against",
        "metric.reference",
    }
    assert checks_of(with_one)[-1].id == "any.floor"


def test_a_check_cannot_depend_on_a_field_that_no_record_has():
    with pytest.raises(ValueError, match="no record has a field 'cachable'"):
        declares("cachable")
    named = {c.when.words for c in CHECKS.values() if c.when.words.endswith("=True`")}
    assert {f"`{f}=True`" for f in ("local", "cacheable", "deterministic", "stochastic", "tracker")} <= named


def test_an_id_that_is_not_there_or_not_for_it_is_a_sentence():
    sampler = Sampler("s", "m:S")
    assert find("sampler.order", sampler).kinds == ("sampler",)
    with pytest.raises(
        ConfigError, match=r"there is no conformance check 'sampler.ordr'; did you mean 'sampler.order'\?"
    ):
        find("sampler.ordr", sampler)
    with pytest.raises(ConfigError, match=r"'adapter.identity' does not apply to sampler 's', but to: adapter with"):
        find("adapter.identity", sampler)


def test_a_check_without_a_fix_or_of_a_taken_id_is_refused():
    def rule(_subject):
        """A rule alone."""

    with pytest.raises(ValueError, match="needs a unique id, and a docstring with its rule and its fix"):
        check("sampler.rule", "sampler")(rule)
    rule.__doc__ = "A rule. Fix: obey."
    with pytest.raises(ValueError, match=r"'sampler.order' needs a unique id"):
        check("sampler.order", "sampler")(rule)
    assert "sampler.rule" not in CHECKS
