"""Stage I at a matched strength, structures from disk, and several patches a visit: real trainings, small ones."""

import json

import pytest
import torch
import yaml

from texprior import config
from texprior.errors import ConfigError
from texprior.models.folders import ADAPTER, PRIOR, load_prior
from texprior.registry import Registry
from texprior.runtime.builder import Builder
from texprior.runtime.session import Session
from texprior.store import load_tensors
from texprior.training.adapter import train_adapter
from texprior.training.predictor import train_predictor
from texprior.training.prior import prior_place, train_prior

TRAINING = {"budget": {"images": 16}, "batch": 8, "patch": 32, "warmup_images": 0}
SMALL = {
    "name": "small",
    "threads": 1,
    "data": {part: {"bundled": {"max_side": 96}} for part in ("train", "val", "test")} | {"variants": 1},
    "encoder": "none",
    "denoiser": {"unet": {"width": 8, "levels": 2, "blocks": 1, "heads": 1}},
    "predictor": {"unet": {"width": 8, "levels": 1, "blocks": 1}},
    "adapter": {"cga": {"width": 8}},
    "training": {"prior": TRAINING, "predictor": TRAINING, "adapter": TRAINING},
    "metrics": ["psnr"],
    "events": [],
}


def here(registry):
    """Where a folder is loaded: these components, on the CPU."""
    return Builder(config.resolve({"name": "here", "device": "cpu"}, registry), registry)


@pytest.fixture(scope="module")
def registry():
    return Registry.discover()


@pytest.fixture
def session(registry, tmp_path):
    """Makes a session of the small experiment with overrides, in a folder of its own."""

    def make(*overrides, place="runs", say=lambda _message: None):
        experiment = config.resolve(SMALL, registry, overrides)
        return Session.start(experiment, registry, root=tmp_path / place, say=say)

    return make


def weights(folder, *names):
    return {name: tensor for file in names for name, tensor in load_tensors(folder / file)[0].items()}


def equal(first, second):
    return first.keys() == second.keys() and all(torch.equal(tensor, second[name]) for name, tensor in first.items())


def test_stage_one_at_a_given_deviation_of_the_texture(session, registry):
    """The strength is found once, stored and used; what leads to the same match is the same training."""
    target, said = "match_texture_std=0.03", []
    folder = train_prior(session(target, say=said.append)).folder
    prior = load_prior(folder, here(registry))
    eps = prior.experiment.decomposition.options["eps"]
    found = json.loads((folder / "strength.json").read_text())
    assert prior.scale == pytest.approx(0.03, rel=0.011)
    assert found["decomposition"] == {"guided": {"radius": 8, "eps": eps}}
    assert (found["target"], found["value"]) == (0.03, eps)
    assert eps != config.resolve(SMALL, registry).decomposition.options["eps"]

    stored = config.resolve(yaml.safe_load((folder / "config.yaml").read_text()), registry)
    assert stored.match_texture_std == 0.03
    again = session(target).with_(experiment=stored)
    assert prior_place(again).folder == prior_place(session(target)).folder == folder
    assert prior_place(session()).folder != folder

    longer = train_prior(session(target, "training.prior.budget.images=24", say=said.append)).folder
    assert load_prior(longer, here(registry)).experiment.decomposition.options["eps"] == eps
    assert sum("looking for the strength" in line for line in said) == 1
    described = prior.describe(session().experiment)
    assert (described.decomposition.options["eps"], described.match_texture_std) == (eps, 0.03)


def test_a_deviation_out_of_reach_ends_before_training(session, tmp_path):
    with pytest.raises(ConfigError, match=r"decomposition 'guided': no strength gives .* 0.9 on \d+ pictures; it goes"):
        train_prior(session("match_texture_std=0.9"))
    assert not list(tmp_path.rglob("*.safetensors"))
    with pytest.raises(ConfigError, match="match_texture_std: decomposition 'none' declares no option as its strength"):
        session("match_texture_std=0.1", "decomposition=none")


def test_structures_from_disk_change_no_weight(session, tmp_path, monkeypatch):
    """With an empty cache, with a full one, and with none, trainings on a slow decomposition are equal to the bit."""
    monkeypatch.setenv("TEXPRIOR_CACHE", str(tmp_path / "cache"))
    found = []
    for place, kept in (("cold", ()), ("warm", ()), ("none", ("data.disk_cache_mb=0",))):
        s = session("decomposition={tv: {tolerance: 0.05}}", *kept, place=place)
        prior, predictor = train_prior(s).folder, train_predictor(s).folder
        model = train_adapter(s, prior, predictor).folder
        found.append(weights(prior, PRIOR) | weights(model, ADAPTER))
    assert equal(found[0], found[1])
    assert equal(found[0], found[2])
    # those that are trained on, and those that the trainings are measured on at their end
    photographs = len(s.pictures("train")[1]) + len(s.pictures("val")[1])
    # degraded versions, estimates, and the structures of the clean ones and of the estimates
    assert len(list((tmp_path / "cache").rglob("*.safetensors"))) == 4 * photographs


def test_several_patches_a_visit_are_a_training_of_their_own_that_resumes_to_the_bit(session):
    several = "data.patches_per_photograph=3"
    whole = train_prior(session(several, "training.prior.budget.images=64", place="whole")).folder
    train_prior(session(several, "training.prior.budget.images=24", place="parts"))
    rest = train_prior(session(several, "training.prior.budget.images=64", place="parts")).folder
    assert equal(weights(whole, PRIOR), weights(rest, PRIOR))
    one = prior_place(session("training.prior.budget.images=64", place="whole"))
    assert one == prior_place(
        session("data.patches_per_photograph=1", "training.prior.budget.images=64", place="whole")
    )
    assert one != whole
