"""Pictures for the screen: the values of files, and crops of which each pixel is one of the screen."""

import base64
import io
import re

import numpy as np
import pytest
import torch
from PIL import Image

from texprior.cli.app.drawing import CROP, crops_html, place_of, shown, spread_shown, texture_shown


def level(values):
    return torch.tensor(values).view(1, 3, 1, 1)


def test_a_picture_has_the_values_of_its_file():
    assert shown(level([0.0, 0.5, 1.0])).tolist() == [[[0, 128, 255]]]


def test_a_texture_is_amplified_around_grey():
    """0.5 + 4 t: zero is 128 of 255, 0.05 is 0.7 of white, and what is beyond is clipped."""
    assert texture_shown(level([0.0, 0.05, -0.2])).tolist() == [[[128, 178, 0]]]


def test_a_spread_is_scaled_to_its_largest_value():
    drawn, largest = spread_shown(level([0.0, 0.01, 0.02]))
    assert drawn.tolist() == [[[0, 128, 255]]]
    assert largest == pytest.approx(0.02)
    assert spread_shown(torch.zeros(1, 3, 1, 1))[0].tolist() == [[[0, 0, 0]]]


@pytest.mark.parametrize(
    ("size", "across", "down", "rows", "columns"),
    [
        ((600, 900), 0.0, 0.0, (0, 224), (0, 224)),
        ((600, 900), 1.0, 0.5, (188, 412), (676, 900)),
        ((100, 300), 0.5, 1.0, (0, 100), (38, 262)),
        ((1, 1), 0.3, 0.7, (0, 1), (0, 1)),
    ],
)
def test_a_crop_goes_from_border_to_border(size, across, down, rows, columns):
    assert CROP == 224
    assert [(s.start, s.stop) for s in place_of(size, across, down)] == [rows, columns]


def test_crops_hold_every_pixel_at_its_own_size():
    picture = np.random.default_rng(0).integers(0, 256, (300, 400, 3), dtype=np.uint8)
    place = place_of((300, 400), 0.25, 1.0)
    html = crops_html({"input": picture, "<b>": picture[:, ::-1]}, place)
    images = re.findall(r'width="224" height="224" src="data:image/png;base64,([^"]+)"', html)
    decoded = [np.asarray(Image.open(io.BytesIO(base64.b64decode(text)))) for text in images]
    assert [np.array_equal(d, p[place]) for d, p in zip(decoded, (picture, picture[:, ::-1]), strict=True)] == [
        True
    ] * 2
    assert "<figcaption>input</figcaption>" in html
    assert "<b>" not in html
