"""Real photographs, from the wheel of scikit-image."""

import pytest
import skimage.data
import torch


@pytest.fixture(scope="session")
def photographs():
    """Three pieces of (3, 96, 128), float32 in [0, 1]: a face, fur, wood."""
    pieces = (skimage.data.astronaut()[40:136, 150:278], skimage.data.chelsea()[100:196, 150:278])
    pieces += (skimage.data.coffee()[20:116, 20:148],)
    return [torch.from_numpy(piece.copy()).permute(2, 0, 1).float() / 255 for piece in pieces]
