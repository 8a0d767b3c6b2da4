"""Net S from PyTorch Image Models: its contract, against the model itself; and sentences where it cannot be had."""

import importlib.util

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from texprior import weights
from texprior.errors import ConfigError
from texprior.plugin import Ref
from texprior.registry import Registry
from texprior_plugins.encoder import MOBILENET_V2_14

HAS_TIMM = importlib.util.find_spec("timm") is not None
needs_timm = pytest.mark.skipif(not HAS_TIMM, reason="timm is not installed; pip install 'texprior[timm]'")
CONV, FIXED = "mobilenetv3_small_050", "vit_tiny_patch16_224"


@pytest.fixture(scope="module")
def registry():
    return Registry.discover()


@pytest.fixture
def build(registry):
    return lambda **options: registry.build("encoder", Ref(name="timm", options=options))


@pytest.fixture
def stored(tmp_path):
    """Random parameters of a model in a file; nothing is downloaded in these tests either."""

    def store(name, suffix=".safetensors", wrap=lambda tensors: tensors):
        import timm

        torch.manual_seed(0)
        model = timm.create_model(name, pretrained=False).eval()
        path = tmp_path / f"{name}{suffix}"
        tensors = {n: t.contiguous().clone() for n, t in model.state_dict().items()}
        if suffix == ".safetensors":
            save_file(tensors, path)
        else:
            torch.save(wrap(tensors), path)
        return model, str(path)

    return store


@pytest.fixture
def pictures():
    return torch.rand(2, 3, 96, 128, generator=torch.Generator().manual_seed(0))


@pytest.mark.skipif(HAS_TIMM, reason="timm is installed")
def test_where_timm_is_missing_the_error_says_how_to_get_it(build):
    with pytest.raises(ConfigError, match=r"encoder: timm is not installed; pip install 'texprior\[timm\]'") as caught:
        build(model=CONV, weights="x.safetensors")
    assert caught.value.exit_code == 2


@needs_timm
@pytest.mark.parametrize("grid", [1, 4])
def test_tokens_are_means_of_the_models_own_features(build, stored, pictures, grid):
    """mobilenetv3_small_050 normalises by ImageNet's statistics; its last feature map has stride 32."""
    model, path = stored(CONV)
    mean, std = (torch.tensor(v)[:, None, None] for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    with torch.no_grad():
        features = model.forward_intermediates((pictures - mean) / std, intermediates_only=True)[-1]
    encoder = build(model=CONV, weights=path, grid=grid)
    expected = nn.functional.adaptive_avg_pool2d(features, grid).flatten(2).mT
    assert (encoder.tokens, encoder.width) == expected.shape[1:]
    torch.testing.assert_close(encoder(pictures), expected, rtol=1e-5, atol=1e-6)


@needs_timm
def test_an_earlier_feature_map_by_number(build, stored, pictures):
    model, path = stored(CONV)
    encoder = build(model=CONV, weights=path, stage=1, grid=2)
    assert encoder.width == model.feature_info[1]["num_chs"]
    assert encoder(pictures).shape == (2, 4, encoder.width)
    with pytest.raises(ConfigError, match=rf"encoder\.timm\.stage: '{CONV}' has \d feature maps, none of them at 40"):
        build(model=CONV, weights=path, stage=40)


@needs_timm
def test_on_the_same_parameters_it_agrees_with_our_own_mobilenet(build, registry, pictures, tmp_path):
    """timm's mobilenetv2_100 is torchvision's network under other names, in the same order; its fourth feature map is
    the one after 14 stages."""
    import timm

    own, theirs = timm.create_model("mobilenetv2_100").state_dict(), weights.load(MOBILENET_V2_14)
    for name, place in zip(layers(own, list(own)), layers(theirs, sorted(theirs, key=numbered)), strict=False):
        for part in ("weight", "bias", "running_mean", "running_var"):
            if f"{name}.{part}" in own:
                own[f"{name}.{part}"] = theirs[f"{place}.{part}"].float()
    save_file({n: t.contiguous() for n, t in own.items()}, tmp_path / "same.safetensors")
    encoder = build(model="mobilenetv2_100", weights=str(tmp_path / "same.safetensors"), stage=3)
    expected = registry.build("encoder", Ref(name="mobilenet_v2", options={"stages": 14}))(pictures)
    torch.testing.assert_close(encoder(pictures), expected, rtol=1e-4, atol=1e-4)


def layers(tensors, names):
    """Convolutions and normalisations in order: conv, norm, conv, norm ..."""
    found = (n.removesuffix(".weight") for n in names if n.endswith(".weight"))
    return [name for name in found if tensors[f"{name}.weight"].ndim in (1, 4)]


def numbered(name):
    return [(0, int(part)) if part.isdigit() else (1, part) for part in name.split(".")]


@needs_timm
def test_a_model_of_one_size_is_given_that_size(build, stored, pictures):
    model, path = stored(FIXED)
    encoder = build(model=FIXED, weights=path, grid=14)
    resized = nn.functional.interpolate(pictures, (224, 224), mode="bilinear", antialias=True).clamp(0, 1)
    with torch.no_grad():
        features = model.forward_intermediates((resized - 0.5) / 0.5, output_fmt="NCHW", intermediates_only=True)[-1]
    torch.testing.assert_close(encoder(pictures), features.flatten(2).mT, rtol=1e-4, atol=1e-4)
    assert encoder(pictures[..., :5, :7]).shape == (2, 196, 192)


@needs_timm
@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_it_is_frozen_and_a_code_depends_on_its_own_picture(build, stored, pictures, suffix):
    _, path = stored(CONV, suffix, wrap=lambda tensors: {"state_dict": tensors, "epoch": 3})
    encoder = build(model=CONV, weights=path)
    parent = nn.Sequential(encoder)
    before = parent(pictures)
    parent.train()
    assert torch.equal(parent(pictures), before)
    assert not before.requires_grad
    assert not any(p.requires_grad for p in encoder.parameters())
    torch.testing.assert_close(torch.cat([encoder(pictures[:1]), encoder(pictures[1:])]), before, rtol=0, atol=1e-5)


@needs_timm
def test_a_file_by_its_name_in_the_folder_of_parameters(build, stored, pictures, tmp_path, monkeypatch):
    _, path = stored(CONV)
    monkeypatch.setenv("TEXPRIOR_WEIGHTS", str(tmp_path))
    by_name = build(model=CONV, weights=f"{CONV}.safetensors")
    assert torch.equal(by_name(pictures), build(model=CONV, weights=path)(pictures))


@needs_timm
def test_what_is_not_there_or_another_models_is_an_error(build, stored, tmp_path):
    _, path = stored(CONV)
    with pytest.raises(ConfigError, match=r"there is no file nowhere\.safetensors; looked for "):
        build(model=CONV, weights="nowhere.safetensors")
    with pytest.raises(ConfigError, match=r"encoder\.timm\.model: timm cannot make 'resnet17x'"):
        build(model="resnet17x", weights=path)
    with pytest.raises(
        ConfigError, match=r"does not fit 'resnet18': \d+ tensors are missing and \d+ do not belong to the model"
    ):
        build(model="resnet18", weights=path)
    with pytest.raises(ConfigError, match=r"0 tensors are missing and \d+ do not belong to the model, such as "):
        build(model="mobilenetv3_small_075", weights=path)


@needs_timm
def test_a_file_that_runs_code_is_refused(build, tmp_path):
    class Harm:
        def __reduce__(self):
            return (print, ("harm was done",))

    torch.save({"state_dict": Harm()}, tmp_path / "bad.pth")
    with pytest.raises(Exception, match="these parameters cannot be read"):
        build(model=CONV, weights=str(tmp_path / "bad.pth"))
