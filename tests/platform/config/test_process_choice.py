"""Settings that cannot work with a diffusion process are refused before anything is built, with what to do."""

import pytest

from texprior import config
from texprior.errors import ConfigError
from texprior.plugin import Process, hookimpl
from texprior.plugin.added import DIGEST
from texprior.registry import Registry


@pytest.fixture(scope="module")
def registry():
    import types

    module = types.ModuleType("silent_processes")
    hook = "texprior_processes"
    setattr(module, hook, hookimpl(lambda: [Process("silent", "nowhere:Silent", api=2)], specname=hook))
    found = Registry.discover()
    found.register(module)
    return found


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"diffusion": {"process": "picture"}, "process": {"base": "estimate-structure"}},
         "process.base: 'estimate-structure' has no effect: the process 'picture' chooses the base itself; leave "
         "process.base out, or use diffusion.process: texture"),
        ({"diffusion": {"process": "silent"}, "sampling": {"sampler": "posterior"}},
         "sampling.sampler: 'posterior' follows the reverse chain of the process, but 'silent' states none; use "
         "sampling.sampler: ddpm"),
        ({"diffusion": {"process": "texture"}, "sampling": {"start": "estimate"}},
         "sampling.start: 'estimate' starts at the layer of y_eps"),
        ({"sweep": {"space": {"diffusion.process": ["texture", "picture"]}}},
         "sweep.space.diffusion.process: this belongs to the prior or the predictor, which all trials share"),
        ({"diffusion": {"process": "pictures"}}, "there is no process 'pictures'; did you mean 'picture'?"),
    ],
)  # fmt: skip
def test_what_cannot_work_with_a_process_is_said(registry, settings, said):
    with pytest.raises(ConfigError) as error:
        config.resolve({"name": "x", **settings}, registry)
    assert said in str(error.value)


@pytest.mark.parametrize(
    "settings",
    [
        {"diffusion": {"process": "residual-shift"}, "sampling": {"sampler": "posterior", "start": "estimate"}},
        {"diffusion": {"process": "texture"}, "process": {"base": "estimate-structure"}},
        {"sampling": {"sampler": "posterior"}},
    ],
)
def test_what_works_is_accepted(registry, settings):
    config.resolve({"name": "x", **settings}, registry)


def test_the_texture_changes_no_digest_and_another_process_does(registry):
    plain = config.resolve({"name": "x"}, registry)
    stated = config.resolve({"name": "x", "diffusion": {"process": "texture"}}, registry)
    other = config.resolve({"name": "x", "diffusion": {"process": "picture"}}, registry)
    assert plain.hash() == stated.hash() != other.hash()
    assert "process" not in plain.diffusion.model_dump(mode="json", context=dict(DIGEST))
    data = plain.model_dump(mode="json")
    del data["diffusion"]["process"]
    assert config.resolve(data, registry, stored=True).diffusion.process.name == "texture"
