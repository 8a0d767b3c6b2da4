"""What an adapter sees: all that is derived from the degraded picture, tile by tile, and the noise level at a block."""

import sys
from pathlib import Path

import pytest
import torch

from texprior import config, pipeline
from texprior.diffusion.process import Process
from texprior.flow.adapt import BlockAdapter, DenoiserAdapter, Features, Given, features_of, steered
from texprior.flow.condition import blurred
from texprior.flow.decompose import decompose
from texprior.flow.kinds import PREDICTOR
from texprior.flow.prior import Block, DenoiserNet, unguided
from texprior.models.build import Model, build_adapter, build_prior
from texprior.models.inputs import inputs_of
from texprior.models.sampling import noise_levels_of
from texprior.registry import Registry
from texprior.runtime.session import Session
from texprior.testing.material import perturbed, photographs
from texprior.training.adapter import train_adapter
from texprior.training.data import guided_pool, pair_pool
from texprior.training.losses import LayerLoss
from texprior.training.patches import Patches
from texprior.training.predictor import train_predictor
from texprior.training.prior import train_prior

PLUGIN = '''
import torch
from texprior.flow.adapt import DenoiserAdapter, Features, Given
from texprior.plugin import Adapter, hookimpl

SEEN = []


class Witness(DenoiserAdapter):
    """Remembers what it was given; x plus the difference of degraded picture and estimate is what it estimates."""

    def __init__(self, options, denoiser):
        super().__init__()
        self.strength = torch.nn.Parameter(torch.ones(()))

    def features_from(self, given: Given) -> Features:
        SEEN.append(given)
        return {"removed": given.degraded - given.estimate}

    def adapted(self, denoiser, features):
        return lambda x, noise, condition, code: self.strength * (features["removed"] + condition + code.mean())


class OfOld(Witness):
    """An adapter as of API 1, which knows the estimate only."""

    features_from = DenoiserAdapter.features_from

    def features(self, estimate_BCHW):
        SEEN.append(estimate_BCHW)
        return {"removed": estimate_BCHW}


@hookimpl
def texprior_adapters():
    return [
        Adapter("witness", "witness_idea:Witness", summary="Sees.", api=2, identity="no", local=True),
        Adapter("whole", "witness_idea:Witness", summary="Sees the whole.", api=2, identity="no"),
        Adapter("of_old", "witness_idea:OfOld", summary="Sees the estimate.", identity="no", local=True),
    ]
'''
SETTINGS = {
    "name": "x",
    "events": [],
    "threads": 1,
    "denoiser": {"unet": {"width": 8, "levels": 2, "blocks": 1}},
    "predictor": {"unet": {"width": 8, "levels": 1, "blocks": 1}},
    "data": {"train": {"bundled": {"max_side": 64}}, "variants": 1},
    "training": {"adapter": {"patch": 32}},
}


@pytest.fixture(scope="module")
def registry(tmp_path_factory):
    file = tmp_path_factory.mktemp("plugin") / "witness_idea.py"
    file.write_text(PLUGIN, encoding="utf-8")
    return Registry.discover([file])


@pytest.fixture
def model(registry, tmp_path):
    def build(adapter, **changes):
        settings = {**SETTINGS, "adapter": adapter, **changes}
        session = Session(config.resolve(settings, registry), registry, root=tmp_path)
        prior, predictor = build_prior(session.builder, 0.1, Path()), perturbed(session.build(PREDICTOR)).eval()
        adapter = build_adapter(session.builder, prior)
        made = Model(session.experiment, prior, predictor, adapter, Process(0.1), Path(), registry)
        return session, made, sys.modules["witness_idea"].SEEN

    return build


def derived(made, degraded):
    """What a restoration of the whole picture derives from it, and the structure of the estimate."""
    with torch.no_grad():
        found = inputs_of(degraded, made.experiment, made.predictor, made.prior, made.prior.encoder)
        return found, decompose(found.estimate, made.prior.decomposition).structure


@pytest.mark.parametrize("unfreeze", ["none", "norms"])
def test_in_a_restoration_it_sees_each_tile_of_all_that_is_derived(model, unfreeze):
    """With the noise of the whole picture on the condition, and without it on the structure."""
    noisy = {"condition_noise": 0.1, "condition_blur": 1.0}
    process, sampling = {"unfreeze": unfreeze}, {"tile": 64, "halo": 16, "steps": 1}
    _, made, seen = model("witness", process=process, sampling=sampling, diffusion=noisy)
    degraded = photographs(1, 128, 96)
    expected, structure = derived(made, degraded)
    seen.clear()
    pipeline.restore(made, degraded, "pic")
    assert [given.degraded.shape[-2:] for given in seen] == [(80, 80), (80, 48), (80, 80), (80, 48)]
    last = seen[-1]
    assert torch.equal(last.degraded, degraded[..., 48:, 48:])
    torch.testing.assert_close(last.estimate, expected.estimate[..., 48:, 48:])
    torch.testing.assert_close(last.structure, blurred(structure, 1.0)[..., 48:, 48:])
    assert torch.equal(last.code, expected.code)
    assert float((last.condition - last.structure).std()) == pytest.approx(0.1, rel=0.1)


def test_one_that_is_not_local_sees_the_whole_picture_once(model):
    _, made, seen = model("whole", sampling={"tile": 64, "halo": 16, "steps": 2}, process={"concat": "initial"})
    seen.clear()
    pipeline.restore(made, photographs(1, 128, 96), "pic")
    (given,) = seen
    assert given.degraded.shape == given.condition.shape == (1, 3, 128, 96)
    # the condition is no structure in this process
    assert given.structure is None


@pytest.mark.parametrize("adapter", ["witness", "of_old"])
def test_in_training_it_sees_the_patch_and_the_pool_holds_what_it_sees(model, adapter):
    session, made, seen = model(adapter)
    pairs, prior = pair_pool(session, 32), made.prior
    pool = guided_pool(made.experiment, pairs, prior, made.predictor, with_degraded=made.adapter.sees_given)
    assert ("degraded" in pool[0]) is (adapter == "witness")
    levels = noise_levels_of(session.registry, made.experiment.diffusion, prior.process, 0.1)
    patches = Patches(pool, 32, seed=0)
    loss, batch = LayerLoss(made.experiment, prior, Process(0.1), patches, False, levels), patches.batch([3, 4])
    seen.clear()
    found = loss.stage_two(made.adapter, [3, 4])
    (given,) = seen
    if adapter == "of_old":
        assert torch.equal(given, batch["estimate"])
        return
    for name in ("degraded", "estimate", "condition", "code"):
        assert torch.equal(getattr(given, name), batch[name])
    assert torch.equal(given.structure, batch["condition"])

    # the loss follows the degraded picture: F is (y_d - y_eps + condition + mean code)
    made.adapter.strength.data.zero_()
    assert not torch.equal(found, loss.stage_two(made.adapter, [3, 4]))


class Levelled(DenoiserNet):
    """A denoiser of one block, which is the identity."""

    code_width = 0

    def blocks(self):
        return {"net": Block(3, 1, "middle")}

    def forward(self, x_BCHW, noise_B, condition_BCHW, code_BNC, guide=unguided, skip=unguided):
        return guide("net", x_BCHW)


class AtNoise(BlockAdapter):
    """h + c_noise y_eps."""

    def features(self, estimate_BCHW):
        return {"y": estimate_BCHW}

    def after_block_at(self, block, hidden_BCHW, features, noise_B):
        return hidden_BCHW + noise_B[:, None, None, None] * features["y"]


def test_a_block_adapter_knows_the_noise_level_of_each_sample():
    adapter, (x, y) = AtNoise(Levelled()), torch.rand(2, 2, 3, 4, 4)
    noise = torch.tensor([-1.0, 0.5])
    features = features_of(adapter, Given(x, y, x, torch.zeros(2, 0, 0)))
    found = steered(adapter, Levelled(), features)(x, noise, x, torch.zeros(2, 0, 0))
    assert torch.equal(found, x + noise[:, None, None, None] * y)


def test_without_a_level_the_guide_is_made_once(monkeypatch):
    """An adapter as of API 1 may override ``guide``; it is asked for it once per picture, as ever."""
    asked = []

    class OfOld(BlockAdapter):
        def guide(self, features: Features):
            asked.append(features)
            return lambda block, h: 2 * h

    adapter, x = OfOld(Levelled()), torch.rand(1, 3, 4, 4)
    network = adapter.adapted(Levelled(), {})
    for _ in range(3):
        assert torch.equal(network(x, torch.zeros(1), x, torch.zeros(1, 0, 0)), 2 * x)
    assert len(asked) == 1


def test_an_adapter_that_says_nothing_of_a_block_is_told_so():
    class Silent(BlockAdapter):
        pass

    network, x = Silent(Levelled()).adapted(Levelled(), {}), torch.rand(1, 3, 4, 4)
    with pytest.raises(NotImplementedError, match="Silent defines neither after_block nor after_block_at"):
        network(x, torch.zeros(1), x, torch.zeros(1, 0, 0))


def test_only_an_adapter_that_overrides_features_from_sees_more():
    class Plain(DenoiserAdapter):
        def adapted(self, denoiser, features):
            return denoiser

    class Seeing(Plain):
        def features_from(self, given):
            return {}

    assert (Plain().sees_given, Seeing().sees_given) == (False, True)


def test_adapters_of_one_session_share_pictures_only_if_they_see_the_same(registry, tmp_path):
    """One after the other, as in a sweep: the second finds the degraded picture that the first left out."""
    budget = {"budget": {"images": 4}, "batch": 2, "patch": 32, "warmup_images": 0}
    settings = {**SETTINGS, "predictor": "identity", "training": dict.fromkeys(("prior", "adapter"), budget)}
    session = Session(config.resolve({**settings, "adapter": "of_old"}, registry), registry, root=tmp_path)
    folders, held = (train_prior(session).folder, train_predictor(session).folder), []
    for adapter in ("of_old", "witness"):
        chosen = config.resolve({**settings, "adapter": adapter}, registry)
        train_adapter(session.with_(experiment=chosen), *folders)
        pool = session.caches.stage_two_pictures._kept[1]
        held.append("degraded" in pool[0])
    assert held == [False, True]
