"""Tiles: every pixel once, and a local function computed in tiles is the function of the whole."""

import pytest
import torch
from torch.nn import functional as F

from texprior.flow.tile import in_tiles, tiles


@pytest.mark.parametrize(("height", "width"), [(64, 64), (65, 64), (130, 201), (1, 300)])
def test_every_pixel_is_kept_once(height, width):
    count = torch.zeros(1, 1, height, width)
    for tile in tiles(height, width, 64, 16):
        piece = torch.zeros_like(count)
        tile.put(piece, torch.ones_like(tile.cut(count)))
        count += piece
    assert torch.equal(count, torch.ones_like(count))


def test_one_tile_where_it_fits():
    assert len(tiles(64, 64, 64, 16)) == 1


@pytest.mark.parametrize("size", [(130, 201), (64, 65)])
def test_a_blur_in_tiles_is_the_blur_of_the_whole(size):
    image = torch.rand(2, 3, *size)
    blur = lambda x: F.avg_pool2d(F.pad(x, (8, 8, 8, 8), mode="replicate"), 17, 1)  # noqa: E731
    assert torch.allclose(in_tiles(blur, image, 64, 16), blur(image), atol=1e-6)


def test_too_small_a_halo_shows():
    image = torch.rand(1, 3, 130, 130)
    blur = lambda x: F.avg_pool2d(F.pad(x, (8, 8, 8, 8), mode="replicate"), 17, 1)  # noqa: E731
    assert not torch.allclose(in_tiles(blur, image, 64, 4), blur(image), atol=1e-3)


def test_the_outermost_tiles_reach_from_the_grid_of_the_inner_part_to_the_border():
    found = tiles(300, 200, 64, 16, inner=(slice(32, 268), slice(0, 200)))
    rows = sorted({(t.place[0].start, t.place[0].stop) for t in found})
    assert rows == [(0, 96), (96, 160), (160, 224), (224, 300)]
    assert {(t.place[1].start, t.place[1].stop) for t in found} == {(0, 64), (64, 128), (128, 192), (192, 200)}
    count = torch.zeros(1, 1, 300, 200)
    for tile in found:
        piece = torch.zeros_like(count)
        tile.put(piece, torch.ones_like(tile.cut(count)))
        count += piece
    assert torch.equal(count, torch.ones_like(count))
