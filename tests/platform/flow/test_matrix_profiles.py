"""Profiles of another form than curves and a matrix are left to others."""

import numpy as np
from PIL import ImageCms

from texprior.flow.matrix_profiles import to_srgb_by_matrix

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
VALUES = np.linspace(0, 1, 48, dtype=np.float32).reshape(4, 4, 3)


def test_srgb_to_srgb_is_the_identity():
    np.testing.assert_allclose(to_srgb_by_matrix(VALUES, SRGB), VALUES, atol=1e-4)


def test_another_form_is_not_guessed():
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    for profile in (b"", b"x" * 40, SRGB[:300], lab, SRGB.replace(b"rTRC", b"xTRC"), SRGB.replace(b"wtpt", b"A2B0")):
        assert to_srgb_by_matrix(VALUES, profile) is None
    assert to_srgb_by_matrix(VALUES[..., :1], SRGB) is None
