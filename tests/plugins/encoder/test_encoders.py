"""The frozen net S: the network against torch's own layers, its contract, and ImageNet's classes."""

import pytest
import torch
from pydantic import ValidationError
from safetensors.torch import load_file
from skimage import data
from torch import nn
from torch.nn import functional as F

from texprior import weights
from texprior.errors import ConfigError
from texprior.flow.prior import SemanticEncoder
from texprior.plugin import Options
from texprior_plugins.encoder import MOBILENET_V2_14, MOBILENET_V2_IMAGENET, MobileNetV2Options, mobilenet_v2
from texprior_plugins.encoder.mobilenet_v2 import MobileNetV2, imagenet_normalised, mobilenet_v2_trunk, stage_widths
from texprior_plugins.encoder.none import NoCode


@pytest.fixture(autouse=True)
def _only_what_ships(monkeypatch, tmp_path):
    monkeypatch.setenv("TEXPRIOR_WEIGHTS", "")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


@pytest.fixture(scope="module")
def pictures():
    """Two photographs of 96 x 128 px, (2, 3, 96, 128) in [0, 1]."""
    crops = [data.chelsea()[80:176, 150:278], data.astronaut()[:96, 160:288]]
    return torch.stack([torch.from_numpy(crop.copy()).permute(2, 0, 1).float() / 255 for crop in crops])


def as_classified(photograph):
    """ImageNet's protocol: the short side to 256 px, the central 224 x 224 px."""
    image = torch.from_numpy(photograph).permute(2, 0, 1)[None].float() / 255
    scale = 256 / min(image.shape[-2:])
    image = F.interpolate(image, scale_factor=scale, mode="bilinear", antialias=True)
    top, left = ((side - 224) // 2 for side in image.shape[-2:])
    return image[..., top : top + 224, left : left + 224]


def unfolded(tensors, x):
    """The 14 stages with batch normalisation as a layer of its own, read off the names of the tensors."""

    def conv_norm(x, conv, norm, stride=1):
        weight = tensors[f"{conv}.weight"].float()
        groups = len(weight) if weight.shape[1] == 1 else 1
        x = F.conv2d(x, weight, None, stride, weight.shape[-1] // 2, groups=groups)
        mean, var, gain, beta = (
            tensors[f"{norm}.{part}"].float() for part in ("running_mean", "running_var", "weight", "bias")
        )
        return F.batch_norm(x, mean, var, gain, beta)

    x = F.relu6(conv_norm(x, "features.0.0", "features.0.1", 2))
    for index in range(1, 14):
        name, stride, start = f"features.{index}.conv", 2 if index in (2, 4, 7) else 1, x
        if index > 1:
            x = F.relu6(conv_norm(x, f"{name}.0.0", f"{name}.0.1"))
        depthwise, project, norm = ("0", "1", "2") if index == 1 else ("1", "2", "3")
        x = F.relu6(conv_norm(x, f"{name}.{depthwise}.0", f"{name}.{depthwise}.1", stride))
        x = conv_norm(x, f"{name}.{project}", f"{name}.{norm}")
        x = start + x if x.shape == start.shape else x
    return x


def test_folding_changes_nothing(pictures):
    expected = unfolded(weights.load(MOBILENET_V2_14), imagenet_normalised(pictures))
    assert expected.shape == (2, 96, 6, 8)
    folded = MobileNetV2(MobileNetV2Options()).trunk(imagenet_normalised(pictures))
    torch.testing.assert_close(folded, expected, rtol=1e-4, atol=2e-5)


def test_tokens_are_means_of_the_grid_in_rows(pictures):
    encoder = MobileNetV2(MobileNetV2Options(grid=2))
    features = encoder.trunk(imagenet_normalised(pictures))
    quarters = [features[..., i : i + 3, j : j + 4].mean((2, 3)) for i in (0, 3) for j in (0, 4)]
    torch.testing.assert_close(encoder(pictures), torch.stack(quarters, dim=1))


def test_channels_of_the_stages_are_the_papers():
    assert stage_widths() == [32, 16, 24, 24, 32, 32, 32, 64, 64, 64, 64, 96, 96, 96, 160, 160, 160, 320, 1280]


@pytest.mark.parametrize(("stages", "grid"), [(1, 1), (2, 4), (7, 8), (14, 4), (14, 16)])
def test_token_shape_is_as_declared(pictures, stages, grid):
    encoder = MobileNetV2(MobileNetV2Options(stages=stages, grid=grid))
    assert isinstance(encoder, SemanticEncoder)
    for size in ((1, 1), (5, 7), (31, 33), (96, 128)):
        code = encoder(pictures[..., : size[0], : size[1]])
        assert code.shape == (2, encoder.tokens, encoder.width) == (2, grid**2, stage_widths()[stages - 1])
        assert code.isfinite().all()


def test_a_code_depends_on_its_own_picture_alone(pictures):
    encoder = MobileNetV2(MobileNetV2Options())
    together, again = encoder(pictures), encoder(pictures)
    assert torch.equal(together, again)
    alone = torch.cat([encoder(pictures[:1]), encoder(pictures[1:])])
    torch.testing.assert_close(together, alone, rtol=0, atol=1e-5)
    assert (together[0] - together[1]).abs().mean() > 0.05


def test_it_is_frozen_in_every_mode(pictures):
    parent = nn.Sequential(MobileNetV2(MobileNetV2Options()))
    before = parent(pictures)
    parent.train()
    assert torch.equal(parent(pictures), before)
    assert torch.equal(parent(pictures), before)
    assert list(parent.parameters()) == []
    assert not before.requires_grad
    # a checkpoint of the parent does not carry the third-party parameters along
    assert parent.state_dict() == {}


def test_it_is_computed_in_float32_under_autocast(pictures):
    encoder = MobileNetV2(MobileNetV2Options())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = encoder(pictures)
    assert inside.dtype is torch.float32
    assert torch.equal(inside, encoder(pictures))


def test_more_than_the_shipped_stages_without_the_file_is_a_sentence():
    with pytest.raises(ConfigError, match=r"'mobilenet_v2_imagenet' are not here .*weights import mobilenet"):
        MobileNetV2(MobileNetV2Options(stages=15))
    with pytest.raises(ValidationError):
        MobileNetV2Options(stages=20)


def test_shipped_parameters_are_of_the_recorded_content():
    assert weights.content_hash(weights.load(MOBILENET_V2_14)) == MOBILENET_V2_14.tensors_sha256


def test_shipped_parameters_are_the_whole_files_rounded(shared):
    whole = load_file(shared / "weights" / "mobilenet_v2_imagenet.safetensors")
    for name, tensor in weights.load(MOBILENET_V2_14).items():
        assert torch.equal(tensor, whole[name].half())


def test_all_stages_from_the_whole_file(monkeypatch, shared, pictures):
    monkeypatch.setenv("TEXPRIOR_WEIGHTS", str(shared / "weights"))
    encoder = MobileNetV2(MobileNetV2Options(stages=19, grid=1))
    assert encoder(pictures).shape == (2, 1, 1280)
    assert weights.content_hash(weights.load(MOBILENET_V2_IMAGENET)) == MOBILENET_V2_IMAGENET.tensors_sha256


@pytest.mark.parametrize(
    ("photograph", "classes", "probability"),
    # 281 tabby, 282 tiger cat, 285 Egyptian cat; 967 espresso
    [("chelsea", [281, 282, 285], 0.9), ("coffee", [967], 0.9)],
)
def test_photographs_are_classified(shared, photograph, classes, probability):
    tensors = load_file(shared / "weights" / "mobilenet_v2_imagenet.safetensors")
    trunk = mobilenet_v2_trunk(tensors, 19)
    pooled = trunk(imagenet_normalised(as_classified(getattr(data, photograph)()))).mean((2, 3))
    logits = F.linear(pooled, tensors["classifier.1.weight"], tensors["classifier.1.bias"])
    assert logits.argmax().item() in classes
    assert logits.softmax(1)[0, classes].sum() > probability


def test_rounding_to_float16_hardly_moves_the_code(shared, pictures):
    x = imagenet_normalised(pictures)
    exact = mobilenet_v2_trunk(load_file(shared / "weights" / "mobilenet_v2_imagenet.safetensors"), 14)(x)
    rounded = MobileNetV2(MobileNetV2Options()).trunk(x)
    assert (rounded - exact).norm() / exact.norm() < 0.01


def test_none_has_no_token(pictures):
    encoder = NoCode(Options())
    assert (encoder.tokens, encoder.width) == (0, 0)
    assert encoder(pictures).shape == (2, 0, 0)
    assert list(encoder.parameters()) == []


@pytest.mark.parametrize("size", [(130, 201), (96, 70)])
@pytest.mark.parametrize("stages", [3, 14])
def test_the_code_of_parts_is_that_of_the_whole_picture(size, stages, monkeypatch):
    encoder = MobileNetV2(MobileNetV2Options(stages=stages))
    picture, read = torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(0)), []

    def part(rows, columns):
        read.append((rows, columns))
        return picture[..., rows, columns]

    monkeypatch.setattr(mobilenet_v2, "_TILE", 32)
    torch.testing.assert_close(encoder.of_parts(part, *size), encoder(picture), rtol=0, atol=1e-6)
    assert len(read) == -(-size[0] // 32) * -(-size[1] // 32)
    # a smaller halo shows, so that this test sees the tiles
    monkeypatch.setattr(encoder, "halo", 0)
    assert (encoder.of_parts(part, *size) - encoder(picture)).abs().max() > 1e-4


def test_an_encoder_that_needs_the_whole_picture_reads_it_at_once():
    picture = torch.rand(1, 3, 20, 30)
    assert NoCode(Options()).of_parts(lambda r, c: picture[..., r, c], 20, 30).shape == (1, 0, 0)
