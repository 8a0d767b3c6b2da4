"""Reads and writes pictures.

Inside the platform a picture is float32 RGB in [0, 1], (3, H, W).
"""

from __future__ import annotations

import contextlib
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol
from uuid import uuid4

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from texprior.errors import ConfigError, ImageError, TexpriorError
from texprior.flow.contract import refuse, require_picture, require_tensor, require_type
from texprior.flow.once import warn_once
from texprior.flow.picture_limits import opened
from texprior.flow.pixels import Picture, picture_of, require_finite, wide_picture
from texprior.flow.wide_files import is_wide, read_wide, write_wide
from texprior.plugin.origin import name_of

_LUMA = (0.299, 0.587, 0.114)
"""Weights of red, green and blue in BT.601's luma, as in Pillow's mode L."""


@dataclass(frozen=True)
class Sample:
    """One item of a data set; pictures (3, H, W) float32 in [0, 1]. A data set may also return uint8.

    ``degraded`` is None if the degraded picture is synthesised. ``mixed`` says that the data set has pairs and clean
    pictures on purpose: the experiment's degradation is then for the clean ones alone.
    """

    key: str
    clean: Tensor
    degraded: Tensor | None = None
    mixed: bool = False


class PictureSet(Protocol):
    """The contract of a data set, which is built as ``Impl(options)``.

    Before ``load`` it only lists names. It may also have ``source(key) -> str``, which says where a sample's clean
    picture comes from. This is the absolute path, or an id such as ``skimage:astronaut`` if the picture is not a single
    file. The platform uses it to find pictures that are in the training data of one data set and in the test data of
    another. A data set without ``source`` is compared only with itself. And it may have ``visits(key) -> int``, how
    often a training visits a picture in an epoch, 1 or more; without it once. One that consists of data sets has
    ``part(key) -> str``, a text for each of them.
    """

    def keys(self, split: str) -> Sequence[str]:
        """Returns the sample keys of ``train``, ``val`` or ``test``, in a fixed order.

        The result is empty if the data set does not have this split. Raises ConfigError with a clear message if the
        data are missing or do not have the expected layout.
        """
        ...

    def load(self, key: str) -> Sample:
        """Loads one sample. Raises ImageError with a clear message if a file cannot be read.

        Pictures of uint8 become float32 in [0, 1], as the values of a file do.
        """
        ...


class CheckedPictures:
    """A data set whose keys and samples are looked at when they enter the platform.

    It raises ContractError if they are not what the contract says.
    """

    def __init__(self, dataset: PictureSet) -> None:
        self.dataset = dataset

    def __getattr__(self, name: str) -> Any:
        # only what this class does not have itself, such as ``source``, which not every data set has
        if name == "dataset":
            raise AttributeError(name)
        return getattr(self.dataset, name)

    def keys(self, split: str) -> Sequence[str]:
        """Returns the sample keys of a split as a list."""
        keys = self.dataset.keys(split)
        if isinstance(keys, str) or not isinstance(keys, Sequence) or not all(isinstance(key, str) for key in keys):
            refuse(self.dataset, f"keys('{split}') is {_short(keys)}", "a list of texts")
        return list(keys)

    def load(self, key: str) -> Sample:
        """Loads one sample. Raises ImageError if a file cannot be read."""
        sample = self.dataset.load(key)
        require_type(self.dataset, sample, Sample, f"what load('{key}') returns")
        sample = in_floats(sample)
        if sample.key != key:
            refuse(self.dataset, f"the sample of '{key}' has the key {sample.key!r}", f"the key '{key}'")
        for name, picture in (("clean", sample.clean), ("degraded", sample.degraded)):
            if picture is not None:
                what = f"the {name} picture of '{key}'"
                # a clean picture has any size, and the degraded one the size of the clean one
                size = getattr(sample.clean, "shape", (0, 0))[-2:]
                require_tensor(self.dataset, picture, (3, *size), _PICTURE, what)
                require_picture(self.dataset, picture, what)
        return sample


def each_visit(dataset: PictureSet, keys: Sequence[str]) -> list[str]:
    """Returns the keys, each as often as a training visits its picture in an epoch.

    Raises ContractError if the data set does not say a number of 1 or more.
    """
    if not hasattr(dataset, "visits"):
        return list(keys)
    own = dataset.dataset if isinstance(dataset, CheckedPictures) else dataset
    visits = [dataset.visits(key) for key in keys]
    for key, number in zip(keys, visits, strict=True):
        if isinstance(number, bool) or not isinstance(number, int) or number < 1:
            refuse(own, f"visits('{key}') is {_short(number)}", "a whole number, 1 or more")
    total = sum(visits)
    if total > _MOST_VISITS:
        raise ConfigError(
            f"{name_of(own)}: the weights give {total:,} visits in an epoch; at most {_MOST_VISITS:,} are possible; "
            "use smaller weights"
        )
    return [key for key, number in zip(keys, visits, strict=True) for _ in range(number)]


_MOST_VISITS = 2_000_000
"""Visits of an epoch: a hundred megabytes of keys."""


def in_floats(sample: Sample) -> Sample:
    """Returns a sample whose pictures of uint8 are float32 in [0, 1], as ``load_image`` reads them from a file."""
    degraded = None if sample.degraded is None else _in_floats(sample.degraded)
    return replace(sample, clean=_in_floats(sample.clean), degraded=degraded)


def _in_floats(picture: Tensor) -> Tensor:
    # whatever a data set returned: the checks that follow refuse what is no picture
    return Picture(picture).colour if isinstance(picture, Tensor) and picture.dtype == torch.uint8 else picture


_PICTURE = torch.empty(0)
"""A tensor of the dtype and on the device of every picture of a data set."""


def _short(value: object) -> str:
    # an error stays on a few lines of a terminal
    return textwrap.shorten(repr(value), 60, placeholder="...")


def read_picture(path: Path | str, managed: bool = True) -> Picture:
    """Reads a picture of any mode that Pillow knows, with what is needed to write another one like it.

    The picture is turned upright by its EXIF orientation. With ``managed``, colours are converted to sRGB if the file
    has another profile; without, its values are taken as they are. All 16 bits of a PNG or TIFF are kept, except with
    another profile than sRGB. Of several pictures in one file only the first is read, with a warning. Raises ImageError
    if the file is missing, broken, not a picture, too large, or holds values that are not finite or out of range.
    """
    try:
        with opened(path) as image:
            # Pillow opens lazily; load all pixels now, so that a broken file raises inside this try
            image.load()
            _warn_of_others(image, path)
            if is_wide(image, Path(path)):
                values = read_wide(Path(path), image.getexif().get(ExifTags.Base.Orientation, 1))
                profile = image.info.get("icc_profile") if managed else None
                return wide_picture(values, profile, str(path), grey=image.mode == "LA")
            return picture_of(_upright(image), str(path), managed)
    except TexpriorError:
        raise
    except FileNotFoundError:
        raise ImageError(f"{path}: there is no such file") from None
    except IsADirectoryError:
        raise ImageError(f"{path}: this is a folder, not a picture") from None
    except UnidentifiedImageError:
        raise ImageError(f"{path}: this is not a picture that can be read") from None
    # Pillow's readers of rare formats raise whatever a broken file leads them into
    except Exception as error:
        raise ImageError(f"{path}: the picture cannot be read ({str(error) or type(error).__name__})") from None


def load_image(path: Path | str, managed: bool = True) -> Tensor:
    """Reads a picture of any mode; returns (3, H, W) float32 RGB in [0, 1].

    Grey is repeated in all channels, alpha is composed on white, and CMYK is converted. Otherwise as ``read_picture``.
    """
    return read_picture(path, managed).colour


def from_pil(image: Image.Image) -> Tensor:
    """Converts a PIL image of any mode to (3, H, W) float32 in [0, 1], without its colour profile."""
    return picture_of(image, "the picture", managed=False).colour


def _upright(image: Image.Image) -> Image.Image:
    """Turns a picture upright by its EXIF orientation; copies no pixels if it is."""
    ImageOps.exif_transpose(image, in_place=True)
    return image


def _warn_of_others(image: Image.Image, path: Path | str) -> None:
    # the further pictures of MPO are a phone's previews and depth, those of PSD are layers
    if getattr(image, "is_animated", False) and image.format not in ("MPO", "PSD"):
        warn_once(f"{path}: the file holds several pictures; only the first is read")


def to_uint8(image_CHW: Tensor) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """Converts (3, H, W) in [0, 1] to (H, W, 3) with 8 bits.

    Values are clipped and rounded.
    """
    array: np.ndarray[tuple[int, ...], np.dtype[np.uint8]] = _levels(image_CHW, 8).astype(np.uint8)
    return array


def _levels(image_CHW: Tensor, bits: int) -> NDArray[np.float32]:
    """Returns the values as whole numbers, (H, W, C)."""
    # numpy warns of NaN in a cast; what shows pictures of a network that overflowed shows it black
    rounded = (image_CHW.detach().nan_to_num().clamp(0, 1) * (2**bits - 1)).round()
    levels: NDArray[np.float32] = rounded.permute(1, 2, 0).cpu().numpy()
    return levels


def save_image(
    image_CHW: Tensor, path: Path | str, alpha_1HW: Tensor | None = None, grey: bool = False, bits: int = 8
) -> None:
    """Writes RGB, (3, H, W) in [0, 1], to a file in sRGB; the suffix decides the format.

    Values outside are clipped. With ``alpha_1HW`` the file is transparent, and shows the picture when it is composed on
    white. ``grey`` writes its luma (BT.601) alone. ``bits`` is 8, or 16 for PNG and TIFF. The file has no colour
    profile, which means sRGB. Raises ImageError if the picture has another shape or values that are not finite, or
    cannot be written.
    """
    if image_CHW.ndim != 3 or image_CHW.shape[0] != 3:
        raise ImageError(f"{path}: a picture of shape (3, H, W) can be written, not {tuple(image_CHW.shape)}")
    require_finite(image_CHW, str(path))
    write_levels(file_levels(image_CHW, alpha_1HW, grey, bits), path)


def file_levels(
    image_CHW: Tensor, alpha_1HW: Tensor | None = None, grey: bool = False, bits: int = 8
) -> NDArray[np.uint8 | np.uint16]:
    """Converts a picture, or a part of one, to the values of a file, (H, W, 1 to 4); see ``save_image``."""
    levels = _levels(_see_through(image_CHW, alpha_1HW, grey), bits)
    return levels.astype(np.uint16 if bits == 16 else np.uint8)


def write_levels(levels: NDArray[np.uint8 | np.uint16], path: Path | str) -> None:
    """Writes the values of ``file_levels`` to a file completely or not at all. Raises ImageError as ``save_image``."""
    try:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        with _whole_file(Path(path)) as temporary:
            if levels.dtype == np.uint16:
                write_wide(levels, temporary)
            else:
                # Pillow takes grey without an axis of channels
                Image.fromarray(levels[..., 0] if levels.shape[-1] == 1 else levels).save(temporary)
    except (OSError, ValueError) as error:
        raise ImageError(f"{path}: the picture cannot be written ({error})") from None


@contextlib.contextmanager
def _whole_file(path: Path) -> Iterator[Path]:
    """Gives a hidden name to write to, which becomes the path at the end; an interrupt leaves neither."""
    temporary = path.with_name(f".{uuid4().hex}{path.suffix}")
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def is_grey(image_CHW: Tensor) -> bool:
    """Returns whether the channels of a picture, (3, H, W), are equal as 8 bits hold them."""
    levels = _levels(image_CHW, 8)
    return bool((levels == levels[..., :1]).all())


def _see_through(image: Tensor, alpha: Tensor | None, grey: bool) -> Tensor:
    """Returns the channels of a file: RGB or luma, and the opacity."""
    if grey:
        image = (image * image.new_tensor(_LUMA)[:, None, None]).sum(0, keepdim=True)
    if alpha is None:
        return image
    alpha = alpha.to(image.device)
    # the colour that gives the picture on white: where nothing is seen, any would, so it is white there
    seen = torch.where(alpha > 0, (image - (1 - alpha)) / alpha.clamp(min=1e-6), 1.0)
    return torch.cat([seen, alpha])
