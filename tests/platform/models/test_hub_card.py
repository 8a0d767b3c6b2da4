"""The card of an exported model: its header is what hubs read, and its figures are those that it was given."""

import math
import sys

import pytest
import yaml

from texprior import config
from texprior.evaluation.about import About
from texprior.models.hub_card import (
    EVALUATED,
    MODEL_TITLE,
    Figures,
    Terms,
    header_of,
    kept_terms,
    missing_parts,
    read_header,
    training_part,
)
from texprior.registry import Registry

FIGURES = Figures("BSDS500", "restored 4 calls", 24, {"psnr_rgb": 30.59123456, "niqe": math.nan}, "| a |")
ADAPTER = """
from texprior.plugin import Adapter, Encoder, Weights, hookimpl

@hookimpl
def texprior_encoders():
    return [Encoder("seen", "far:Seen", weights=(Weights("far_net", "0" * 64, "MIT", "far.example"),))]
"""


@pytest.fixture(scope="module")
def registry():
    return Registry.discover()


@pytest.fixture
def experiment(registry):
    return config.resolve({"name": "x", "degradation": "rain"}, registry)


def test_the_header_has_the_fields_of_model_hubs(experiment, registry, tmp_path):
    header = header_of(experiment, "rain", Terms("cc-by-4.0", ["BSDS500"]), FIGURES, registry, experiment)
    first, text, rest = header.split("---\n")
    assert (first, rest) == ("", "")
    fields = yaml.safe_load(text)
    assert fields["license"] == "cc-by-4.0"
    assert fields["library_name"] == "texprior"
    assert fields["pipeline_tag"] == "image-to-image"
    assert "rain" in fields["tags"]
    assert fields["datasets"] == ["BSDS500"]
    assert fields["metrics"] == ["psnr_rgb"]  # a mean that is not finite is no value
    (entry,) = fields["model-index"]
    (result,) = entry["results"]
    assert result["dataset"]["name"] == "BSDS500, 24 pictures"
    (metric,) = result["metrics"]
    assert metric == {"type": "psnr_rgb", "name": "psnr_rgb, restored 4 calls", "value": 30.591}
    (tmp_path / "README.md").write_text(f"{header}\n# rain\n")
    assert read_header(tmp_path / "README.md") == fields


def test_a_model_names_the_photographs_of_all_its_trainings(registry):
    """Those of its prior first, each once; in place of a mixture, what it is made of."""
    mixed = {"mixed": {"of": [{"paired": {"clean": "a", "degraded": "b"}}, {"folder": {"path": "c"}}]}}
    model, prior = (
        config.resolve({"name": "x", "data": {"train": data}}, registry) for data in (mixed, {"folder": {"path": "d"}})
    )
    fields = yaml.safe_load(header_of(model, "x", Terms(), None, registry, prior).strip("-\n"))
    assert fields["datasets"] == ["folder", "paired"]


def test_a_prior_has_no_task_and_other_terms_have_a_name(experiment, registry):
    fields = yaml.safe_load(header_of(experiment, "x", Terms(), None, registry, prior=None).strip("-\n"))
    assert "pipeline_tag" not in fields
    assert "model-index" not in fields
    assert (fields["license"], fields["license_name"]) == ("other", "terms-of-the-training-photographs")
    assert fields["datasets"] == ["bundled"]


@pytest.mark.parametrize("text", ["# No header\n", "---\n- a list\n---\n", "---\na: [\n---\n", "---\nno end\n"])
def test_a_card_without_a_header_has_no_fields(tmp_path, text):
    (tmp_path / "README.md").write_text(text)
    assert read_header(tmp_path / "README.md") == {}


def test_the_training_part_has_lower_headings_and_no_scores():
    facts = {"split": "val", "data": {}, "seed": 0, "date": "", "commit": "", "version": "", "precision": ""}
    titles = [About(overrides=overrides, **facts).title for overrides in ({}, {"sampling.steps": (4, 8)})]
    assert all(title.startswith(EVALUATED) for title in titles)
    card = f"---\na: 1\n---\n# Model\n\nfacts\n\n## {titles[0]}\n\n1\n\n## Citations\n\nbook\n\n## {titles[1]}\n\n2\n"
    assert training_part(card) == "## Model\n\nfacts\n\n### Citations\n\nbook\n"


def test_the_card_of_an_export_has_the_training_part_of_its_source():
    trained = f"# {MODEL_TITLE} x\n\nfacts\n\n## Scores on val\n\n1\n\n## Citations\n\nbook\n"
    once = training_part(trained)
    exported = f"---\na: 1\n---\n# x: a restoration model\n\nof a folder\n\n## Scores\n\n28.98 dB\n\n{once}"
    assert training_part(exported) == once


def test_terms_that_an_export_does_not_say_are_those_of_its_source(tmp_path):
    (card := tmp_path / "README.md").write_text("---\nlicense: mit\ndatasets: [BSDS500]\n---\n# x\n")
    assert kept_terms(Terms(), card) == Terms("mit", ["BSDS500"])
    assert kept_terms(Terms("apache-2.0", ["own"]), card) == Terms("apache-2.0", ["own"])
    assert kept_terms(Terms(), tmp_path / "none.md") == Terms(datasets=[])


def test_what_is_in_no_folder_is_listed(tmp_path):
    assert missing_parts(config.resolve({"name": "x"}, Registry.discover()), Registry.discover()) == []
    (tmp_path / "far.py").write_text(ADAPTER)
    registry = Registry.discover([tmp_path / "far.py"])
    try:
        plugin, parameters = missing_parts(config.resolve({"name": "x", "encoder": "seen"}, registry), registry)
        assert plugin.startswith("`encoder/seen` of `far` sha256-")
        assert parameters == "parameters `far_net`, from far.example"
    finally:
        sys.modules.pop("far", None)
