"""Describes the files of SIDD: smartphone photographs with real noise, and denoised references.

Train is SIDD-Medium or SIDD-Small in sRGB. Test is the published set of validation blocks, in two .mat files: 40
photographs with 32 blocks of 256 x 256 px each. Papers report on it, because the benchmark's references are not public.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy import io

from texprior.errors import ConfigError, ImageError
from texprior.flow.image import Sample
from texprior_plugins.dataset import SiddOptions
from texprior_plugins.dataset._published import Layout, Part, Published

NOISY, CLEAN = "ValidationNoisyBlocksSrgb", "ValidationGtBlocksSrgb"


class Sidd(Published):
    """The SIDD data set. Val is carved out of train by scene.

    The second number of a folder's name is the scene; there are ten.
    """

    name = "SIDD"
    options: SiddOptions

    def layouts(self) -> Sequence[Layout]:
        """Returns the form ``Data/0001_001_S6_.../0001_NOISY_SRGB_010.PNG`` of ``.../0001_GT_SRGB_010.PNG``.

        The files of SIDD-Small have no ``0001_``.
        """
        looks = "0001_001_S6_00100_00060_3200_L/NOISY_SRGB_010.PNG and .../GT_SRGB_010.PNG"
        pair = {"clean": r"\1/\3GT_SRGB_\4", "degraded": r"(\d+_(\d+)_\w+)/((?:\d+_)?)NOISY_SRGB_(\d+)"}
        medium = Part(("SIDD_Medium_Srgb/Data",), **pair, scene=r"\2", count=320, looks=looks)
        small = Part(("SIDD_Small_sRGB_Only/Data",), **pair, scene=r"\2", count=160, looks=looks)
        plain = Part(("Data",), **pair, scene=r"\2", looks=looks)
        return [{"train": (part,)} for part in (medium, small, plain)]

    def keys(self, split: str) -> Sequence[str]:
        """Returns the keys of a split; those of test are ``blocks/00_00`` to ``blocks/39_31``.

        Raises ConfigError as in ``Published``, or if the .mat files have another form.
        """
        if split != "test":
            return super().keys(split)
        if not self._block_files:
            return []
        # whosmat reads only the headers; the blocks themselves take hundreds of megabytes.
        shapes = [{name: shape for name, shape, _ in io.whosmat(file)} for file in self._block_files]
        images, blocks = self._shape(shapes)
        return [f"blocks/{i:02d}_{b:02d}" for i in range(images) for b in range(blocks)][: self.options.limit]

    def load(self, key: str) -> Sample:
        """Loads one pair, both (3, H, W) float32 in [0, 1].

        Raises ImageError if the pair cannot be read.
        """
        if not key.startswith("blocks/"):
            return super().load(key)
        try:
            i, b = map(int, key.removeprefix("blocks/").split("_"))
            noisy, clean = (torch.from_numpy(blocks[i, b].astype(np.float32) / 255) for blocks in self._blocks)
        except (ValueError, IndexError, OSError) as error:
            raise ImageError(f"{self.options.path}: SIDD has no block '{key}' here ({error})") from None
        return Sample(key, clean.permute(2, 0, 1).contiguous(), noisy.permute(2, 0, 1).contiguous())

    def source(self, key: str) -> str:
        """Returns the absolute path of the clean picture.

        For a block it is the path of its file, followed by # and the block's number.
        """
        if not key.startswith("blocks/"):
            return super().source(key)
        return f"{self._block_files[1].resolve()}#{key.removeprefix('blocks/')}"

    @cached_property
    def _block_files(self) -> list[Path]:
        root = Path(self.options.path).expanduser()
        for place in (root, root / "SIDD_Validation", root / "validation"):
            files = [place / f"{name}.mat" for name in (NOISY, CLEAN)]
            if all(file.is_file() for file in files):
                return files
        return []

    @cached_property
    def _blocks(self) -> list[Any]:
        return [io.loadmat(file)[name] for file, name in zip(self._block_files, (NOISY, CLEAN), strict=True)]

    def _shape(self, shapes: list[dict[str, tuple[int, ...]]]) -> tuple[int, int]:
        noisy, clean = shapes[0].get(NOISY, ()), shapes[1].get(CLEAN, ())
        if noisy != clean or len(noisy) != 5 or noisy[-1] != 3:
            raise ConfigError(
                f"{self._block_files[0]}: expected blocks of the shape (40, 32, 256, 256, 3) in both files; "
                f"found {noisy} and {clean}"
            )
        if self.options.strict and noisy[:2] != (40, 32):
            raise ConfigError(f"{self._block_files[0]}: SIDD was published with 40 x 32 blocks; found {noisy[:2]}")
        return noisy[0], noisy[1]
