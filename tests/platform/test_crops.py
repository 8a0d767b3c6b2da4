"""Where an ablation's pictures differ most."""

import numpy as np

from texprior.crops import place_of


def test_the_place_is_where_the_pictures_vary_most():
    rng = np.random.default_rng(0)
    pictures = [rng.integers(0, 255, (20, 31, 3), dtype=np.uint8) for _ in range(3)]
    variance = np.stack(pictures).astype(float).var(0).sum(2)
    sums = {(t, w): variance[t : t + 8, w : w + 8].sum() for t in range(13) for w in range(24)}
    assert place_of(pictures, 8) == max(sums, key=sums.get)


def test_a_picture_smaller_than_the_square_is_shown_whole():
    pictures = [np.zeros((10, 40, 3), dtype=np.uint8), np.zeros((10, 40, 3), dtype=np.uint8)]
    pictures[0][4, 30] = 9
    top, left = place_of(pictures, 16)
    assert top == 0
    assert left <= 30 < left + 16
