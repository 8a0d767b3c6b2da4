"""Experiments with overrides and required plugins, written out so that they can be run again."""

import pytest
import yaml

from texprior.config import Experiment, get_path, load, resolve, with_overrides
from texprior.errors import ConfigError
from texprior.registry import Plugin, Registry


def test_overrides_follow_the_files_grammar(write, registry, complaint):
    path = write("name: x\nadapter: {cga: {width: 8}}\ndegradation: rain")
    e = load(path, registry, ["adapter.cga.rate=0.5", "sampling.steps=7", "metrics=[psnr]", "degradation=null"])
    assert e.adapter.options == {"width": 8, "rate": 0.5, "mode": "add"}
    assert (e.sampling.steps, [m.name for m in e.metrics], e.degradation) == (7, ["psnr"], None)
    e = load(path, registry, ["adapter=sft", "adapter.sft.width=3", "training.prior.lr=1e-4"])
    assert (e.adapter.name, e.adapter.options["width"], e.training.prior.lr) == ("sft", 3, 1e-4)
    assert e.training.prior.budget == Experiment(name="x").training.prior.budget
    said = complaint("name: x\nsampling: {steps: 2}", "sampling.steps=0")
    assert said.startswith("--set sampling.steps=0: sampling.steps: input should be greater than or equal to 1")


def test_the_resolved_file_is_enough_to_run_it_again(write, registry):
    text = "name: x\nadapter: {cga: {width: 8}}\nsweep: {space: {adapter: [cga, sft], training.adapter.lr: [0.1, 0.2]}}"
    e = load(write(text), registry, ["sampling.steps=2"])
    again = load(write(e.to_yaml(), "resolved.yaml"), registry)
    assert again == e
    assert again.hash() == e.hash()
    assert again.to_yaml() == e.to_yaml()
    written = yaml.safe_load(e.to_yaml())
    assert written["adapter"] == {"cga": {"width": 8, "rate": 0.1, "mode": "add"}}
    assert {f"adapter.{a}.{o}" for a in ("cga", "sft") for o in ("width", "rate", "mode")} < set(e.sweep.space)


def test_a_trials_values_are_set_by_path(registry):
    e = with_overrides(resolve({"name": "x"}, registry), {"adapter": "sft", "adapter.sft.width": 5}, registry)
    assert (e.adapter.name, e.adapter.options["width"]) == ("sft", 5)
    assert get_path(e.model_dump(mode="json"), "adapter.sft.width") == 5


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("acme-rain>=0.1", "plugin 'acme-rain' is not loaded; pip install 'acme-rain>=0.1'"),
        ("not a name", "'not a name' is not a valid requirement; write it as 'acme-rain>=0.1'"),
        ("stand-in>=1", "plugin 'stand-in' is unversioned, but 'stand-in>=1' is required"),
        ("acme-snow>=1.3", "plugin 'acme-snow' is 1.2, but 'acme-snow>=1.3' is required"),
    ],
)
def test_a_required_plugin_that_is_missing_is_told(write, registry, text, expected):
    with_snow = Registry([*registry.plugins, Plugin("acme-snow", "1.2", "loaded")])
    path = write(f"name: x\nrequires_plugins:\n  - {text}")
    with pytest.raises(ConfigError) as caught:
        load(path, with_snow)
    assert str(caught.value) == f"{path}:3: requires_plugins.0: {expected}"


@pytest.mark.parametrize("text", ["Stand_In", "acme.snow>=1.2,<2"])
def test_a_required_plugin_that_is_there_is_fine(registry, text):
    with_snow = Registry([*registry.plugins, Plugin("acme-snow", "1.2", "loaded")])
    assert resolve({"name": "x", "requires_plugins": [text]}, with_snow).requires_plugins == [text]
