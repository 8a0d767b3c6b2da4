"""Colour profiles: what they change, judged by permuted primaries, by closed forms and by Little CMS."""

import io
import logging
import struct

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms

from texprior.flow.image import load_image, read_picture
from texprior.flow.once import warn_once

RNG = np.random.default_rng(0)
RGB = RNG.integers(0, 256, (6, 8, 3), dtype=np.uint8)
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
WIDE = RNG.integers(0, 65536, (6, 8, 3), dtype=np.uint16)


def with_tags(space, **tags):
    """An ICC profile of version 2 (ICC.1:2001) with these tags; a display's, whose connection space is XYZ of D50."""
    required = {
        "wtpt": xyz(0.9642, 1.0, 0.8249),
        "desc": b"desc" + bytes(4) + struct.pack(">I", 2) + b"x\0" + bytes(78),
    }
    table, data = b"", b""
    start = 128 + 4 + 12 * len(required | tags)
    for name, content in (required | tags).items():
        content += bytes(-len(content) % 4)
        table += name.encode() + struct.pack(">II", start + len(data), len(content))
        data += content
    head = bytearray(128)
    head[:4] = struct.pack(">I", start + len(data))
    head[8:12], head[12:16], head[16:20], head[20:24], head[36:40] = b"\2\x20\0\0", b"mntr", space, b"XYZ ", b"acsp"
    head[68:80] = struct.pack(">3i", 63190, 65536, 54061)  # D50
    return bytes(head) + struct.pack(">I", len(required | tags)) + table + data


def xyz(*values):
    return b"XYZ " + bytes(4) + struct.pack(">3i", *(round(v * 65536) for v in values))


def gamma(value):
    return b"curv" + bytes(4) + struct.pack(">IH", 1, round(value * 256))


def table(values):
    return b"curv" + bytes(4) + struct.pack(f">I{len(values)}H", len(values), *(round(v * 65535) for v in values))


def parametric(kind, *values):
    return b"para" + bytes(4) + struct.pack(f">HH{len(values)}i", kind, 0, *(round(v * 65536) for v in values))


COLUMNS = {
    "rXYZ": xyz(0.60974, 0.31111, 0.01947),
    "gXYZ": xyz(0.20528, 0.62567, 0.06087),
    "bXYZ": xyz(0.14919, 0.06322, 0.74457),
}
"""Adobe RGB (1998), annex C: its primaries adapted to D50."""


def rgb_profile(curve, columns=COLUMNS):
    return with_tags(b"RGB ", **columns, rTRC=curve, gTRC=curve, bTRC=curve)


ADOBE = rgb_profile(gamma(563 / 256))


def swapped():
    """sRGB with the primaries of red and green exchanged: converting exchanges the channels."""
    return SRGB.replace(b"rXYZ", b"tXYZ").replace(b"gXYZ", b"rXYZ").replace(b"tXYZ", b"gXYZ")


@pytest.fixture
def said(caplog):
    warn_once.cache_clear()
    caplog.set_level(logging.WARNING)
    return lambda: [record.getMessage() for record in caplog.records]


def load(tmp_path, image, suffix="png", profile=None, **how):
    path = tmp_path / f"picture.{suffix}"
    image.save(path, icc_profile=profile, **({"lossless": True} if suffix == "webp" else {}))
    return (load_image(path, **how).permute(1, 2, 0) * 255).numpy()


@pytest.mark.parametrize("suffix", ["png", "tif", "webp"])
def test_another_profile_is_applied(tmp_path, suffix, said):
    np.testing.assert_allclose(load(tmp_path, Image.fromarray(RGB), suffix, swapped()), RGB[..., [1, 0, 2]], atol=1.01)
    assert said() == []


def test_adobe_rgb_is_converted_as_its_standard_says(tmp_path):
    """Pure green of Adobe RGB is greener than sRGB can show; a grey stays grey; (128, 192, 64) by hand."""
    found = load(
        tmp_path, Image.fromarray(np.array([[[0, 255, 0], [128, 128, 128], [128, 192, 64]]], np.uint8)), profile=ADOBE
    )
    np.testing.assert_allclose(found[0, 0], [0, 255, 0], atol=1.5)
    np.testing.assert_allclose(found[0, 1], [127.5] * 3, atol=1.5)
    light = (np.array([128, 192, 64]) / 255) ** (563 / 256)
    # Lindbloom's matrices: Adobe RGB to XYZ of D65, and XYZ of D65 to sRGB
    to_xyz = [[0.5767309, 0.1855540, 0.1881852], [0.2973769, 0.6273491, 0.0752741], [0.0270343, 0.0706872, 0.9911085]]
    to_srgb = [
        [3.2404542, -1.5371385, -0.4985314],
        [-0.9692660, 1.8760108, 0.0415560],
        [0.0556434, -0.2040259, 1.0572252],
    ]
    linear = (np.array(to_srgb) @ np.array(to_xyz) @ light).clip(0, 1)
    expected = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055) * 255
    np.testing.assert_allclose(found[0, 2], expected, atol=1.01)


def test_values_can_be_taken_as_they_are(tmp_path):
    np.testing.assert_allclose(load(tmp_path, Image.fromarray(RGB), profile=ADOBE, managed=False), RGB, atol=1e-3)


@pytest.mark.parametrize("profile", [None, SRGB])
def test_srgb_changes_nothing(tmp_path, profile):
    np.testing.assert_allclose(load(tmp_path, Image.fromarray(RGB), profile=profile), RGB, atol=1e-4)


def test_palettes_and_transparency_are_converted_too(tmp_path):
    alpha = np.full(RGB.shape[:2], 255, np.uint8)
    see_through = Image.fromarray(np.dstack([RGB, alpha]))
    np.testing.assert_allclose(load(tmp_path, see_through, profile=swapped()), RGB[..., [1, 0, 2]], atol=1.01)
    palette = Image.new("P", (1, 1))
    palette.putpalette([200, 100, 50])
    np.testing.assert_allclose(load(tmp_path, palette, profile=swapped())[0, 0], [100, 200, 50], atol=1.01)


def grey_profile(curve):
    return with_tags(b"GRAY", kTRC=curve)


def test_grey_with_a_profile(tmp_path):
    """Linear grey of a half is encoded by sRGB as 188 of 255, and the picture counts as grey."""
    found = load(tmp_path, Image.new("L", (4, 4), 128), profile=grey_profile(gamma(1.0)))
    linear = 128 / 255
    np.testing.assert_allclose(found, (1.055 * linear ** (1 / 2.4) - 0.055) * 255, atol=1.01)
    assert read_picture(tmp_path / "picture.png").grey


def test_grey_with_a_profile_of_colours_is_read_by_its_curve(tmp_path, said):
    """Linear 128 of 255 is 188 in sRGB, as above; a file of 16 bits is converted alike."""
    linear = rgb_profile(gamma(1.0))
    expected = (1.055 * (128 / 255) ** (1 / 2.4) - 0.055) * 255
    np.testing.assert_allclose(load(tmp_path, Image.new("L", (4, 4), 128), profile=linear), expected, atol=1.01)
    wide = np.full((4, 4), 128 * 257, dtype=np.uint16)
    tifffile.imwrite(tmp_path / "grey.tif", wide, photometric="minisblack", iccprofile=linear)
    found = read_picture(tmp_path / "grey.tif")
    np.testing.assert_allclose(found.colour * 255, expected, atol=0.1)
    assert found.grey
    assert said() == []


def test_cmyk_with_a_profile_that_does_not_fit_is_converted_without(tmp_path, said):
    image = Image.new("CMYK", (16, 16), (255, 0, 0, 0))
    np.testing.assert_allclose(load(tmp_path, image, "tif", ADOBE), np.broadcast_to([0, 255, 255], (16, 16, 3)), atol=3)
    assert len(said()) == 1
    assert "picture.tif: the colour profile cannot be used" in said()[0]


@pytest.mark.parametrize("profile", [b"no profile", ADOBE[:200], grey_profile(gamma(2.2))])
def test_a_profile_that_cannot_be_used_is_named(tmp_path, profile, said):
    np.testing.assert_allclose(load(tmp_path, Image.fromarray(RGB), profile=profile), RGB, atol=1e-4)
    assert "the values are taken as sRGB" in said()[0]


CURVES = {
    "gamma": gamma(1.8),
    "identity": b"curv" + bytes(8),
    "table": table(np.linspace(0, 1, 1024) ** 2.4),
    "type 0": parametric(0, 2.2),
    "type 1": parametric(1, 2.2, 0.9, 0.1),
    "type 2": parametric(2, 2.2, 0.9, 0.05, 0.02),
    "type 3": parametric(3, 2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045),
    "type 4": parametric(4, 2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045, 0.0, 0.0),
}


@pytest.mark.parametrize("curve", CURVES.values(), ids=CURVES)
def test_16_bits_are_converted_as_little_cms_converts_8(tmp_path, curve):
    profile = rgb_profile(curve)
    tifffile.imwrite(tmp_path / "wide.tif", RGB.astype(np.uint16) * 257, photometric="rgb", iccprofile=profile)
    found = load_image(tmp_path / "wide.tif").permute(1, 2, 0).numpy() * 255
    transform = ImageCms.buildTransform(
        ImageCms.ImageCmsProfile(io.BytesIO(profile)), ImageCms.createProfile("sRGB"), "RGB", "RGB", ImageCms.Intent(1)
    )
    expected = np.asarray(ImageCms.applyTransform(Image.fromarray(RGB), transform), dtype=float)
    # half a level of rounding, and Little CMS's own 16-bit tables
    np.testing.assert_allclose(found, expected, atol=1.01)


def test_16_bits_keep_their_low_bits(tmp_path, said):
    tifffile.imwrite(tmp_path / "wide.tif", WIDE, photometric="rgb", iccprofile=swapped())
    found = read_picture(tmp_path / "wide.tif")
    assert found.bits == 16
    np.testing.assert_allclose(found.colour.permute(1, 2, 0), WIDE[..., [1, 0, 2]] / 65535, atol=2e-4)
    grey = np.array([[100, 30000, 65535]], dtype=np.uint16)
    tifffile.imwrite(tmp_path / "grey.tif", grey, photometric="minisblack", iccprofile=grey_profile(gamma(1.0)))
    linear = grey / 65535
    expected = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    np.testing.assert_allclose(load_image(tmp_path / "grey.tif")[0], expected, atol=1e-5)
    assert said() == []


def test_a_profile_of_tables_is_applied_to_8_of_16_bits_and_that_is_said(tmp_path, said, monkeypatch):
    monkeypatch.setattr("texprior.flow.colour_profiles.to_srgb_by_matrix", lambda _values, _profile: None)
    tifffile.imwrite(tmp_path / "wide.tif", WIDE, photometric="rgb", iccprofile=swapped())
    found = load_image(tmp_path / "wide.tif").permute(1, 2, 0)
    np.testing.assert_allclose(found, WIDE[..., [1, 0, 2]] / 65535, atol=1.6 / 255)
    assert said() == [f"{tmp_path / 'wide.tif'}: the colour profile can only be applied to 8 of the picture's 16 bits"]
