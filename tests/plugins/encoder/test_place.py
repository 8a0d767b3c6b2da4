"""The map of MobileNetV2: tokens of a place, on disk and in a whole line from training to restoring."""

import pytest
import torch

from texprior import config, pipeline
from texprior.flow.code import place_of, tokens_at
from texprior.flow.prior import encode, encode_parts
from texprior.models.build import build_prior
from texprior.models.folders import load_model
from texprior.registry import Registry
from texprior.runtime.session import Session
from texprior.testing import Subject, check_component, entries_of
from texprior.testing.material import photographs
from texprior.training.adapter import train_adapter
from texprior.training.data import cached_texture_pool
from texprior.training.predictor import train_predictor
from texprior.training.prior import train_prior
from texprior_plugins.encoder import MobileNetV2Options
from texprior_plugins.encoder.mobilenet_v2 import MobileNetV2

TRAINING = {"budget": {"images": 8}, "batch": 4, "patch": 32, "warmup_images": 0}
SETTINGS = {
    "name": "placed",
    "events": [],
    "threads": 1,
    "encoder": {"mobilenet_v2": {"stages": 4, "grid": 2, "place": True}},
    "denoiser": {"unet": {"width": 8, "levels": 2, "blocks": 1, "positions": True}},
    "predictor": "identity",
    "data": {"train": {"bundled": {"max_side": 64}}, "variants": 1},
    "sampling": {"tile": 64, "halo": 16, "steps": 2},
    "training": {"prior": TRAINING, "adapter": TRAINING},
}


@pytest.fixture(scope="module")
def registry():
    return Registry.discover()


@pytest.fixture(scope="module")
def encoder():
    return MobileNetV2(MobileNetV2Options(place=True))


def test_the_map_in_parts_is_the_map(encoder):
    """As a picture that is read a part at a time; tiles of 768 px."""
    image = torch.rand(1, 3, 96, 1000, generator=torch.Generator().manual_seed(0))
    parts = encode_parts(lambda rows, columns: image[..., rows, columns], 96, 1000, encoder)
    whole = encode(image, encoder)
    assert whole.shape == (1, 96, 6, 63)
    torch.testing.assert_close(parts, whole, rtol=1e-4, atol=1e-4)


def test_moving_an_object_moves_the_code(encoder):
    """The token that an object changes most is that of its place; the bag of the whole picture is another thing."""
    plain = photographs(1, 128, 128).mean((-2, -1), keepdim=True).expand(1, 3, 128, 128).contiguous()
    assert (encoder.map_stride, encoder.tokens) == (16, 16)
    place, patch = place_of(encoder), (slice(32, 96), slice(32, 96))
    for row, column in ((0, 0), (1, 3), (3, 2)):
        picture = plain.clone()
        top, left = 32 + 16 * row, 32 + 16 * column
        picture[..., top : top + 16, left : left + 16] = photographs(1, 16, 16)
        moved = tokens_at(encode(picture, encoder), place, *patch) - tokens_at(encode(plain, encoder), place, *patch)
        assert int(moved[0].abs().sum(1).argmax()) == 4 * row + column


def test_by_default_the_code_is_that_of_the_whole_picture(encoder):
    bag = MobileNetV2(MobileNetV2Options())
    assert place_of(bag) is None
    image = photographs(2, 64, 96)
    assert torch.equal(encode(image, bag), encoder(image))


def test_the_kit_passes_it_with_a_place(registry):
    (entry,) = entries_of(registry, "encoder", "mobilenet_v2")
    report = check_component(Subject(registry, entry, {"place": True}))
    assert [f"{outcome.check.id}: {outcome.message}" for outcome in report.failed] == []
    assert "encoder.map" in {outcome.check.id for outcome in report.outcomes if outcome.status == "passed"}


def test_maps_on_disk_are_those_that_are_computed(registry, tmp_path):
    pools = []
    for room in (0, 100, 100):
        settings = {**SETTINGS, "data": {**SETTINGS["data"], "disk_cache_mb": room}}
        session = Session(config.resolve(settings, registry), registry, root=tmp_path)
        prior = build_prior(session.builder, 1.0, tmp_path)
        if len(pools) == 2:
            prior.encoder.map = pytest.fail
        pools.append(cached_texture_pool(session, prior)[0])
    for pool in pools:
        assert pool["code"].shape[-2:] == tuple(-(-length // 4) for length in pool["picture"].shape[-2:])
        assert torch.equal(pool["code"], pools[0]["code"])


def test_the_whole_line_with_a_place(registry, tmp_path):
    """Trained, stored, loaded and restored; the model gives another picture if the tokens change places."""
    session = Session(config.resolve(SETTINGS, registry), registry, root=tmp_path)
    prior, predictor = train_prior(session), train_predictor(session)
    folder = train_adapter(session, prior.folder, predictor.folder).folder
    model = load_model(folder, session.builder)
    restored = pipeline.restore(model, photographs(1, 80, 72), "pic")
    assert restored.picture.isfinite().all()
    stored = model.experiment
    assert stored.encoder.options["place"] is True
    assert stored.denoiser.options["positions"] is True
