"""NAFNet against an independent implementation where one is installed, its window, and that tiles agree."""

import importlib.util

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from scipy.ndimage import convolve1d
from torch import nn

from texprior.flow.predict import predict
from texprior.flow.tile import in_tiles
from texprior_plugins.predictor import NafnetOptions
from texprior_plugins.predictor.nafnet import Nafnet, simple_gate, window_mean


def network(**options):
    """With random weights everywhere, so that every part counts."""
    torch.manual_seed(0)
    built = Nafnet(NafnetOptions(**{"width": 8, "blocks": 1} | options))
    for parameter in built.parameters():
        nn.init.normal_(parameter, std=0.2)
    return built


def test_starts_as_the_identity():
    image = torch.rand(1, 3, 21, 35)
    assert torch.equal(Nafnet(NafnetOptions(width=8))(image), image)


@pytest.mark.parametrize("size", [(16, 16), (17, 19), (5, 3)])
def test_any_size(size):
    estimate = predict(torch.rand(2, 3, *size), network())
    assert estimate.shape == (2, 3, *size)
    assert not estimate.requires_grad


def test_every_parameter_gets_a_gradient():
    built = network()
    built.loss(built(torch.rand(2, 3, 24, 24)), torch.rand(2, 3, 24, 24)).sum().backward()
    assert all(p.grad is not None and p.grad.any() for p in built.parameters())


def test_the_gate_multiplies_the_halves():
    h = torch.arange(8.0).view(1, 4, 1, 2)
    assert torch.equal(simple_gate(h), torch.tensor([0.0, 5.0, 12.0, 21.0]).view(1, 2, 1, 2))


@pytest.mark.parametrize("side", [1, 5, 9, 61])
def test_the_window_is_cut_where_the_picture_ends(side):
    """scipy's sum over the window with zeros beyond, divided by the same sum of ones."""
    h = torch.rand(2, 3, 12, 17, generator=torch.Generator().manual_seed(0), dtype=torch.float64)

    def total(a):
        for axis in (-2, -1):
            a = convolve1d(a, np.ones(side), axis, mode="constant")
        return a

    expected = total(h.numpy()) / total(np.ones(h.shape))
    np.testing.assert_allclose(window_mean(h, side).numpy(), expected, rtol=1e-12)


@pytest.mark.parametrize(("unshuffle", "levels", "stride"), [(2, 3, 8), (1, 3, 4), (4, 2, 8)])
def test_the_stride_is_that_of_the_coarsest_grid(unshuffle, levels, stride):
    """A shift by the stride shifts the estimate, away from the border; a shift by half of it does not."""
    built = network(unshuffle=unshuffle, levels=levels, window=8, width=4)
    assert built.stride == stride
    image = torch.rand(1, 3, 4 * stride, 24 * stride, generator=torch.Generator().manual_seed(0))
    middle = slice(11 * stride, 13 * stride)

    def moves_along(step):
        return torch.allclose(built(image[..., step:])[..., middle], built(image)[..., step:][..., middle], atol=1e-5)

    assert moves_along(stride)
    assert not moves_along(stride // 2)


def test_tiles_with_a_halo_of_its_reach_are_the_whole():
    """One block a level, window 8 px: each reaches 4 px and one position of its level, and the ends one more each."""
    built = network(levels=2, window=8)
    image = torch.rand(1, 3, 144, 100, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        whole, tiled = built(image), in_tiles(built, image, 64, 48)
        cut = in_tiles(built, image, 64, 4)
    torch.testing.assert_close(tiled, whole, rtol=1e-5, atol=1e-5)
    assert (cut - whole).abs().max() > 1e-3


@pytest.mark.skipif(
    importlib.util.find_spec("spandrel") is None, reason="spandrel, which has a NAFNet, is not installed"
)
@pytest.mark.parametrize(("levels", "blocks"), [(1, 2), (3, 1), (3, 2)])
def test_with_a_window_over_the_whole_picture_it_is_the_published_network(levels, blocks):
    from spandrel.architectures.NAFNet.__arch.NAFNet_arch import NAFNet

    ours = network(levels=levels, blocks=blocks, unshuffle=1, window=512).double()
    sides = [blocks] * (levels - 1)
    theirs = NAFNet(width=8, middle_blk_num=blocks, enc_blk_nums=sides, dec_blk_nums=sides).double()
    theirs.load_state_dict(dict(renamed(ours, levels)))
    image = torch.rand(2, 3, 24, 40, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    with torch.no_grad():
        expected = theirs(2 * image - 1) - (2 * image - 1)
        torch.testing.assert_close(ours(image) - image, expected, rtol=1e-9, atol=1e-9)


def renamed(ours, levels):
    """Our tensors under the published names: the coarsest level is its middle, decoders count from the coarsest."""
    within = {
        "norm1.": "norm1.", "norm2.": "norm2.", "expand.": "conv1.", "filter.": "conv2.", "attention.weigh.": "sca.1.",
        "project.": "conv3.", "widen.": "conv4.", "narrow.": "conv5.", "beta": "beta", "gamma": "gamma",
    }  # fmt: skip
    for name, tensor in ours.state_dict().items():
        part, _, rest = name.partition(".")
        level, _, rest_of_level = rest.partition(".")
        if part in ("encoder", "decoder"):
            block, _, inner = rest_of_level.partition(".")
            head = next(h for h in within if inner.startswith(h))
            inner = inner.replace(head, within[head], 1)
            place = {"encoder": f"encoders.{level}", "decoder": f"decoders.{levels - 2 - int(level)}"}[part]
            place = "middle_blks" if (part, level) == ("encoder", str(levels - 1)) else place
            yield f"{place}.{block}.{inner}", tensor.unsqueeze(0) if inner in ("beta", "gamma") else tensor
        elif part == "up":
            yield f"ups.{levels - 2 - int(level)}.{rest_of_level}", tensor
        else:
            yield name.replace("enter", "intro").replace("leave", "ending").replace("down", "downs"), tensor


def test_learns_a_known_degradation():
    """Halved contrast of plain colours is undone to a third of the initial error within 40 steps."""
    torch.manual_seed(0)
    built = Nafnet(NafnetOptions(width=8, levels=2, blocks=1))
    optimizer = torch.optim.Adam(built.parameters(), 1e-2)
    losses = []
    for _ in range(40):
        clean = torch.rand(8, 3, 1, 1).expand(-1, -1, 16, 16)
        loss = built.loss(built(0.5 * clean + 0.25), clean).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] / 3


def test_a_window_smaller_than_a_position_is_refused():
    with pytest.raises(ValidationError):
        NafnetOptions(window=4)
