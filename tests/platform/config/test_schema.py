"""Rules between keys, and the hash that follows the content."""

import pytest
from pydantic import ValidationError

from texprior.config import Experiment, resolve, with_overrides


def test_a_rule_between_two_keys_is_told_at_their_section(complaint):
    said = complaint("name: x\nsampling: {sigma_min: 30}")
    assert said.startswith("e.yaml:2: sampling: sigma_min 30.0 must be smaller than sigma_max 20.0")
    said = complaint("name: x\ntraining:\n  prior: {microbatch: 3}")
    assert said.startswith("e.yaml:3: training.prior: microbatch 3 does not divide batch 16")


def test_the_hash_follows_the_content_and_only_the_named_parts(registry):
    e, same = resolve({"name": "x"}, registry), resolve({"sampling": {"steps": 4}, "name": "x"}, registry)
    other = with_overrides(e, {"sampling.steps": 5}, registry)
    assert e.hash() == same.hash() != other.hash()
    assert e.hash("data", "training.prior") == other.hash("data", "training.prior")
    assert e.hash("sampling") != other.hash("sampling")
    assert len(e.hash()) == 10
    assert int(e.hash(), 16) >= 0


def test_experiments_are_frozen(registry):
    e = resolve({"name": "x"}, registry)
    with pytest.raises(ValueError, match="frozen"):
        e.seed = 3


@pytest.mark.parametrize(
    "name", ["CON", "nul", "com1.txt", "Aux.tar.gz", "a.", "a..", "x" * 201, "-a", ".a", "a/b", "a\n"]
)
def test_a_name_that_no_folder_can_have_everywhere_is_refused(name):
    with pytest.raises(ValidationError):
        Experiment(name=name)


@pytest.mark.parametrize("name", ["console", "a.b", "com", "com10", "x" * 200])
def test_other_names_are_taken(name):
    assert Experiment(name=name).name == name
