"""Real photographs, from the wheel of scikit-image."""

import pytest
import skimage.data
import torch

from texprior_plugins.decomposition import texprior_decompositions


@pytest.fixture(scope="session")
def photograph():
    """(1, 3, 128, 160), a face and its surroundings, float32 in [0, 1]."""
    image = torch.from_numpy(skimage.data.astronaut()[40:168, 140:300].copy())
    return image.permute(2, 0, 1)[None].float() / 255


@pytest.fixture(scope="session")
def crop(photograph):
    """(1, 3, 45, 56), a part of it with an eye and hair: odd, and small enough for slow filters."""
    return photograph[..., 40:85, 60:116].contiguous()


@pytest.fixture(params=texprior_decompositions(), ids=lambda component: component.name)
def component(request):
    """Every first-party decomposition."""
    return request.param


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    """Small transforms are slower on several threads than on one, above all on a busy machine."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
