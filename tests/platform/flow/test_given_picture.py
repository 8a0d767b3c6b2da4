"""Pictures from scripts: what is taken is right, and the rest is refused with what was found."""

import numpy as np
import pytest
import torch
from PIL import Image

from texprior.errors import ImageError
from texprior.flow.given_picture import as_picture

LEVELS = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
LEVELS[0, 0], LEVELS[4, 6] = 0, 255
EXPECTED = torch.from_numpy(LEVELS.astype(np.float32) / 255).permute(2, 0, 1)
UNIT = LEVELS / 255
ALPHA = np.full((5, 7, 1), 51, np.uint8)  # a fifth


@pytest.mark.parametrize(
    "given",
    [
        EXPECTED,
        EXPECTED.double(),
        EXPECTED[None],
        EXPECTED.clone().requires_grad_(),
        torch.from_numpy(LEVELS).permute(2, 0, 1),
        LEVELS,
        LEVELS[None],
        LEVELS.astype(np.uint16) * 257,
        UNIT,
        UNIT.astype(np.float32),
        UNIT.astype(">f4"),
        UNIT.astype(np.longdouble),
        LEVELS[::-1][::-1],
        np.asfortranarray(UNIT),
        Image.fromarray(LEVELS),
    ],
    ids=lambda given: f"{type(given).__name__}-{getattr(given, 'dtype', '')}-{tuple(getattr(given, 'shape', ()))}",
)
def test_one_picture_in_every_form(given):
    image = as_picture(given)
    assert image.dtype is torch.float32
    assert not image.requires_grad
    torch.testing.assert_close(image, EXPECTED, rtol=0, atol=2e-7)


@pytest.mark.parametrize(
    "given",
    [EXPECTED[:1], EXPECTED[0], LEVELS[..., 0], LEVELS[..., :1], UNIT[..., 0], Image.fromarray(LEVELS[..., 0])],
    ids=["1hw", "hw", "array-hw", "array-hw1", "float", "pil"],
)
def test_grey_is_repeated(given):
    torch.testing.assert_close(as_picture(given), EXPECTED[:1].expand(3, -1, -1), rtol=0, atol=2e-7)


def test_alpha_is_composed_on_white():
    see_through = np.dstack([LEVELS, ALPHA])
    torch.testing.assert_close(as_picture(see_through), 0.2 * EXPECTED + 0.8, rtol=0, atol=1e-6)
    torch.testing.assert_close(as_picture(Image.fromarray(see_through)), 0.2 * EXPECTED + 0.8, rtol=0, atol=1.01 / 255)


def test_rounding_of_a_program_is_clipped():
    assert as_picture(torch.full((3, 2, 2), 1.0005)).max() == 1
    assert as_picture(torch.full((3, 2, 2), -1e-7)).min() == 0


def with_value(value):
    image = EXPECTED.clone()
    image[1, 2, 3] = value
    return image


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (EXPECTED * 255, "the values go from 0 to 255, but black is 0 and white is 1"),
        (EXPECTED * 2 - 1, "the values go from -1 to 1, but black is 0 and white is 1"),
        (UNIT * 255, "the values go from 0 to 255"),
        (with_value(torch.nan), "1 of 105 values is NaN or infinite, the first in column 3, row 2"),
        (with_value(-torch.inf), "1 of 105 values is NaN or infinite"),
        (EXPECTED.expand(2, -1, -1, -1), r"a tensor of shape \(2, 3, 5, 7\) is a batch; give one picture \(3, H, W\)"),
        (np.stack([LEVELS] * 2), r"an array of shape \(2, 5, 7, 3\) is a batch; give one picture \(H, W, 3\)"),
        (EXPECTED.permute(1, 2, 0), r"a tensor of shape \(5, 7, 3\) is no picture; give \(3, H, W\)"),
        (np.asarray(EXPECTED), r"an array of shape \(3, 5, 7\) is no picture; give \(H, W, 3\)"),
        (EXPECTED[:2], "with 1, 3 or 4 channels"),
        (torch.zeros(3, 0, 4), "is no picture"),
        (torch.zeros(()), "is no picture"),
        (np.zeros(5, np.uint8), "is no picture"),
        (LEVELS.astype(np.int64), "type int64 is no picture; give uint8, uint16, or floats"),
        (torch.from_numpy(LEVELS.astype(np.int32)).permute(2, 0, 1), "type torch.int32 is no picture"),
        (LEVELS > 3, "type bool is no picture"),
        (np.array([["a"]]), "is no picture"),
        (np.zeros((4, 4), complex), "is no picture"),
        (np.array([[None]]), "is no picture"),
        ([[0.5]], "not list"),
        (b"\x89PNG", "not bytes"),
        (None, "not NoneType"),
    ],
)
def test_what_is_no_picture_is_refused_with_what_was_found(given, sentence):
    with pytest.raises(ImageError, match=sentence):
        as_picture(given)


def test_a_picture_that_cannot_be_read_is_named(tmp_path):
    Image.fromarray(np.tile(LEVELS, (40, 40, 1))).save(tmp_path / "whole.jpg")
    (tmp_path / "half.jpg").write_bytes((tmp_path / "whole.jpg").read_bytes()[:2000])
    with pytest.raises(ImageError, match=r"the picture cannot be read \(image file is truncated"):
        as_picture(Image.open(tmp_path / "half.jpg"))


@pytest.mark.parametrize("given", [EXPECTED.to_sparse(), torch.empty(3, 4, 4, device="meta")])
def test_a_tensor_without_values_in_memory_is_refused(given):
    with pytest.raises(ImageError, match="a tensor without its values in memory"):
        as_picture(given)
