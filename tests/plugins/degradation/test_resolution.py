"""JPEG against Pillow, downscaling against torch."""

import io

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn.functional import interpolate

from texprior.diffusion.keys import generator
from texprior.flow.image import to_uint8
from texprior_plugins.degradation import DownscaleOptions, JpegOptions
from texprior_plugins.degradation.downscale import Downscale
from texprior_plugins.degradation.jpeg import Jpeg


@pytest.mark.parametrize("subsampling", ["4:2:0", "4:4:4"])
@pytest.mark.parametrize("quality", [5, 40, 95])
def test_jpeg_is_pillows_own(photographs, quality, subsampling):
    jpeg = Jpeg(JpegOptions(quality_min=quality, quality_max=quality, subsampling=subsampling))
    file = io.BytesIO()
    number = {"4:4:4": 0, "4:2:0": 2}[subsampling]
    Image.fromarray(to_uint8(photographs[0])).save(file, "JPEG", quality=quality, subsampling=number)
    expected = np.asarray(Image.open(file), dtype=np.float32).transpose(2, 0, 1) / 255
    np.testing.assert_array_equal(jpeg(photographs[0], generator(0)), expected)


def test_qualities_are_drawn_from_both_ends():
    jpeg = Jpeg(JpegOptions(quality_min=30, quality_max=33))
    drawn = [jpeg.draw(generator(i), (8, 8))["quality"] for i in range(200)]
    assert set(drawn) == {30, 31, 32, 33}


@pytest.mark.parametrize("kernel", ["bilinear", "bicubic"])
@pytest.mark.parametrize("factor", [2.0, 3.3])
def test_downscaling_is_antialiased_as_torchs(photographs, kernel, factor):
    options = DownscaleOptions(factor_min=factor, factor_max=factor, down=kernel, up=kernel)
    image = photographs[1]
    small = interpolate(image[None], (round(96 / factor), round(128 / factor)), mode=kernel, antialias=True).clamp(0, 1)
    expected = interpolate(small, (96, 128), mode=kernel, antialias=True)[0].clamp(0, 1)
    torch.testing.assert_close(Downscale(options)(image, generator(0)), expected, atol=2e-6, rtol=0)


def test_a_box_by_2_is_the_mean_of_four(photographs):
    options = DownscaleOptions(factor_min=2.0, factor_max=2.0, down="box", up="nearest")
    means = torch.nn.functional.avg_pool2d(photographs[0], 2)
    expected = means.repeat_interleave(2, -1).repeat_interleave(2, -2)
    torch.testing.assert_close(Downscale(options)(photographs[0], generator(0)), expected, atol=1e-6, rtol=0)


def test_a_factor_of_1_changes_nothing(photographs):
    options = DownscaleOptions(factor_min=1.0, factor_max=1.0)
    assert torch.equal(Downscale(options)(photographs[0], generator(0)), photographs[0])


def test_a_picture_is_never_smaller_than_a_pixel():
    options = DownscaleOptions(factor_min=32.0, factor_max=32.0, down="box", up="nearest")
    image = torch.rand(3, 5, 40, generator=generator(0))
    coarse = Downscale(options)(image, generator(0))
    assert coarse.shape == image.shape
    torch.testing.assert_close(coarse, image.mean((1, 2), keepdim=True).expand_as(image), atol=1e-6, rtol=0)
