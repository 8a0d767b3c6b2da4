"""Pictures of every mode in, 8 bits out, and sentences for what cannot be read."""

import struct
import zlib

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image

from texprior.errors import ImageError
from texprior.flow.image import load_image, save_image

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
