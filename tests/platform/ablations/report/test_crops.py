"""Where an ablation's pictures differ most."""

import numpy as np
from PIL import Image, ImageFont

from texprior.ablations.report.crops import SIDE, ZOOM, Crop, _label, draw_grid, most_varied_square


def test_the_place_is_where_the_pictures_vary_most():
    rng = np.random.default_rng(0)
    pictures = [rng.integers(0, 255, (20, 31, 3), dtype=np.uint8) for _ in range(3)]
    variance = np.stack(pictures).astype(float).var(0).sum(2)
    sums = {(t, w): variance[t : t + 8, w : w + 8].sum() for t in range(13) for w in range(24)}
    assert most_varied_square(pictures, 8) == max(sums, key=sums.get)


def test_a_picture_smaller_than_the_square_is_shown_whole():
    pictures = [np.zeros((10, 40, 3), dtype=np.uint8), np.zeros((10, 40, 3), dtype=np.uint8)]
    pictures[0][4, 30] = 9
    top, left = most_varied_square(pictures, 16)
    assert top == 0
    assert left <= 30 < left + 16


def test_a_long_name_is_broken_and_not_written_over_its_neighbour(tmp_path):
    names = ["degraded", "from scratch, images of both stages", "from scratch, same images", "a" * 60]
    square = np.zeros((SIDE, SIDE, 3), dtype=np.uint8)
    crop = Crop("x.png", square, dict.fromkeys(names, square), {names[1]: 0.2038, names[3]: 31.25})
    font = ImageFont.load_default(13)
    for name in names:
        label = _label(crop, name, SIDE * ZOOM)
        assert " ".join(label.split()).replace(" ", "").startswith(name.replace(" ", ""))
        assert max(font.getlength(line) for line in label.splitlines()) <= SIDE * ZOOM
    short = Crop("y.png", square, {"degraded": square}, {})
    heights = [Image.open(draw_grid(crops, tmp_path / "grid.png")).height for crops in ([short], [crop])]
    assert heights[1] == heights[0] + 3 * 20
