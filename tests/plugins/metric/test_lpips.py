"""LPIPS against AlexNet built of torch's layers and the formula of the paper."""

import torch
from torch import nn

from texprior import weights
from texprior_plugins.metric import LPIPS_ALEX


def alexnet():
    """The trunk with torchvision's numbering; the ReLUs that LPIPS reads are 1, 4, 7, 9, 11."""
    pool = nn.MaxPool2d(3, 2)
    return nn.Sequential(
        *(nn.Conv2d(3, 64, 11, 4, 2), nn.ReLU(), pool, nn.Conv2d(64, 192, 5, 1, 2), nn.ReLU(), pool),
        *(nn.Conv2d(192, 384, 3, 1, 1), nn.ReLU(), nn.Conv2d(384, 256, 3, 1, 1), nn.ReLU()),
        *(nn.Conv2d(256, 256, 3, 1, 1), nn.ReLU()),
    )


@torch.no_grad()
def test_it_matches_alexnet_of_layers(build, photographs, noise):
    tensors = {name: tensor.float() for name, tensor in weights.load(LPIPS_ALEX).items()}
    trunk = alexnet()
    trunk.load_state_dict({n.removeprefix("features."): t for n, t in tensors.items() if n.startswith("features")})
    restored = photographs + 0.1 * noise
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    a, b = ((x - mean[:, None, None]) / std[:, None, None] for x in (restored, photographs))
    expected, layer = torch.zeros(3), 0
    for index, module in enumerate(trunk):
        a, b = module(a), module(b)
        if index in (1, 4, 7, 9, 11):
            squared = (nn.functional.normalize(a, dim=1) - nn.functional.normalize(b, dim=1)) ** 2
            expected += (squared * tensors[f"lin{layer}.weight"]).sum(1).mean((1, 2))
            layer += 1
    # shift and scale of LPIPS for [-1, 1] are ImageNet's mean and deviation for [0, 1]
    torch.testing.assert_close(build("lpips_alex")(restored, photographs), expected, rtol=1e-5, atol=1e-6)


def test_it_is_symmetric_and_computed_in_float32_under_autocast(build, photographs, noise):
    metric, restored = build("lpips_alex"), photographs + 0.1 * noise
    scores = metric(restored, photographs)
    torch.testing.assert_close(metric(photographs, restored), scores)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = metric(restored, photographs)
    assert inside.dtype is torch.float32
    assert torch.equal(inside, scores)
