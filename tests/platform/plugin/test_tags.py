"""Tags that are read: in one list, in the documentation, and told apart from misspelt ones."""

import re

import pytest

from texprior.plugin import Adapter, Decomposition, Degradation
from texprior.plugin.tags import KINDS_OF_TAG, Tag, tag_warnings
from texprior.registry import Registry
from texprior.testing.catalogue import CHECKS, tagged


@pytest.mark.parametrize(
    ("record", "said"),
    [
        (
            Adapter("a", "m:A", tags=("cachable",)),
            ["adapter/a: tag 'cachable' is a label that nothing reads; did you mean 'cacheable'?"],
        ),
        (Decomposition("d", "m:D", tags=("Local", "smooth")), ["did you mean 'local'?"]),
        (Degradation("g", "m:G", tags=("determinstic", "weather")), ["did you mean 'deterministic'?"]),
        (Adapter("a", "m:A", tags=("local",)), ["tag 'local' is read for decomposition, denoiser, predictor only"]),
        (Decomposition("d", "m:D", tags=("global", "slow", "linear", "edge-preserving")), []),
        (Adapter("a", "m:A", tags=("weights", "control", "cacheable")), []),
    ],
)
def test_a_tag_that_looks_misspelt_is_named(record, said):
    found = tag_warnings(record)
    assert len(found) == len(said)
    assert all(part in sentence for part, sentence in zip(said, found, strict=True))


def test_no_first_party_tag_looks_misspelt():
    assert [sentence for entry in Registry.discover().entries() for sentence in tag_warnings(entry.component)] == []


def test_the_documentation_lists_the_tags_with_their_kinds(repository):
    section = (
        (repository / "docs" / "hooks.md").read_text(encoding="utf-8").partition("## Tags")[2].partition("\n## ")[0]
    )
    listed = {}
    for names, kinds in re.findall(r"^\| (`[^|]+`) \| ([^|]+) \|", section, re.MULTILINE):
        for name in re.findall(r"`([^`]+)`", names):
            listed.setdefault(name, []).extend(kinds.split(", "))
    assert listed == {str(tag): list(kinds) for tag, kinds in KINDS_OF_TAG.items()}


def test_a_check_cannot_depend_on_a_tag_that_is_not_in_the_list():
    with pytest.raises(ValueError, match="cachable"):
        tagged("cachable")
    assert {f"tag `{tag}`" for tag in Tag} >= {c.when.words for c in CHECKS.values() if c.when.words.startswith("tag")}
