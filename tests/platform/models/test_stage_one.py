"""Which Stage I settings of an experiment contradict a prior: only those that it states."""

import pytest

from texprior import config
from texprior.config.search_space import _SHARED
from texprior.models.stage_one import COMPONENTS, VALUES, describe_differences, stage_one_differences, with_stage_one_of
from texprior.registry import Registry


@pytest.fixture(scope="module")
def registry():
    return Registry.discover()


@pytest.fixture
def differences(registry):
    def differences(own, of_prior):
        data = {"name": "own", **own}
        experiment = config.resolve(data, registry)
        prior = config.resolve({"name": "prior", **of_prior}, registry)
        found = stage_one_differences(experiment, prior, config.said_in(data, registry), registry)
        return [(d.path, d.of_prior, d.stated) for d in found], experiment, prior

    return differences


PRIOR = {
    "decomposition": {"guided": {"eps": 0.02}},
    "encoder": "none",
    "denoiser": {"unet": {"width": 8}},
    "diffusion": {"condition_blur": 1.5},
}


@pytest.mark.parametrize(
    ("own", "expected"),
    [
        ({}, []),
        ({"decomposition": "guided", "denoiser": {"unet": {"levels": 3}}, "diffusion": {"noise_std": 1.0}}, []),
        ({"decomposition": "l0"}, [("decomposition", "guided", "l0")]),
        ({"decomposition": {"guided": {"eps": 0.03}}}, [("decomposition.guided.eps", 0.02, 0.03)]),
        ({"encoder": {"mobilenet_v2": {"stages": 14}}}, [("encoder", "none", "mobilenet_v2")]),
        ({"denoiser": {"unet": {"width": 16}}}, [("denoiser.unet.width", 8, 16)]),
        ({"diffusion": {"condition_blur": 0.0}}, [("diffusion.condition_blur", 1.5, 0.0)]),
        ({"diffusion": {"code_dropout": 0.1}}, [("diffusion.code_dropout", 0.0, 0.1)]),
        ({"match_texture_std": 0.05}, [("match_texture_std", None, 0.05)]),
    ],
)
def test_what_is_stated_and_differs_is_a_contradiction(differences, own, expected):
    assert differences(own, PRIOR)[0] == expected


def test_a_strength_that_both_search_for_the_same_texture_is_no_contradiction(differences):
    own = {"match_texture_std": 0.05, "decomposition": {"guided": {"eps": 0.01, "radius": 4}}}
    of_prior = {"match_texture_std": 0.05, "decomposition": {"guided": {"eps": 0.0173, "radius": 8}}}
    assert differences(own, of_prior)[0] == [("decomposition.guided.radius", 8, 4)]


def test_no_sweep_searches_what_belongs_to_the_prior():
    assert {*COMPONENTS, *VALUES} <= set(_SHARED)


def test_what_is_left_open_is_the_priors(differences):
    _, experiment, prior = differences({"diffusion": {"noise_std": 1.0}}, PRIOR)
    used = with_stage_one_of(experiment, prior)
    assert (used.decomposition, used.encoder, used.denoiser) == (prior.decomposition, prior.encoder, prior.denoiser)
    assert (used.diffusion.condition_blur, used.diffusion.noise_std) == (1.5, 1.0)
    assert experiment.encoder.name == "mobilenet_v2"


def test_a_message_lists_five_differences(registry):
    own = {"unet": {"width": 16, "levels": 4, "blocks": 3, "heads": 8}}
    data = {"name": "own", "decomposition": "l0", "encoder": "mobilenet_v2", "denoiser": own}
    of_prior = config.resolve(
        {"name": "p", **PRIOR, "denoiser": {"unet": {"width": 8, "levels": 2, "blocks": 1, "heads": 1}}}, registry
    )
    found = stage_one_differences(config.resolve(data, registry), of_prior, config.said_in(data, registry), registry)
    text = describe_differences(found, "the prior P")
    assert text.startswith("these 6 settings differ from those of the prior P")
    assert '\n  decomposition: the prior has "guided", the experiment "l0"\n' in text
    assert text.count("the prior has") == 5
    assert "and 1 more" in text
    assert "train another prior" in text
