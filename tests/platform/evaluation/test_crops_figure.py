"""Pictures with crops of several methods: where the boxes are, and that the figure shows the pixels in them."""

import io

import numpy as np
import pytest
from PIL import Image

from texprior.errors import ConfigError
from texprior.evaluation.crops_figure import HEAD, WIDTH, Box, common_pictures, draw_rows, rows_of


@pytest.fixture
def folders(tmp_path):
    """Two folders with a grey picture, 80 x 60 px; the second has a red square of 16 px at (40, 24)."""
    for name in ("plain", "marked"):
        (tmp_path / name).mkdir()
        array = np.full((60, 80, 3), 128, np.uint8)
        if name == "marked":
            array[24:40, 40:56] = (255, 0, 0)
        Image.fromarray(array).save(tmp_path / name / "a.png")
    Image.fromarray(array).save(tmp_path / "plain" / "b.png")
    return {name: tmp_path / name for name in ("plain", "marked")}


def test_a_box_that_is_not_given_is_where_the_folders_differ(folders):
    (row,) = rows_of(folders, {"a": []}, side=16)
    assert row.boxes == [Box(40, 24, 16, 16)]
    (row,) = rows_of(folders, {"a": []}, side=500)
    assert (row.boxes[0].width, row.boxes[0].height) == (60, 60)  # as much as there is


def test_the_figure_is_as_wide_as_a_page_and_shows_the_pixels_of_the_boxes(folders):
    rows = rows_of(folders, {"a": [Box(40, 24, 16, 16), Box(0, 0, 16, 16)]}, side=16)
    figure = draw_rows(rows)
    stream = io.BytesIO()
    figure.savefig(stream, dpi=100, format="png")
    shown = np.asarray(Image.open(stream).convert("RGB"))
    assert shown.shape[1] == round(100 * WIDTH)
    # whole picture, then two boxes, one above the other, of each folder
    whole, *crops = [axes.get_position() for axes in figure.axes]
    height, width = shown.shape[:2]
    middles = [shown[round((1 - (p.y0 + p.y1) / 2) * height), round((p.x0 + p.x1) / 2 * width)] for p in crops]
    assert [tuple(map(int, m)) for m in middles] == [(128,) * 3, (128,) * 3, (255, 0, 0), (128,) * 3]
    assert crops[0].x0 > whole.x1
    assert crops[-1].x1 < 1
    assert whole.width * width / (whole.height * height) == pytest.approx(80 / 60, rel=0.02)
    assert height > HEAD * 100


@pytest.mark.parametrize(("chosen", "said"), [
    ({"c": []}, "--picture c: it is not in plain, which has a, b"),
    ({"b": []}, "--picture b: it is not in marked"),
    ({"a": [Box(70, 0, 16, 16)]}, r"a@70,0,16,16: not inside of 80 x 60 px"),
    ({"a": [Box(-1, 0, 16, 16)]}, "not inside"),
    ({"a": [Box(0, 0, 0, 16)]}, "not inside"),
])  # fmt: skip
def test_what_cannot_be_drawn_is_refused(folders, chosen, said):
    with pytest.raises(ConfigError, match=said):
        rows_of(folders, chosen, side=16)


def test_versions_of_two_sizes_are_refused(folders):
    Image.new("RGB", (10, 10)).save(folders["marked"] / "a.png")
    with pytest.raises(ConfigError, match="its versions must have one size: plain 80 x 60, marked 10 x 10"):
        rows_of(folders, {"a": []}, side=16)


def test_the_common_pictures_are_those_of_all_folders(folders):
    assert common_pictures(folders) == ["a"]
    (folders["marked"] / "a.png").rename(folders["marked"] / "z.png")
    with pytest.raises(ConfigError, match="no picture is in all of plain, marked"):
        common_pictures(folders)
