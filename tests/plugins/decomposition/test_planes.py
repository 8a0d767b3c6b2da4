"""Filters in parts that fit into a cache, and on OpenCV: the same structures as those of torch on any device."""

import cv2
import numpy as np
import pytest
import torch

from texprior_plugins.decomposition import _blur, _planes, laplacian
from texprior_plugins.decomposition._planes import by_opencv, channel_by_channel, one_by_one, opencv_can

SHAPES = [(2, 3, 33, 47), (1, 1, 5, 3), (1, 2, 1, 9), (3, 1, 1, 1)]


@pytest.fixture
def on_torch(monkeypatch):
    """Filters as on a device whose pictures OpenCV cannot read."""
    for module in (_blur, laplacian):
        monkeypatch.setattr(module, "opencv_can", lambda _image: False)


def random(*shape, dtype=torch.float64):
    return torch.rand(shape, generator=torch.Generator().manual_seed(0)).to(dtype)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_blur_by_opencv_is_that_of_torch(shape, request):
    ours = [_blur.blurred(random(*shape, dtype=dtype), 2.3) for dtype in (torch.float64, torch.float32)]
    request.getfixturevalue("on_torch")
    expected = _blur.blurred(random(*shape), 2.3)
    assert (ours[0] - expected).abs().max() < 1e-14
    assert (ours[1] - expected).abs().max() < 3e-7


@pytest.mark.parametrize("shape", SHAPES)
def test_a_pyramid_by_opencv_is_that_of_torch(shape, request):
    ours = laplacian.expanded(laplacian.reduced(random(*shape)), shape[-2:])
    request.getfixturevalue("on_torch")
    assert (ours - laplacian.expanded(laplacian.reduced(random(*shape)), shape[-2:])).abs().max() < 1e-14


@pytest.mark.parametrize("size", [(61, 78), (64, 63), (9, 2), (1, 6), (4, 1)])
@pytest.mark.usefixtures("on_torch")
def test_the_pyramid_of_torch_is_opencvs(size):
    image = random(1, 1, *size)
    small = laplacian.reduced(image)
    np.testing.assert_allclose(small[0, 0].numpy(), cv2.pyrDown(image[0, 0].numpy()), atol=1e-14)
    back = cv2.pyrUp(small[0, 0].numpy(), dstsize=size[::-1])
    np.testing.assert_allclose(laplacian.expanded(small, size)[0, 0].numpy(), back, atol=1e-14)


def test_each_picture_of_a_batch_passes_by_itself_and_each_channel_if_asked():
    shapes, image = [], random(2, 3, 4, 5)

    def noted(part):
        shapes.append(tuple(part.shape))
        return part + 1

    assert torch.equal(one_by_one(noted, image), image + 1)
    assert torch.equal(channel_by_channel(noted, image), image + 1)
    assert shapes == 2 * [(1, 3, 4, 5)] + 6 * [(1, 1, 4, 5)]


def test_another_device_gets_the_whole_batch():
    batch = torch.empty(2, 3, 4, 5, device="meta")
    assert not opencv_can(batch)
    assert one_by_one(lambda whole: whole[:, :1].sum(1, keepdim=True), batch).shape == (2, 1, 4, 5)
    assert one_by_one(lambda whole: torch.empty(len(whole), 1), batch).shape == (2, 1)


def test_half_precision_and_pictures_without_pixels_stay_with_torch():
    assert opencv_can(random(1, 1, 2, 2))
    assert not opencv_can(random(1, 1, 2, 2, dtype=torch.bfloat16))
    assert not opencv_can(torch.empty(0, 3, 2, 2))


def test_planes_may_be_views_and_change_their_size():
    image = random(2, 3, 6, 8)
    half = by_opencv(lambda plane: plane[::2, ::2].copy(), image.mT)
    assert torch.equal(half, image.mT[..., ::2, ::2])


def test_opencv_takes_no_more_threads_than_torch(monkeypatch):
    asked = []
    monkeypatch.setattr(_planes.cv2, "getNumThreads", lambda: 64)
    monkeypatch.setattr(_planes.cv2, "setNumThreads", asked.append)
    by_opencv(np.copy, random(1, 1, 2, 2))
    assert asked == [torch.get_num_threads()]
