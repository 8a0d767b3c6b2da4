"""The eight orientations: each is turned back exactly, and the laid picture's parts and tiles are where they belong."""

import numpy as np
import pytest
import torch

from texprior.flow.orient import ORIENTATIONS, Orientation
from texprior.flow.tile import tiles

SIZE = 5, 7
PICTURE = torch.arange(35.0).view(1, 1, *SIZE)


def test_they_are_the_eight_symmetries_of_a_square():
    """Against numpy's quarter turns with and without a mirror."""
    square = torch.arange(9.0).view(1, 1, 3, 3)
    ours = {tuple(o.lay(square).flatten().tolist()) for o in ORIENTATIONS}
    array = square[0, 0].numpy()
    known = {tuple(np.rot90(a, k).flatten().tolist()) for a in (array, array[:, ::-1]) for k in range(4)}
    assert len(ORIENTATIONS) == 8
    assert ours == known


def test_the_first_is_the_picture_and_the_first_two_and_four_are_groups():
    assert ORIENTATIONS[0] == Orientation()
    assert torch.equal(ORIENTATIONS[1].lay(PICTURE), PICTURE.flip(-1))
    assert all(o.lay(PICTURE).shape == PICTURE.shape for o in ORIENTATIONS[:4])


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_what_is_laid_is_turned_back(orientation):
    laid = orientation.lay(PICTURE)
    assert torch.equal(orientation.back(laid), PICTURE)
    assert torch.equal(orientation.inverse().lay(laid), PICTURE)
    assert laid.shape[-2:] == orientation.size(*SIZE)


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_a_part_of_the_laid_picture_is_read_from_the_upright_one(orientation):
    laid = orientation.lay(PICTURE)
    read = orientation.part(lambda rows, columns: PICTURE[..., rows, columns], SIZE)
    rows, columns = slice(1, 4), slice(2, 5)
    assert torch.equal(read(rows, columns), laid[..., rows, columns])
    place = orientation.place(rows, columns, SIZE)
    assert torch.equal(orientation.back(laid[..., place[0], place[1]]), PICTURE[..., rows, columns])


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_a_tile_begins_on_the_grid_and_holds_the_part(orientation):
    """Whatever the upright tile keeps is kept, and no tile sees less around it than the grid takes."""
    size = 150, 221
    laid = orientation.size(*size)
    for tile in tiles(*size, side=64, halo=32):
        found = orientation.tile(tile, size, grid=16)
        wanted = orientation.place(*tile.place, size)
        for seen, kept, place, whole, side in zip(found.seen, found.kept, found.place, wanted, laid, strict=True):
            assert seen.start % 16 == 0
            assert place.start % 16 == 0
            assert 0 <= seen.start <= place.start <= whole.start
            assert place.stop == whole.stop <= seen.stop <= side
            assert seen.start + kept.start == place.start
            assert seen.start + kept.stop == place.stop
            assert seen.start == 0 or place.start - seen.start == 32
            assert whole.start - place.start < 16
