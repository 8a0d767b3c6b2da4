"""What a degradation tells of its draws reaches the predictor's loss, with the patch that it belongs to."""

from pathlib import Path

import pytest
import torch

from texprior import config
from texprior.errors import ConfigError, ContractError
from texprior.flow.degrade import Replayable, degrade, draw, drawn_for, drawn_of, replay, rng_of
from texprior.flow.objective import Objective
from texprior.flow.predict import InitialPredictor
from texprior.models.build import build_adapter, build_prior
from texprior.plugin import Ref
from texprior.registry import Registry
from texprior.runtime.session import Session
from texprior.training.data import cut_patches, pair_pool
from texprior.training.losses import prediction_loss
from texprior.training.patches import Patches
from texprior.training.preflight import layer_loss, random_prediction_loss

PLUGIN = '''
import torch
from texprior.flow.degrade import Replayable
from texprior.plugin import Degradation, hookimpl


class Shade(Replayable):
    """Multiplies by a ramp of random strength, and tells the map of its factors."""

    def __init__(self, options):
        pass

    def draw(self, rng, size):
        return {"strength": float(torch.rand((), generator=rng))}

    def factors(self, recipe, size):
        ramp = torch.linspace(0, 1, size[0])[:, None] * torch.linspace(0.5, 1, size[1])
        return (1 - 0.8 * recipe["strength"] * ramp)[None]

    def apply(self, image_CHW, recipe):
        return image_CHW * self.factors(recipe, image_CHW.shape[-2:])

    def drawn(self, recipe, size):
        return {"factors": self.factors(recipe, size)}


@hookimpl
def texprior_degradations():
    return [Degradation("shade", "shade_idea:Shade", summary="A ramp.", api=2)]
'''


@pytest.fixture(scope="module")
def registry(tmp_path_factory):
    file = tmp_path_factory.mktemp("plugin") / "shade_idea.py"
    file.write_text(PLUGIN, encoding="utf-8")
    return Registry.discover([file])


def session(registry, root, degradation, **data):
    settings = {
        "name": "x", "events": [], "threads": 1, "degradation": degradation,
        "data": {"train": {"bundled": {"max_side": 64}}, "variants": 2, "degraded_bits": None, **data},
        "training": {"predictor": {"patch": 16, "batch": 2}},
    }  # fmt: skip
    return Session(config.resolve(settings, registry), registry, root=root)


class Knowing(InitialPredictor):
    """Is told the radius of the blur: its loss is (estimate - clean)^2 times the radius."""

    def __init__(self, name="drawn/radius"):
        super().__init__()
        self.name, self.gain = name, torch.nn.Parameter(torch.ones(()))

    def forward(self, degraded_BCHW):
        return self.gain * degraded_BCHW

    def loss(self, estimate_BCHW, clean_BCHW):
        return (estimate_BCHW - clean_BCHW).square().mean(dim=(1, 2, 3))

    def loss_from(self, learned):
        return super().loss_from(learned) * learned.inputs[self.name].flatten(1).mean(1)


BLUR = {"defocus": {"radius": 1.0, "radius_max": 3.0, "noise": 0.0}}


@pytest.mark.parametrize("room_mb", [0, 50])
def test_the_pool_holds_what_was_drawn_for_each_version(registry, tmp_path, room_mb):
    """The recipe of the pool's key makes the pool's picture, and its radius is what is told; also from a warm disk."""
    at = session(registry, tmp_path, BLUR, disk_cache_mb=room_mb)
    seed, pool, radii = at.experiment.seed, pair_pool(at, 16), []
    again = pair_pool(at, 16)
    for index in range(4):
        key, _, variant = pool.keys[index].rpartition("#")
        degradation, item = at.registry.build("degradation", Ref(name="defocus", options=BLUR["defocus"])), pool[index]
        recipe = draw(degradation, rng_of(seed, (key, int(variant))), item["clean"].shape[-2:])
        assert torch.equal(replay(degradation, item["clean"], recipe), item["degraded"])
        assert item["drawn/radius"].tolist() == pytest.approx([recipe["radius"]])
        assert torch.equal(again[index]["drawn/radius"], item["drawn/radius"])
        radii.append(recipe["radius"])
    assert len(set(radii)) == 4


@pytest.mark.parametrize("augmentations", [["dihedral"], ["mirror"]])
def test_a_map_is_cut_and_turned_with_the_patch(registry, tmp_path, augmentations):
    """The degraded patch is the clean one times the map, pixel by pixel, only if both are of the same place."""
    at = session(registry, tmp_path, "shade", augmentations=augmentations)
    patches = cut_patches(at.builder, pair_pool(at, 16), at.experiment.training.predictor)
    batch = patches.batch(range(16))
    assert batch["drawn/factors"].shape == (16, 1, 16, 16)
    torch.testing.assert_close(batch["degraded"], batch["clean"] * batch["drawn/factors"])


def test_cutblur_acts_beside_a_map_that_is_told(registry, tmp_path):
    """Where a rectangle was exchanged, the degraded patch is not the clean one times the map."""
    at = session(registry, tmp_path, "shade", augmentations=["cutblur"])
    batch = cut_patches(at.builder, pair_pool(at, 16), at.experiment.training.predictor).batch([0])
    off = (batch["degraded"] - batch["clean"] * batch["drawn/factors"]).abs().amax(1) > 1e-6
    assert 0 < int(off.sum()) < off.numel()


def test_it_reaches_the_loss_of_the_predictor(registry, tmp_path):
    patches, predictor = Patches(pair_pool(session(registry, tmp_path, BLUR), 16), 16, seed=0), Knowing()
    batch = patches.batch([0, 1])
    expected = predictor.loss(batch["degraded"], batch["clean"]) * batch["drawn/radius"][:, 0]
    assert torch.equal(prediction_loss(predictor, patches, False, [0, 1]), expected)


@pytest.mark.parametrize(("degradation", "name"), [(BLUR, "drawn/radius"), ("shade", "drawn/factors")])
def test_a_rehearsal_has_it_too(registry, tmp_path, degradation, name):
    at = session(registry, tmp_path, degradation)
    loss = random_prediction_loss(at, Knowing(name), None, at.experiment.training.predictor)([0])
    assert loss.isfinite().all()


def test_what_is_not_told_is_missed_in_a_sentence(registry, tmp_path):
    at = session(registry, tmp_path, "shade")
    with pytest.raises(ConfigError) as caught:
        random_prediction_loss(at, Knowing(), None, at.experiment.training.predictor)([0])
    assert str(caught.value).startswith("a loss asks for 'drawn/radius' of the training step, which has: ")
    assert "clean, condition, degraded, drawn/factors, estimate" in str(caught.value)


def test_a_sequence_tells_what_its_steps_tell(registry):
    steps = [BLUR, "jpeg", "camera_noise"]
    degradation = registry.build("degradation", Ref(name="sequence", options={"steps": steps}))
    recipe = draw(degradation, rng_of(0, "a"), (16, 16))
    told = drawn_of(degradation, recipe, (16, 16))
    assert set(told) == {"0/radius", "2/levels"}
    assert float(told["0/radius"]) == pytest.approx(recipe["steps"][0]["radius"])
    noise = recipe["steps"][2]
    assert told["2/levels"].tolist() == pytest.approx([noise["shot"], noise["read"]])


def test_motion_blur_tells_the_length_of_its_path(registry):
    degradation = registry.build("degradation", Ref(name="motion_blur"))
    length = draw(degradation, rng_of(3, "a"), (16, 16))["length"]
    assert drawn_for(degradation, 3, "a", (16, 16))["drawn/length"].tolist() == pytest.approx([length])


def test_a_degradation_of_old_tells_nothing(registry):
    """Neither a plain function, nor a replayable one without ``drawn``, is asked to draw once more."""

    class OfOld(Replayable):
        def draw(self, rng, size):
            raise AssertionError("it is drawn from again")

        def apply(self, image_CHW, recipe):
            return image_CHW

    assert drawn_for(OfOld(), 0, "a", (8, 8)) == {}
    assert drawn_for(lambda image, rng: image, 0, "a", (8, 8)) == {}


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ([torch.ones(1)], "what drawn returns is a list"),
        ({"a": 1.0}, "'a' of what drawn returns is a float"),
        ({"a": torch.ones(1, 2)}, "'a' of what drawn returns has shape (1, 2); expected (1, 8, 9)"),
        ({"a": torch.ones(2, 8, 8)}, "'a' of what drawn returns has shape (2, 8, 8); expected (2, 8, 9)"),
        ({"a": torch.ones(3).int()}, "'a' of what drawn returns is torch.int32"),
    ],
)
def test_what_breaks_the_contract_is_named(told, said):
    class Tells(Replayable):
        def draw(self, rng, size):
            return {}

        def apply(self, image_CHW, recipe):
            return image_CHW

        def drawn(self, recipe, size):
            return told

    with pytest.raises(ContractError) as caught:
        drawn_for(Tells(), 0, "a", (8, 9))
    assert said in str(caught.value)


def test_the_pictures_are_those_of_before(registry):
    """To tell what was drawn takes no number from the picture's generator."""
    degradation, image = (
        registry.build("degradation", Ref(name="defocus", options=BLUR["defocus"])),
        torch.rand(3, 16, 16),
    )
    first = degrade(image[None], degradation, 0, ["a"], None)
    drawn_for(degradation, 0, "a", (16, 16))
    assert torch.equal(degrade(image[None], degradation, 0, ["a"], None), first)


class Lit(Objective):
    """The error of a layer times a number that the degradation tells."""

    def __init__(self, name):
        super().__init__()
        self.name = name

    def forward(self, learned):
        return (learned.estimate - learned.target).square().mean((1, 2, 3)) * learned.inputs[self.name].flatten(1).mean(
            1
        )


def test_a_rehearsal_of_the_adapters_objective_has_it_too(registry, tmp_path):
    """Memory, threads and a dry run are measured on random pictures before the training, which has the real ones."""
    at = session(registry, tmp_path, BLUR)
    prior = build_prior(at.builder, 1.0, Path())
    prior.network.requires_grad_(False)
    adapter, loss = build_adapter(at.builder, prior), layer_loss(at, prior, at.experiment.training.adapter)
    loss.objective = Lit("drawn/radius")
    assert loss.stage_two(adapter, [0]).isfinite().all()
    loss.objective = Lit("drawn/light")
    with pytest.raises(
        ConfigError, match=r"a loss asks for 'drawn/light' of the training step, which has: .*drawn/radius"
    ):
        loss.stage_two(adapter, [0])
