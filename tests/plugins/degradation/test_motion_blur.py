"""Motion blur: its ways have their length, its kernels sum to 1, and it acts in linear light."""

import numpy as np
import pytest
from scipy import ndimage

from texprior.diffusion.keys import generator
from texprior_plugins.degradation import MotionBlurOptions
from texprior_plugins.degradation._light import to_light
from texprior_plugins.degradation.motion_blur import MotionBlur, kernel_of, trajectory


@pytest.mark.parametrize("shake", [0.0, 0.25, 1.0])
@pytest.mark.parametrize("length", [3.0, 30.0, 200.0])
def test_a_way_has_its_length_and_its_kernel_sum_1(length, shake):
    way = trajectory(length, shake, 7)
    assert np.abs(np.diff(way)).sum() == pytest.approx(length, rel=1e-9)
    kernel = kernel_of(way)
    assert kernel.sum() == pytest.approx(1, abs=1e-12)
    assert kernel.min() >= 0
    half = len(kernel) // 2
    y, x = np.mgrid[-half : half + 1, -half : half + 1]
    assert abs((kernel * x).sum()) + abs((kernel * y).sum()) < 1e-9  # blurred pictures are not shifted


def test_without_shake_the_way_is_straight():
    """From end to end it is as far as its length; the second moment along it is L²/12, across it that of pixels."""
    way = trajectory(40.0, 0.0, 3)
    assert abs(way[-1] - way[0]) == pytest.approx(40.0)
    direction = (way[-1] - way[0]) / 40.0
    kernel = kernel_of(way)
    half = len(kernel) // 2
    y, x = np.mgrid[-half : half + 1, -half : half + 1]
    turned = (x + 1j * y) / direction
    assert (kernel * turned.real**2).sum() == pytest.approx(40.0**2 / 12, abs=0.5)
    assert (kernel * turned.imag**2).sum() < 0.26


def test_shake_keeps_the_way_together():
    extents = [np.mean([np.abs(trajectory(30.0, shake, s)).max() for s in range(20)]) for shake in (0.0, 0.25, 1.0)]
    assert extents[0] == pytest.approx(15.0)
    assert extents[0] > 1.3 * extents[1]
    assert extents[1] > 1.3 * extents[2]


def test_no_way_is_no_blur(photographs):
    blur = MotionBlur(MotionBlurOptions(length_min=0.0, length_max=0.0))
    assert (blur(photographs[0], generator(0)) - photographs[0]).abs().max() < 2e-6


def test_light_adds_up_along_the_way(photographs):
    """Against SciPy's direct convolution of the linear light, borders mirrored."""
    blur = MotionBlur(MotionBlurOptions(shake=0.5))
    recipe = {"length": 17.0, "seed": 11}
    kernel = kernel_of(trajectory(17.0, 0.5, 11))
    light = to_light(photographs[2]).double().numpy()
    expected = [ndimage.convolve(channel, kernel, mode="reflect") for channel in light]
    np.testing.assert_allclose(to_light(blur.apply(photographs[2], recipe)), expected, atol=2e-6)


def test_lengths_are_drawn_from_their_range():
    blur = MotionBlur(MotionBlurOptions(length_min=10.0, length_max=20.0))
    lengths = np.array([blur.draw(generator(i), (8, 8))["length"] for i in range(200)])
    assert (lengths.min() >= 10, lengths.max() <= 20) == (True, True)
    assert lengths.mean() == pytest.approx(15, abs=0.62)  # 3 standard errors
