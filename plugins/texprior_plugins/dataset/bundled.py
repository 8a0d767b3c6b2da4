"""Loads the photographs that scikit-image and scikit-learn ship inside their wheels.

They are read as files of the installed packages. Nothing is imported from those packages, and nothing is downloaded.
The splits are fixed and share no scene: both views of the stereo pair are in train. The grey photographs and the
micrograph (ihc) are only in train; val and test hold colour photographs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from torch import Tensor
from torch.nn import functional

from texprior.errors import ConfigError, ImageError
from texprior.flow.image import Sample, load_image
from texprior_plugins.dataset import BundledOptions

# Folder of the pictures inside each import package, and the name under which pip installs it.
_FOLDERS = {"skimage": "data", "sklearn": "datasets/images"}
_DISTRIBUTIONS = {"skimage": "scikit-image", "sklearn": "scikit-learn"}


@dataclass(frozen=True)
class Photograph:
    """One bundled file. ``licence`` is the one that the package's documentation states for it."""

    split: Literal["train", "val", "test"]
    package: Literal["skimage", "sklearn"]
    file: str
    licence: str
    grey: bool = False

    @property
    def path(self) -> Path:
        """The file's path in the installed package. Raises ConfigError if the package is not installed."""
        # find_spec locates the package without importing it.
        spec = find_spec(self.package)
        if spec is None or not spec.submodule_search_locations:
            raise ConfigError(f"bundled photographs: {_DISTRIBUTIONS[self.package]} is not installed; install it")
        return Path(spec.submodule_search_locations[0], _FOLDERS[self.package], self.file)


PHOTOGRAPHS = {
    "brick": Photograph("train", "skimage", "brick.png", "CC0", grey=True),
    "camera": Photograph("train", "skimage", "camera.png", "CC0, Lav Varshney", grey=True),
    "coins": Photograph("train", "skimage", "coins.png", "no known copyright restrictions", grey=True),
    "grass": Photograph("train", "skimage", "grass.png", "CC0, linolafett", grey=True),
    "gravel": Photograph("train", "skimage", "gravel.png", "CC0", grey=True),
    "ihc": Photograph("train", "skimage", "ihc.png", "no known copyright restrictions"),
    "motorcycle_left": Photograph("train", "skimage", "motorcycle_left.png", "Middlebury 2014 stereo benchmark"),
    "motorcycle_right": Photograph("train", "skimage", "motorcycle_right.png", "Middlebury 2014 stereo benchmark"),
    "rocket": Photograph("train", "skimage", "rocket.jpg", "public domain, SpaceX"),
    "coffee": Photograph("val", "skimage", "coffee.png", "CC0, Rachel Michetti"),
    "flower": Photograph("val", "sklearn", "flower.jpg", "CC BY 2.0, vultilion"),
    "astronaut": Photograph("test", "skimage", "astronaut.png", "public domain, NASA"),
    "chelsea": Photograph("test", "skimage", "chelsea.png", "CC0, Stefan van der Walt"),
    "china": Photograph("test", "sklearn", "china.jpg", "CC BY 2.0, danielbuechele"),
}


class Bundled:
    """The bundled photographs; a key is a photograph's name."""

    def __init__(self, options: BundledOptions) -> None:
        self.options = options

    def keys(self, split: str) -> Sequence[str]:
        """Returns the names of a split, sorted.

        Raises ConfigError if a file is missing in the packages.
        """
        chosen = {
            name: photograph
            for name, photograph in sorted(PHOTOGRAPHS.items())
            if photograph.split == split and (self.options.grey or not photograph.grey)
        }
        for name, photograph in chosen.items():
            if not photograph.path.is_file():
                raise ConfigError(
                    f"bundled photograph '{name}': {photograph.path} is missing; "
                    f"reinstall {_DISTRIBUTIONS[photograph.package]}, or use another data set"
                )
        return list(chosen)

    def load(self, key: str) -> Sample:
        """Loads one clean photograph, (3, H, W) in [0, 1].

        Each side has at most ``max_side`` px. The values are those that the packages' own readers return, so that of
        ``rocket`` the Adobe RGB profile is left out.
        """
        return Sample(key, fit(load_image(_photograph(key).path, managed=False), self.options.max_side))

    def source(self, key: str) -> str:
        """Returns the absolute path of the photograph in the installed package.

        Raises ImageError if no photograph has the key.
        """
        return str(_photograph(key).path.resolve())


def _photograph(key: str) -> Photograph:
    if key not in PHOTOGRAPHS:
        raise ImageError(f"bundled photographs: there is none named '{key}'; the names are {', '.join(PHOTOGRAPHS)}")
    return PHOTOGRAPHS[key]


def fit(image_CHW: Tensor, max_side: int | None) -> Tensor:
    """Scales a picture down if its longer side is above ``max_side`` px.

    Uses antialiased bicubic interpolation and clips to [0, 1]. None keeps every picture as it is.
    """
    height, width = image_CHW.shape[-2:]
    longer = max(height, width)
    if max_side is None or longer <= max_side:
        return image_CHW
    size = (max(1, round(height * max_side / longer)), max(1, round(width * max_side / longer)))
    return functional.interpolate(image_CHW[None], size, mode="bicubic", antialias=True)[0].clamp(0, 1)
