"""LPIPS against networks built of torch's layers and the formula of the paper; official files become what is kept."""

import pytest
import torch
from torch import nn

from texprior import weights
from texprior.errors import TexpriorError
from texprior_plugins.metric import LPIPS_ALEX, LPIPS_VGG


def alexnet():
    """The trunk with torchvision's numbering; the ReLUs that LPIPS reads are 1, 4, 7, 9, 11."""
    pool = nn.MaxPool2d(3, 2)
    return nn.Sequential(
        *(nn.Conv2d(3, 64, 11, 4, 2), nn.ReLU(), pool, nn.Conv2d(64, 192, 5, 1, 2), nn.ReLU(), pool),
        *(nn.Conv2d(192, 384, 3, 1, 1), nn.ReLU(), nn.Conv2d(384, 256, 3, 1, 1), nn.ReLU()),
        *(nn.Conv2d(256, 256, 3, 1, 1), nn.ReLU()),
    )


def vgg16():
    """The trunk with torchvision's numbering; the ReLUs that LPIPS reads are 3, 8, 15, 22, 29."""
    layers, channels = [], 3
    for width in (64, 64, 0, 128, 128, 0, 256, 256, 256, 0, 512, 512, 512, 0, 512, 512, 512):
        layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU()] if width else [nn.MaxPool2d(2)]
        channels = width or channels
    return nn.Sequential(*layers)


@pytest.mark.parametrize(
    ("name", "record", "network", "read"),
    [
        ("lpips_alex", LPIPS_ALEX, alexnet, (1, 4, 7, 9, 11)),
        ("lpips_vgg", LPIPS_VGG, vgg16, (3, 8, 15, 22, 29)),
    ],
)
@torch.no_grad()
def test_it_matches_a_network_of_layers(build, shown, name, record, network, read):
    metric, (photographs, noise) = build(name), shown(name)
    tensors = {name: tensor.float() for name, tensor in weights.load(record).items()}
    trunk = network()
    trunk.load_state_dict({n.removeprefix("features."): t for n, t in tensors.items() if n.startswith("features")})
    restored = photographs + 0.1 * noise
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    a, b = ((x - mean[:, None, None]) / std[:, None, None] for x in (restored, photographs))
    expected, layer = torch.zeros(3), 0
    for index, module in enumerate(trunk):
        a, b = module(a), module(b)
        if index in read:
            squared = (nn.functional.normalize(a, dim=1) - nn.functional.normalize(b, dim=1)) ** 2
            expected += (squared * tensors[f"lin{layer}.weight"]).sum(1).mean((1, 2))
            layer += 1
    assert layer == 5
    # shift and scale of LPIPS for [-1, 1] are ImageNet's mean and deviation for [0, 1]
    torch.testing.assert_close(metric(restored, photographs), expected, rtol=1e-5, atol=1e-6)


def test_the_official_files_become_the_parameters_that_are_kept(build, tmp_path, monkeypatch):
    """torchvision's file has a classifier and float32; LPIPS's names its heads otherwise."""
    build("lpips_vgg")
    kept = weights.load(LPIPS_VGG)
    trunk = {name: tensor.float() for name, tensor in kept.items() if name.startswith("features.")}
    torch.save(trunk | {"classifier.0.weight": torch.ones(3, 2)}, tmp_path / "vgg16-397923af.pth")
    heads = {name.replace(".", ".model.1."): tensor for name, tensor in kept.items() if name.startswith("lin")}
    torch.save(heads, tmp_path / "vgg.pth")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("TEXPRIOR_WEIGHTS", "")
    assert weights.locate(LPIPS_VGG) is None
    with pytest.raises(TexpriorError, match="its content is not that of 'lpips_vgg'"):
        weights.install(LPIPS_VGG, [tmp_path / "vgg.pth"])
    weights.install(LPIPS_VGG, [tmp_path / "vgg16-397923af.pth", tmp_path / "vgg.pth"])
    imported = weights.load(LPIPS_VGG)
    assert all(torch.equal(imported[name], tensor) for name, tensor in kept.items())


def test_it_is_symmetric_and_computed_in_float32_under_autocast(build, photographs, noise):
    metric, restored = build("lpips_alex"), photographs + 0.1 * noise
    scores = metric(restored, photographs)
    torch.testing.assert_close(metric(photographs, restored), scores)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = metric(restored, photographs)
    assert inside.dtype is torch.float32
    assert torch.equal(inside, scores)
