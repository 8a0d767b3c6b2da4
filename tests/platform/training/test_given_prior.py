"""An experiment that names a trained prior: adapters, sweeps and ablations use it, and find what is stored."""

import shutil

import pytest

from texprior import config
from texprior.errors import ConfigError
from texprior.models.folders import PRIOR
from texprior.registry import Registry
from texprior.runtime.identity import experiment_identity
from texprior.runtime.session import Session
from texprior.store import save_tensors, shipped_root
from texprior.training.given_prior import given_prior, on_given_prior
from texprior.training.prior import train_prior

SMALL = {"name": "x", "events": [], "encoder": "none", "denoiser": {"unet": {"width": 8}}}


@pytest.fixture(scope="module")
def registry():
    return Registry.discover()


@pytest.fixture
def prior(registry, tmp_path):
    """A folder that is a prior in all but its networks: an experiment and a record of the training."""
    folder = tmp_path / "prior"
    folder.mkdir()
    trained = config.resolve(
        {**SMALL, "decomposition": "l0", "training": {"prior": {"budget": {"images": 64}}}}, registry
    )
    (folder / "config.yaml").write_text(trained.to_yaml(), encoding="utf-8")
    save_tensors(folder / PRIOR, {}, {"images_seen": 72, "scale": 0.1})
    return folder


def session(registry, said, **more):
    experiment = config.resolve({**SMALL, **more}, registry)
    return Session.start(experiment, registry, said=config.Said(frozenset(said)))


def test_stage_one_and_its_cost_are_the_priors(registry, prior):
    on = on_given_prior(session(registry, [], prior=str(prior))).experiment
    assert on.decomposition.name == "l0"
    assert on.training.prior.budget.images == 72  # what it saw, not what was asked for


def test_the_cost_of_a_prior_counts_what_it_started_from(registry, prior):
    save_tensors(prior / PRIOR, {}, {"images_seen": 72, "images_before": 1000, "scale": 0.1})
    on = on_given_prior(session(registry, [], prior=str(prior))).experiment
    assert on.training.prior.budget.images == 1072


def test_a_shipped_prior_is_named_by_its_task(registry):
    """It is the folder of the prior, not that of the model."""
    folder = given_prior(session(registry, [], prior="shipped:noise").experiment)
    assert (folder / PRIOR).is_file()
    assert folder.parent == shipped_root()


def test_an_experiment_without_the_key_stays_as_it_is(registry):
    plain = session(registry, [])
    assert given_prior(plain.experiment) is None
    assert on_given_prior(plain) is plain


def test_other_settings_of_stage_one_are_refused_by_name(registry, prior):
    stated = session(registry, ["decomposition"], prior=str(prior), decomposition="guided")
    with pytest.raises(ConfigError, match='decomposition: the prior has "l0", the experiment "guided"'):
        on_given_prior(stated)


def test_the_place_of_a_prior_is_in_no_identity(registry, prior):
    moved = shutil.copytree(prior, prior.with_name("moved"))
    one, other = (experiment_identity(session(registry, [], prior=str(p)).experiment) for p in (prior, moved))
    assert one == other == experiment_identity(session(registry, []).experiment)


@pytest.mark.parametrize(
    ("place", "said"), [("nowhere", "there is no such folder"), (".", "prior.safetensors is missing")]
)
def test_what_is_no_prior_is_refused(registry, tmp_path, place, said):
    with pytest.raises(ConfigError, match=said):
        given_prior(session(registry, [], prior=str(tmp_path / place)).experiment)


def test_there_is_no_stage_one_to_train(registry, prior):
    with pytest.raises(ConfigError, match=r"names the trained prior .*'prior: null'"):
        train_prior(session(registry, [], prior=str(prior)))


def test_a_sweep_cannot_search_it(registry):
    with pytest.raises(ConfigError, match="prior"):
        config.resolve({**SMALL, "sweep": {"space": {"prior": ["a", "b"]}}}, registry)
