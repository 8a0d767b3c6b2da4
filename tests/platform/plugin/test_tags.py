"""Tags are free words; one that looks like a field of the record is named, and nothing depends on it."""

import pytest

from texprior.plugin import Adapter, Decomposition, Degradation, Metric
from texprior.plugin.tags import tag_warnings
from texprior.registry import Registry


@pytest.mark.parametrize(
    ("record", "said"),
    [
        (
            Adapter("a", "m:A", tags=("cachable",)),
            ["adapter/a: tag 'cachable' is a word that nothing reads; did you mean cacheable=True?"],
        ),
        (
            Decomposition("d", "m:D", api=2, tags=("Local", "smooth")),
            ["decomposition/d: tag 'Local' is a word that nothing reads; write local=True"],
        ),
        (Degradation("g", "m:G", tags=("determinstic", "weather")), ["did you mean deterministic=True?"]),
        (Adapter("a", "m:A", tags=("slow",)), ["the field slow is of decomposition only"]),
        (Decomposition("d", "m:D", api=2, tags=("global", "local", "linear"), local=True), []),
        (Adapter("a", "m:A", tags=("weights", "control")), []),
        (Metric("m", "m:M", tags=("no-reference", "perceptual")), []),
    ],
)
def test_a_tag_that_looks_like_a_field_is_named(record, said):
    found = tag_warnings(record)
    assert len(found) == len(said)
    assert all(part in sentence for part, sentence in zip(said, found, strict=True))


def test_no_first_party_tag_looks_like_a_field():
    assert [sentence for entry in Registry.discover().entries() for sentence in tag_warnings(entry.component)] == []
