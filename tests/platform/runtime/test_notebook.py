"""Results in a notebook: tables and pictures as HTML, and data frames."""

import base64
import io
import math
from html.parser import HTMLParser

import numpy as np
import torch
from PIL import Image

from texprior.evaluation.scores import Score, Scores
from texprior.pipeline import Restored
from texprior.runtime.notebook import html_pictures, html_table


class Read(HTMLParser):
    """Collects cells, and the pictures in addresses."""

    def __init__(self, html):
        super().__init__()
        self.cells, self.pictures, self._tag = [], {}, ""
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self._tag = tag
        if tag == "img":
            given = dict(attrs)
            data = base64.b64decode(given["src"].removeprefix("data:image/png;base64,"))
            self.pictures[given["alt"]] = np.asarray(Image.open(io.BytesIO(data)))

    def handle_data(self, data):
        if self._tag in ("td", "th"):
            self.cells.append(data)


def test_texts_of_a_table_are_escaped():
    html = html_table("<b>", ["a"], [["<script>"], [1]])
    assert "<script>" not in html
    assert Read(html).cells == ["a", "<script>", "1"]


def test_a_large_picture_is_shown_smaller():
    (shown,) = Read(html_pictures("", {"wide": torch.rand(3, 20, 1280)})).pictures.values()
    assert shown.shape == (10, 640, 3)


def test_a_restored_picture_shows_what_it_was_made_of():
    estimate, picture, layer = torch.full((3, 1, 3, 8, 8), 0.2).unbind()
    layer = layer.clone()
    layer[..., 0, 0] = -0.4
    restored = Restored(picture + 0.4, torch.zeros(1, 3, 8, 8), estimate, estimate, layer, 4, 0.1)
    shown = Read(restored._repr_html_()).pictures
    assert {name: image.shape for name, image in shown.items()} == dict.fromkeys(
        ["estimate", "restored", "texture"], (8, 8, 3)
    )
    assert [int(shown[name][4, 4, 0]) for name in shown] == [51, 153, 191]  # .5 + .25
    assert shown["texture"][0, 0, 0] == 0  # the strongest value


def test_scores_are_a_table_of_means_and_a_frame_of_values():
    rows = tuple(Score("restored", str(n), "lpips", 0.1 * n, 4, 1.0) for n in range(3))
    scores = Scores(rows, {"lpips": "lower"})
    assert Read(scores._repr_html_()).cells == ["method", "lpips (lower)", "restored", "0.1 ± 0.058"]
    frame = scores.to_pandas()
    assert list(frame.columns) == ["method", "picture", "metric", "value", "calls", "texture_strength"]
    assert math.isclose(frame["value"].mean(), scores.means()["restored"]["lpips"])
    assert frame["calls"].tolist() == [4, 4, 4]
