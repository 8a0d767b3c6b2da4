"""The tokens of a part's own place: cut from the map of the whole picture, in training and in restoring."""

from pathlib import Path

import pytest
import torch
from torch.nn import functional as F

from texprior import config, pipeline
from texprior.diffusion.process import Process
from texprior.errors import ContractError
from texprior.flow.code import Place, fitted, in_rows, place_of, tokens_at
from texprior.flow.kinds import PREDICTOR
from texprior.flow.prior import SemanticEncoder, encode, encode_parts
from texprior.models import sections
from texprior.models.build import Model, build_adapter, build_prior
from texprior.models.inputs import inputs_of
from texprior.registry import Registry
from texprior.runtime.session import Session
from texprior.training.data import cached_texture_pool, cut_patches, guided_pool, pair_pool

PLUGIN = '''
import torch
from texprior.flow.adapt import DenoiserAdapter
from texprior.flow.prior import SemanticEncoder
from texprior.plugin import Adapter, Encoder, hookimpl

CODES = []


class Colours(SemanticEncoder):
    """The map is the picture itself: a token is the mean colour of its place."""

    width, tokens, map_stride = 3, 4, 1

    def __init__(self, options):
        super().__init__()

    def map(self, image_BCHW):
        return image_BCHW

    def forward(self, image_BCHW):
        return torch.nn.functional.adaptive_avg_pool2d(image_BCHW, 2).flatten(2).mT


class Witness(DenoiserAdapter):
    """Remembers the codes that features and denoiser get."""

    def __init__(self, options, denoiser):
        super().__init__()

    def features_from(self, given):
        return {"code": given.code}

    def adapted(self, denoiser, features):
        def network(x, noise, condition, code):
            CODES.append((code, features["code"]))
            return x

        return network


@hookimpl
def texprior_encoders():
    return [Encoder("colours", "colours_idea:Colours", summary="Colours of a place.", api=2)]


@hookimpl
def texprior_adapters():
    return [
        Adapter("coded", "colours_idea:Witness", summary="Remembers.", api=2, identity="no", local=True),
    ]
'''


@pytest.fixture(scope="module")
def registry(tmp_path_factory):
    file = tmp_path_factory.mktemp("plugin") / "colours_idea.py"
    file.write_text(PLUGIN, encoding="utf-8")
    return Registry.discover([file])


@pytest.fixture
def session(registry, tmp_path):
    settings = {
        "name": "x", "events": [], "threads": 1, "encoder": "colours", "adapter": "coded", "predictor": "identity",
        "denoiser": {"unet": {"width": 8, "levels": 2, "blocks": 1}}, "process": {"concat": "initial"},
        "sampling": {"tile": 64, "halo": 64, "steps": 1}, "decomposition": "gaussian",
        "data": {"train": {"bundled": {"max_side": 64}}, "variants": 1},
        "training": {n: {"patch": 16} for n in ("prior", "predictor", "adapter")},
    }  # fmt: skip
    return Session(config.resolve(settings, registry), registry, root=tmp_path)


def of_pixels(map_BCHW, stride, side, rows, columns):
    """The tokens from single pixels, in float64: each pixel has the value of its position of the map."""
    pixels = map_BCHW.double().repeat_interleave(stride, -2).repeat_interleave(stride, -1)
    return F.adaptive_avg_pool2d(pixels[..., rows, columns], side)


@pytest.mark.parametrize(("stride", "side"), [(16, 4), (16, 1), (8, 2), (4, 16), (1, 4)])
def test_a_token_is_the_mean_over_its_pixels(stride, side):
    """Wherever the part begins, and also beyond the last whole position."""
    rng = torch.Generator().manual_seed(0)
    height, width = 150, 221
    size = (-(-height // stride), -(-width // stride))
    values = torch.randn(2, 5, *size, generator=rng)
    for top, left in ((0, 0), (7, 33), (86, 157), (64, 128)):
        rows, columns = slice(top, top + 64), slice(left, left + 64)
        found = Place(stride, side).grid(values, rows, columns)
        assert found.dtype == torch.float32
        torch.testing.assert_close(found, of_pixels(values, stride, side, rows, columns).float())


def test_tokens_are_in_rows():
    grid = torch.arange(8.0).view(1, 2, 2, 2)
    assert in_rows(grid)[0].tolist() == [[0, 4], [1, 5], [2, 6], [3, 7]]


def test_a_code_without_a_place_is_that_of_every_part():
    code = torch.rand(1, 4, 3)
    assert tokens_at(code, None, slice(3, 9), slice(0, 2)) is code


def test_where_an_object_moves_its_token_moves():
    """An object of 16 px, one token in size, in a patch of four tokens a side."""
    place = Place(1, 4)
    for row in range(4):
        for column in range(4):
            picture = torch.zeros(1, 3, 96, 96)
            picture[..., 13 + 16 * row : 29 + 16 * row, 20 + 16 * column : 36 + 16 * column] = 1
            code = tokens_at(picture, place, slice(13, 77), slice(20, 84))
            assert code[0, :, 0].nonzero().flatten().tolist() == [4 * row + column]


class Declared(SemanticEncoder):
    def __init__(self, tokens, map_stride, made=lambda x: x):
        super().__init__()
        self.width, self.tokens, self.map_stride, self.made = 3, tokens, map_stride, made

    def forward(self, image_BCHW):
        return torch.zeros(len(image_BCHW), self.tokens, 3)

    def map(self, image_BCHW):
        return self.made(image_BCHW)


def test_an_encoder_of_old_has_no_place():
    assert place_of(Declared(5, 0)) is None
    assert encode(torch.rand(2, 3, 8, 8), Declared(5, 0)).shape == (2, 5, 3)


@pytest.mark.parametrize("tokens", [0, 2, 15])
def test_tokens_of_a_place_make_a_square(tokens):
    assert place_of(Declared(9, 8)) == Place(8, 3)
    with pytest.raises(ContractError, match=f"it has a map and {tokens} tokens; expected a square number"):
        place_of(Declared(tokens, 8))


def test_a_map_of_another_size_is_refused():
    image = torch.rand(1, 3, 9, 8)
    assert encode(image, Declared(4, 2, lambda x: x[..., ::2, ::2])).shape == (1, 3, 5, 4)
    for read in (lambda e: encode(image, e), lambda e: encode_parts(lambda r, c: image[..., r, c], 9, 8, e)):
        with pytest.raises(ContractError, match=r"the map has shape \(1, 3, 4, 4\); expected \(1, 3, 5, 4\)"):
            read(Declared(4, 2, lambda x: F.avg_pool2d(x, 2)))


def test_another_pictures_map_fits():
    """As the control with another picture's code needs it."""
    other, own = torch.rand(1, 3, 12, 8), torch.rand(1, 3, 6, 16)
    torch.testing.assert_close(fitted(other, own)[..., ::2], F.avg_pool2d(other, (2, 1)))
    assert fitted(own, own) is own
    bag = torch.rand(1, 4, 3)
    assert fitted(bag, torch.rand(1, 4, 3)) is bag


def test_in_training_the_code_is_that_of_the_patch_with_its_flips(session):
    """The map is the picture, so that the tokens are means of the very patch that is cut, turned as it is."""
    prior, predictor = build_prior(session.builder, 0.1, Path()), session.build(PREDICTOR)
    pools = {
        "structure": cached_texture_pool(session, prior),
        "degraded": guided_pool(session.experiment, pair_pool(session, 16), prior, predictor, with_degraded=True),
    }
    for encoded, pool in pools.items():
        assert pool[0]["code"].dtype == torch.float16
        assert pool[0]["code"].shape == pool[0][encoded].shape
        batch = cut_patches(session.builder, pool, session.experiment.training.adapter).batch(range(24))
        expected = in_rows(F.avg_pool2d(batch[encoded], 8))
        # half precision has 11 bits
        torch.testing.assert_close(batch["code"], expected, rtol=2**-10, atol=1e-4)


@pytest.mark.parametrize("section", [1024, 64])
def test_in_restoring_the_code_is_that_of_the_tile(session, registry, monkeypatch, section):
    """For denoiser and adapter, with the halo of the tile, and in sections as in the whole picture."""
    prior, predictor = build_prior(session.builder, 0.1, Path()), session.build(PREDICTOR)
    adapter = build_adapter(session.builder, prior)
    model = Model(session.experiment, prior, predictor, adapter, Process(0.1), Path(), registry)
    degraded = torch.rand(1, 3, 256, 160, generator=torch.Generator().manual_seed(0))
    monkeypatch.setattr(sections, "SECTION", section)
    monkeypatch.setattr(sections, "LARGE", 2 * section if section > 64 else 64)
    codes = adapter.features_from.__globals__["CODES"]
    codes.clear()
    pipeline.restore(model, degraded, "pic")
    for code, of_adapter in codes:
        assert torch.equal(code, of_adapter)
    found = [code for code, _ in codes]
    high, wide = ((0, 128), (0, 192), (64, 256), (128, 256)), ((0, 128), (0, 160), (64, 160))
    places = [(slice(*rows), slice(*columns)) for rows in high for columns in wide]
    assert len(found) == len(places)
    for rows, columns in places:
        expected = in_rows(F.adaptive_avg_pool2d(degraded[..., rows, columns], 2))
        assert any(torch.allclose(code, expected, atol=1e-6) for code in found)


def test_the_code_of_a_large_picture_is_a_map_of_the_whole(session):
    """It is read once, and every section cuts from it."""
    prior, predictor = build_prior(session.builder, 0.1, Path()), session.build(PREDICTOR)
    degraded = torch.rand(1, 3, 40, 24)
    given = inputs_of(degraded, session.experiment, predictor, prior, prior.encoder)
    assert torch.equal(given.code, degraded)
