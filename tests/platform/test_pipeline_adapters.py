"""Adapters of large pictures: features of the whole picture, cut to tiles; and pictures that are not finite."""

from pathlib import Path

import pytest
import torch

from texprior import config, pipeline
from texprior.errors import ContractError, ImageError
from texprior.flow.adapt import strides_of
from texprior.flow.tile import tiles
from texprior.models.build import build_adapter, build_prior
from texprior.registry import Registry
from texprior.runtime.session import Session

PLUGIN = '''
import torch
from texprior.flow.adapt import BlockAdapter
from texprior.flow.decompose import Layers
from texprior.flow.predict import InitialPredictor
from texprior.flow.prior import SemanticEncoder
from texprior.plugin import Adapter, Decomposition, Encoder, Predictor, Sampler, hookimpl
from texprior_plugins.adapter.cga import ConditionalGuidanceAdapter
from texprior_plugins.adapter import CgaOptions


class Mean(ConditionalGuidanceAdapter):
    """Maps at each block, as those of cga, and the mean of the whole picture."""

    def features(self, estimate_BCHW):
        return {"mean": estimate_BCHW.mean((-2, -1)), "maps": super().features(estimate_BCHW)}

    def after_block(self, block, hidden_BCHW, features):
        changed = super().after_block(block, hidden_BCHW, features["maps"])
        return changed + 3 * features["mean"].mean(1)[:, None, None, None]


class Logarithm(BlockAdapter):
    def __init__(self, options, denoiser):
        super().__init__(denoiser)

    def after_block(self, block, hidden_BCHW, features):
        return hidden_BCHW + torch.nan


class Hole(InitialPredictor):
    def __init__(self, options):
        super().__init__()

    def forward(self, degraded_BCHW):
        return degraded_BCHW / 0

    def loss(self, estimate_BCHW, clean_BCHW):
        return estimate_BCHW.mean((1, 2, 3))


class Flat:
    def __init__(self, options):
        pass

    def __call__(self, image_BCHW):
        return Layers(image_BCHW * torch.nan, image_BCHW * 0)


class Blank(SemanticEncoder):
    width, tokens = 4, 1

    def __init__(self, options):
        super().__init__()

    def forward(self, image_BCHW):
        return torch.full((len(image_BCHW), 1, 4), torch.nan)


class Lost:
    def __init__(self, options):
        pass

    def calls(self, steps):
        return steps

    def __call__(self, denoise, x_BCHW, sigmas, noise):
        return denoise(x_BCHW, sigmas[0]) / 0


@hookimpl
def texprior_adapters():
    return [
        Adapter("mean", "whole_idea:Mean", CgaOptions, "Whole."),
        Adapter("mean_by_tile", "whole_idea:Mean", CgaOptions, "Tiles.", local=True),
        Adapter("logarithm", "whole_idea:Logarithm", summary="NaN.", identity="no", local=True),
    ]

@hookimpl
def texprior_predictors():
    return [Predictor("hole", "whole_idea:Hole", summary="Infinite.")]

@hookimpl
def texprior_decompositions():
    return [Decomposition("flat", "whole_idea:Flat", summary="NaN.")]

@hookimpl
def texprior_encoders():
    return [Encoder("blank", "whole_idea:Blank", summary="NaN.")]

@hookimpl
def texprior_samplers():
    return [Sampler("lost", "whole_idea:Lost", summary="Infinite.")]
'''
UNET = {"width": 8, "levels": 2, "blocks": 1}


@pytest.fixture(scope="module")
def registry(tmp_path_factory):
    file = tmp_path_factory.mktemp("plugin") / "whole_idea.py"
    file.write_text(PLUGIN, encoding="utf-8")
    return Registry.discover([file])


@pytest.fixture
def restored(registry, untrained):
    def restore(degraded, tile=512, halo=64, **changes):
        sampling = {"tile": tile, "halo": halo, "steps": 1, "sampler": changes.pop("sampler", "ddim")}
        small = {"encoder": "none", "predictor": "identity", "sampling": sampling}
        return pipeline.restore(untrained(registry, scale=0.1, **{**small, **changes}), degraded, "pic").picture

    return restore


@pytest.fixture(scope="module")
def degraded():
    """Dark at the left, bright at the right: the mean of a tile is not that of the picture. No side fits a stride."""
    ramp = torch.linspace(0.1, 0.9, 310).expand(1, 3, 66, 310)
    return (ramp + 0.05 * torch.rand(1, 3, 66, 310, generator=torch.Generator().manual_seed(0))).clamp(0, 1)


def test_tiles_of_an_adapter_with_global_features_agree_with_the_whole_picture(restored, degraded):
    """The denoiser of these sizes reaches less than the halo, so that only the features could differ."""
    whole = restored(degraded, adapter="mean")
    assert (restored(degraded, tile=64, halo=64, adapter="mean") - whole).abs().max() < 2e-6
    # features of each tile make another picture, which is why such an adapter must not be called local
    assert (restored(degraded, tile=64, halo=64, adapter="mean_by_tile") - whole).abs().max() > 1e-3


def test_maps_are_cut_to_a_tile_and_other_values_stay_whole(registry):
    data = {"name": "x", "encoder": "none", "denoiser": {"unet": UNET}}
    session = Session.start(config.resolve(data, registry), registry)
    network = build_prior(session.builder, 0.1, Path()).network
    adapter = build_adapter(session.builder, build_prior(session.builder, 0.1, Path()))
    strides = strides_of(network)
    assert strides == {1, 2, 4}
    # 66 x 70 px are padded to 68 x 72
    maps = {s: torch.arange(68 // s * (72 // s)).view(1, 1, 68 // s, 72 // s) for s in sorted(strides)}
    features = {"maps": maps, "mean": torch.ones(1, 3), "grid": torch.ones(1, 3, 5, 5), "pair": (maps[2], "text")}
    tile = tiles(66, 70, 32, 8)[-1]
    assert tile.seen == (slice(56, 66), slice(56, 70))
    part = adapter.of_tile(features, tile, (66, 70), strides)
    for stride in strides:
        assert torch.equal(part["maps"][stride], maps[stride][..., 56 // stride :, 56 // stride :])
    assert part["mean"] is features["mean"]
    assert part["grid"] is features["grid"]
    assert torch.equal(part["pair"][0], maps[2][..., 28:, 28:])
    assert part["pair"][1] == "text"


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"predictor": "hole"}, "predictor 'whole-idea/hole'"),
        ({"decomposition": "flat", "process": {"base": "estimate-structure"}}, "decomposition 'whole-idea/flat'"),
        ({"encoder": "blank"}, "encoder 'whole-idea/blank'"),
        ({"adapter": "logarithm"}, "adapter 'whole-idea/logarithm'"),
        ({"sampler": "lost"}, "sampler 'whole-idea/lost'"),
    ],
)
def test_the_first_component_that_is_not_finite_is_named(restored, degraded, changes, named):
    with pytest.raises(ContractError) as caught:
        restored(degraded[..., :64], **changes)
    assert str(caught.value).startswith(named)
    assert "of picture 'pic' has values that are not finite; expected finite values" in str(caught.value)


def test_a_picture_that_is_not_finite_is_the_pictures_fault(restored, degraded):
    with pytest.raises(ImageError, match="pic: the picture has values that are not finite"):
        restored(degraded[..., :64] * torch.nan)
