"""Pictures of every mode in, the same kind out, and sentences for what cannot be read."""

import logging
import struct
import zlib

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image

from texprior.errors import ImageError
from texprior.flow.image import CheckedPictures, Sample, is_grey, load_image, read_picture, save_image, to_uint8
from texprior.flow.once import warn_once

RNG = np.random.default_rng(0)
GREY = RNG.integers(0, 256, (5, 7), dtype=np.uint8)
RGB = RNG.integers(0, 256, (5, 7, 3), dtype=np.uint8)
ALPHA = RNG.integers(0, 256, (5, 7), dtype=np.uint8)


def stored(tmp_path, image, name="picture.png", **options):
    path = tmp_path / name
    image.save(path, **options)
    return path


def load(path):
    """The picture as float64 (H, W, 3), after the checks that hold for all."""
    image = load_image(path)
    assert image.dtype is torch.float32
    assert image.shape[0] == 3
    assert image.is_contiguous()
    assert image.min() >= 0
    assert image.max() <= 1
    return image.permute(1, 2, 0).double().numpy()


def on_white(rgb, alpha):
    a = alpha[..., None] / 255.0
    return rgb / 255.0 * a + (1 - a)


@pytest.mark.parametrize("suffix", ["png", "bmp", "tif", "webp"])
def test_rgb_is_exact(tmp_path, suffix):
    options = {"lossless": True} if suffix == "webp" else {}
    path = stored(tmp_path, Image.fromarray(RGB), f"picture.{suffix}", **options)
    np.testing.assert_array_equal(load(path), (RGB.astype(np.float32) / 255))


def test_grey_is_repeated(tmp_path):
    out = load(stored(tmp_path, Image.fromarray(GREY)))
    np.testing.assert_allclose(out, np.repeat(GREY[..., None] / 255, 3, -1), atol=1e-7)


def test_one_bit_is_black_and_white(tmp_path):
    bits = GREY > 127
    path = stored(tmp_path, Image.fromarray(bits))
    assert Image.open(path).mode == "1"
    np.testing.assert_array_equal(load(path), np.repeat(bits[..., None], 3, -1).astype(float))


def test_grey_with_alpha_is_composed_on_white(tmp_path):
    image = Image.merge("LA", [Image.fromarray(GREY), Image.fromarray(ALPHA)])
    expected = on_white(np.repeat(GREY[..., None], 3, -1), ALPHA)
    np.testing.assert_allclose(load(stored(tmp_path, image)), expected, atol=1.01 / 255)


def test_colour_with_alpha_is_composed_on_white(tmp_path):
    image = Image.fromarray(np.dstack([RGB, ALPHA]))
    np.testing.assert_allclose(load(stored(tmp_path, image)), on_white(RGB, ALPHA), atol=1.01 / 255)


def test_a_transparent_palette_entry_is_white(tmp_path):
    image = Image.fromarray(np.array([[0, 1, 2]], dtype=np.uint8)).convert("P")
    image.putpalette([10, 20, 30, 40, 50, 60, 70, 80, 90])
    path = stored(tmp_path, image, transparency=1)
    assert Image.open(path).mode == "P"
    np.testing.assert_allclose(load(path)[0] * 255, [[10, 20, 30], [255, 255, 255], [70, 80, 90]], atol=1e-4)


def test_a_transparent_colour_is_white(tmp_path):
    path = stored(tmp_path, Image.new("RGB", (2, 2), (1, 2, 3)), transparency=(1, 2, 3))
    np.testing.assert_array_equal(load(path), 1)


def test_cmyk_is_converted(tmp_path):
    """Cyan absorbs red alone; JPEG may move a value by a few levels."""
    path = stored(tmp_path, Image.new("CMYK", (16, 16), (255, 0, 0, 0)), "picture.jpg", quality=100)
    assert Image.open(path).mode == "CMYK"
    np.testing.assert_allclose(load(path) * 255, np.broadcast_to([0, 255, 255], (16, 16, 3)), atol=3)


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_16_bits_of_grey_are_kept(tmp_path, suffix):
    values = np.array([[0, 1, 255, 256, 12345, 65534, 65535]], dtype=np.uint16)
    out = load(stored(tmp_path, Image.fromarray(values), f"picture.{suffix}"))
    assert np.rint(out[0, :, 0] * 65535).tolist() == values[0].tolist()
    np.testing.assert_allclose(out[0], np.repeat(values[0, :, None] / 65535, 3, -1), rtol=1e-6)


WIDE = RNG.integers(0, 65536, (5, 7, 4), dtype=np.uint16)
"""Red, green, blue and alpha, whose low bytes matter."""


def png_of_16_bits(path, values, colour_type, exif=b""):
    """Writes a PNG by the standard (ISO/IEC 15948), without a library: 16 bits a value, most significant byte first."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    height, width = values.shape[:2]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    header = struct.pack(">IIBBBBB", width, height, 16, colour_type, 0, 0, 0)
    extra = chunk(b"eXIf", exif) if exif else b""
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + extra
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )
    return path


def on_white_16(colour, alpha):
    a = alpha / 65535.0
    return colour / 65535.0 * a + (1 - a)


GREY_16, ALPHA_16 = WIDE[..., :1], WIDE[..., 3:]


@pytest.mark.parametrize(
    ("stored_values", "colour_type", "expected"),
    [
        (GREY_16, 0, np.repeat(GREY_16 / 65535, 3, -1)),
        (WIDE[..., :3], 2, WIDE[..., :3] / 65535),
        (WIDE[..., [0, 3]], 4, on_white_16(np.repeat(GREY_16, 3, -1), ALPHA_16)),
        (WIDE, 6, on_white_16(WIDE[..., :3], ALPHA_16)),
    ],
    ids=["grey", "rgb", "grey-alpha", "rgba"],
)
def test_16_bits_of_a_png_are_kept(tmp_path, stored_values, colour_type, expected):
    """Each value is its 16 bits over 65535; 8 bits alone would be wrong by up to 1/510."""
    path = png_of_16_bits(tmp_path / "dunkel ä.png", stored_values, colour_type)
    np.testing.assert_allclose(load(path), expected, atol=2e-7)


def test_16_bits_of_a_tiff_are_kept(tmp_path):
    tifffile.imwrite(tmp_path / "picture.tif", WIDE[..., :3], photometric="rgb")
    np.testing.assert_allclose(load(tmp_path / "picture.tif"), WIDE[..., :3] / 65535, atol=2e-7)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_16_bits_are_turned_upright_too(tmp_path, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = png_of_16_bits(tmp_path / "picture.png", WIDE[..., :3], 2, exif.tobytes().removeprefix(b"Exif\0\0"))
    expected = np.stack([TURNED_UPRIGHT[orientation](WIDE[..., c] / 65535) for c in range(3)], -1)
    np.testing.assert_allclose(load(path), expected, atol=2e-7)


def test_written_files_have_8_bits(tmp_path):
    save_image(torch.full((3, 2, 2), 0.3333), tmp_path / "picture.png")
    assert (tmp_path / "picture.png").read_bytes()[24] == 8
    assert torch.equal(load_image(tmp_path / "picture.png"), torch.full((3, 2, 2), 85 / 255))


TURNED_UPRIGHT = {
    1: lambda a: a,
    2: np.fliplr,
    3: lambda a: np.rot90(a, 2),
    4: np.flipud,
    5: np.transpose,
    6: lambda a: np.rot90(a, -1),
    7: lambda a: np.rot90(a.T, 2),
    8: lambda a: np.rot90(a, 1),
}
"""EXIF 2.32, tag Orientation: 6 is stored lying on its left side, so it is turned clockwise."""


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["jpg", "png"])
def test_the_exif_orientation_is_honoured(tmp_path, orientation, suffix):
    exif = Image.Exif()
    exif[0x0112] = orientation
    blocks = np.kron(np.array([[0, 80, 30], [160, 255, 200]]), np.ones((16, 16))).astype(np.uint8)
    path = stored(tmp_path, Image.fromarray(blocks), f"picture.{suffix}", exif=exif, quality=100)
    np.testing.assert_allclose(load(path)[..., 0] * 255, TURNED_UPRIGHT[orientation](blocks), atol=1.5)


def broken(tmp_path):
    path = stored(tmp_path, Image.fromarray(RGB))
    data = bytearray(path.read_bytes())
    data[45] ^= 0xFF  # inside the compressed pixels
    path.write_bytes(data)
    return path


def truncated(tmp_path):
    path = stored(tmp_path, Image.fromarray(RNG.integers(0, 256, (64, 64, 3), dtype=np.uint8)), "picture.jpg")
    path.write_bytes(path.read_bytes()[:1500])
    return path


def text(tmp_path):
    path = tmp_path / "notes.png"
    path.write_text("this is no picture")
    return path


def empty(tmp_path):
    path = tmp_path / "empty.png"
    path.touch()
    return path


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (broken, "the picture cannot be read"),
        (truncated, "the picture cannot be read"),
        (text, "not a picture that can be read"),
        (empty, "not a picture that can be read"),
        (lambda folder: folder / "missing.png", "there is no such file"),
        (lambda folder: folder, "this is a folder"),
        (lambda folder: text(folder) / "below.png", "the picture cannot be read"),
    ],
    ids=["broken", "truncated", "text", "empty", "missing", "folder", "below-a-file"],
)
def test_what_cannot_be_read_gives_a_sentence_with_its_path(tmp_path, make, reason):
    path = make(tmp_path)
    with pytest.raises(ImageError, match=reason) as caught:
        load_image(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert caught.value.exit_code == 1


def test_saving_rounds_to_8_bits_and_loads_back(tmp_path):
    image = torch.rand(3, 9, 6, generator=torch.Generator().manual_seed(0))
    path = tmp_path / "new" / "folder" / "picture.png"
    save_image(image, path)
    back = load_image(path)
    torch.testing.assert_close(back, (image * 255).round() / 255, rtol=0, atol=1e-7)
    save_image(back, path)
    assert torch.equal(load_image(path), back)


def test_saving_clips(tmp_path):
    save_image(torch.tensor([-1.0, 0.5, 2.0]).view(3, 1, 1), tmp_path / "picture.png")
    assert (load_image(tmp_path / "picture.png").flatten() * 255).round().tolist() == [0, 128, 255]


@pytest.mark.parametrize("name", ["picture.unknown", "picture"])
def test_a_suffix_without_a_format_gives_a_sentence(tmp_path, name):
    with pytest.raises(ImageError, match="cannot be written"):
        save_image(torch.zeros(3, 2, 2), tmp_path / name)


def test_a_file_in_the_place_of_the_folder_gives_a_sentence(tmp_path):
    with pytest.raises(ImageError, match="cannot be written"):
        save_image(torch.zeros(3, 2, 2), text(tmp_path) / "picture.png")


def float_tiff(tmp_path, *changes):
    values = np.linspace(0, 1, 20 * 30, dtype=np.float32).reshape(20, 30)
    for row, column, value in changes:
        values[row, column] = value
    return stored(tmp_path, Image.fromarray(values), "picture.tif"), values


def test_a_float_tiff_in_range_is_exact(tmp_path):
    path, values = float_tiff(tmp_path, (3, 4, 1.0004), (3, 5, -1e-7))
    np.testing.assert_array_equal(load(path)[..., 1], values.clip(0, 1))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ([(12, 7, np.nan)], "1 of 600 values is NaN or infinite, the first in column 7, row 12 (from 0)"),
        ([(12, 7, np.inf), (9, 8, np.nan)], "2 of 600 values are NaN or infinite, the first in column 8, row 9"),
        ([(0, 0, -0.5)], "the values go from -0.5 to 1, but black is 0 and white is 1"),
        ([(0, 0, 255)], "the values go from 0.00166945 to 255, but black is 0 and white is 1; scale them"),
    ],
)
def test_values_that_no_picture_has_are_named(tmp_path, changes, sentence):
    path, _ = float_tiff(tmp_path, *changes)
    with pytest.raises(ImageError) as caught:
        load_image(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert sentence in str(caught.value)


@pytest.mark.parametrize(("dtype", "high"), [(np.int32, 100_000), (np.int16, 1000)])
def test_integers_beyond_16_bits_are_named(tmp_path, dtype, high):
    values = np.full((4, 5), 7, dtype=dtype)
    values[1, 2] = high if dtype is np.int32 else -high
    tifffile.imwrite(tmp_path / "picture.tif", values)
    found = "from 7 to 100000" if dtype is np.int32 else "from -1000 to 7"
    with pytest.raises(ImageError, match=f"the values go {found}, but black is 0 and white is 65535"):
        load_image(tmp_path / "picture.tif")


def test_values_that_no_file_holds_are_not_written(tmp_path):
    image = torch.zeros(3, 4, 5)
    image[1, 2, 3] = torch.nan
    with pytest.raises(
        ImageError, match=r"picture\.png: 1 of 60 values is NaN or infinite, the first in column 3, row 2"
    ):
        save_image(image, tmp_path / "picture.png")
    with pytest.raises(ImageError, match=r"of shape \(3, H, W\) can be written, not \(1, 3, 4, 5\)"):
        save_image(torch.zeros(1, 3, 4, 5), tmp_path / "picture.png")
    assert not (tmp_path / "picture.png").exists()


@pytest.mark.parametrize(
    ("image", "grey", "has_alpha", "bits"),
    [
        (Image.fromarray(RGB), False, False, 8),
        (Image.fromarray(GREY), True, False, 8),
        (Image.fromarray(GREY > 9), True, False, 8),
        (Image.fromarray(GREY.astype(np.uint16) * 257), True, False, 16),
        (Image.merge("LA", [Image.fromarray(GREY), Image.fromarray(ALPHA)]), True, True, 8),
        (Image.fromarray(np.dstack([RGB, ALPHA])), False, True, 8),
    ],
    ids=["rgb", "grey", "bits", "grey-16", "grey-alpha", "rgba"],
)
def test_a_picture_knows_how_it_is_written_again(tmp_path, image, grey, has_alpha, bits):
    picture = read_picture(stored(tmp_path, image))
    assert (picture.grey, picture.alpha is not None, picture.bits) == (grey, has_alpha, bits)
    again = tmp_path / "again.png"
    save_image(picture.colour, again, picture.alpha, picture.grey, picture.bits)
    assert Image.open(again).mode == {"1": "L"}.get(image.mode, image.mode)
    np.testing.assert_allclose(load(again), picture.colour.permute(1, 2, 0), atol=1.01 / 255)


def test_a_transparent_picture_shows_itself_on_white_and_keeps_its_opacity(tmp_path):
    """Composed on white (8 bits, so half a level), the file is the picture wherever it can be: below 1 - alpha no
    colour is dark enough.
    """
    opacity = torch.linspace(0, 1, 16).expand(1, 8, -1).contiguous()
    image = 1 - opacity * torch.rand(3, 8, 16, generator=torch.Generator().manual_seed(0))
    save_image(image, tmp_path / "picture.png", opacity)
    shown = Image.open(tmp_path / "picture.png")
    assert shown.mode == "RGBA"
    np.testing.assert_array_equal(np.asarray(shown)[..., 3], (opacity[0] * 255).round())
    a = np.asarray(shown, dtype=float)[..., 3:] / 255
    composed = np.asarray(shown, dtype=float)[..., :3] / 255 * a + 1 - a
    np.testing.assert_allclose(composed, image.permute(1, 2, 0), atol=1.5 / 255)
    assert (np.asarray(shown)[:, 0] == [255, 255, 255, 0]).all()


@pytest.mark.parametrize("suffix", ["png", "tif"])
@pytest.mark.parametrize(("grey", "channels"), [(False, 3), (True, 1)])
def test_16_bits_are_written_where_asked(tmp_path, suffix, grey, channels):
    levels = WIDE[..., :1].repeat(3, -1) if grey else WIDE[..., :3]
    path = tmp_path / f"ä.{suffix}"
    save_image(torch.from_numpy(levels.transpose(2, 0, 1) / np.float32(65535)), path, grey=grey, bits=16)
    back = read_picture(path)
    assert (back.bits, back.grey) == (16, grey)
    np.testing.assert_allclose(back.colour.permute(1, 2, 0), levels / 65535, atol=1.01 / 65535)


def test_16_bits_with_alpha(tmp_path):
    image, alpha = torch.full((3, 2, 2), 0.75), torch.full((1, 2, 2), 0.50001)
    save_image(image, tmp_path / "picture.png", alpha, grey=True, bits=16)
    back = read_picture(tmp_path / "picture.png")
    torch.testing.assert_close(back.alpha, alpha, rtol=0, atol=1 / 65535)
    torch.testing.assert_close(back.colour, image, rtol=0, atol=1 / 65535)


def test_a_format_of_8_bits_does_not_take_16(tmp_path):
    with pytest.raises(ImageError, match=r"'\.jpg' does not take 16 bits a value"):
        save_image(torch.zeros(3, 2, 2), tmp_path / "picture.jpg", bits=16)


def test_grey_is_seen_as_8_bits_hold_it():
    assert is_grey(torch.full((3, 2, 2), 0.31) + torch.tensor([0, 1e-4, 0]).view(3, 1, 1))
    assert not is_grey(torch.full((3, 2, 2), 0.31) + torch.tensor([0, 1e-2, 0]).view(3, 1, 1))


@pytest.mark.parametrize("suffix", ["gif", "tif", "png", "webp"])
def test_of_several_pictures_the_first_is_read_with_a_warning(tmp_path, suffix, caplog):
    warn_once.cache_clear()
    frames = [Image.new("RGB", (8, 4), colour) for colour in ("red", "blue")]
    path = tmp_path / f"picture.{suffix}"
    frames[0].save(path, save_all=True, append_images=frames[1:])
    with caplog.at_level(logging.WARNING):
        np.testing.assert_allclose(load(path), np.broadcast_to([1.0, 0, 0], (4, 8, 3)), atol=0.02)
        load_image(path)
    assert [r.getMessage() for r in caplog.records] == [
        f"{path}: the file holds several pictures; only the first is read"
    ]


@pytest.mark.parametrize(
    "suffix", ["png", "jpg", "tif", "gif", "webp", "bmp", "ppm", "tga", "qoi", "pcx", "ico", "jp2"]
)
@pytest.mark.parametrize("damage", ["half", "head", "noise"])
def test_damaged_files_of_every_kind_give_a_sentence_or_a_picture(tmp_path, suffix, damage):
    """What Pillow's readers raise is theirs; a user sees an ImageError that begins with the file."""
    path = stored(tmp_path, Image.effect_noise((64, 48), 60).convert("RGB"), f"picture.{suffix}")
    data = bytearray(path.read_bytes())
    if damage == "noise":
        data[20::7] = RNG.integers(0, 256, len(data[20::7]), dtype=np.uint8).tobytes()
    path.write_bytes(data[: {"half": len(data) // 2, "head": 30, "noise": len(data)}[damage]])
    assert outcome(path).startswith(f"{path}: ")


def outcome(path):
    try:
        return f"{path}: {load_image(path).shape[0]} channels"
    except ImageError as error:
        return str(error)


@pytest.mark.filterwarnings("error")
def test_what_only_shows_pictures_shows_nan_as_black():
    assert to_uint8(torch.tensor([torch.nan, 0.2, 1.0]).view(3, 1, 1)).tolist() == [[[0, 51, 255]]]


def test_colours_are_the_stored_levels_over_255_in_parts_as_in_the_whole(tmp_path):
    levels = np.arange(256, dtype=np.uint8).repeat(3).reshape(16, 16, 3)
    Image.fromarray(levels).save(tmp_path / "x.png")
    picture = read_picture(tmp_path / "x.png")
    assert (picture.stored.dtype, picture.size) == (torch.uint8, (16, 16))
    expected = np.asarray(levels, dtype=np.float32) / 255.0
    np.testing.assert_array_equal(picture.colour.permute(1, 2, 0), expected)
    part = picture.part(slice(3, 9), slice(0, 5))
    np.testing.assert_array_equal(part[0].permute(1, 2, 0), expected[3:9, :5])


class Eight:
    """Pairs in 8 bits, as arrays of many data sets are."""

    def __init__(self):
        values = torch.randint(0, 256, (2, 3, 12, 17), generator=torch.Generator().manual_seed(0))
        self.clean, self.degraded = values.byte()

    def keys(self, split):
        return ["a"]

    def load(self, key):
        return Sample(key, self.clean, self.degraded)


def test_a_data_set_in_8_bits_is_read_as_its_files_would_be(tmp_path):
    dataset = Eight()
    sample = CheckedPictures(dataset).load("a")
    for name in ("clean", "degraded"):
        stored, found = getattr(dataset, name), getattr(sample, name)
        Image.fromarray(stored.permute(1, 2, 0).numpy()).save(tmp_path / "same.png")
        assert found.dtype == torch.float32
        assert torch.equal(found, load_image(tmp_path / "same.png"))
        assert stored.dtype == torch.uint8


def test_one_picture_of_a_pair_in_8_bits_is_enough():
    dataset = Eight()
    dataset.clean = torch.rand(3, 12, 17)
    sample = CheckedPictures(dataset).load("a")
    assert sample.clean is dataset.clean
    assert torch.equal(sample.degraded, dataset.degraded / 255)
