"""Options of the data sets."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator
from pydantic.fields import FieldInfo

from texprior.plugin import Kind, Options, Ref


class BundledOptions(Options):
    """Options of ``bundled``."""

    max_side: Annotated[
        int | None,
        Field(
            ge=16,
            le=4096,
            description="longest side, px: larger photographs are scaled down to it (antialiased bicubic); null keeps"
            " the original sizes (the longest side is then 741 px)",
        ),
    ] = 512
    grey: Annotated[
        bool,
        Field(description="also train on the grey photographs (their channel is repeated); val and test have none"),
    ] = True


def _lists(key: str) -> FieldInfo:
    """Describes the option ``lists`` of a data set whose keys are written like this."""
    field: FieldInfo = Field(
        min_length=1,
        description=f"folder with train.txt, val.txt, test.txt; each line is a key: {key}; if null, every split uses"
        " the whole folder, so give each split its own folder",
    )
    return field


class ListedOptions(Options):
    """Options that ``folder`` and ``paired`` share."""

    pattern: Annotated[
        str, Field(min_length=1, description="shell pattern of the file names to use, such as '*.png' or 'rain*'")
    ] = "*"
    recursive: Annotated[bool, Field(description="also use the pictures in subfolders")] = True
    limit: Annotated[
        int | None, Field(ge=1, le=10**9, description="number of keys to use, the first in sorted order; null uses all")
    ] = None
    lists: Annotated[str | None, _lists("the name of a picture")] = None


class FolderOptions(ListedOptions):
    """Options of ``folder``."""

    lists: Annotated[str | None, _lists("the path of a picture below the folder, with suffix: street/1.png")] = None
    path: Annotated[
        str,
        Field(min_length=1, description="folder of pictures; relative paths start at the current directory, ~ is home"),
    ]


class PairedOptions(ListedOptions):
    """Options of ``paired``."""

    lists: Annotated[
        str | None, _lists("the path of a degraded picture below its folder, without suffix: street/1")
    ] = None
    degraded: Annotated[
        str,
        Field(min_length=1, description="folder of degraded pictures; relative paths start at the current directory"),
    ]
    clean: Annotated[
        str, Field(min_length=1, description="folder of clean pictures; relative paths start at the current directory")
    ]
    match: Annotated[
        Literal["same-name", "prefix"],
        Field(
            description="same-name: the names are equal except for the suffix; prefix: a degraded name starts with the"
            " clean name and an underscore (1400_3.png of 1400.png), so several may share one clean picture"
        ),
    ] = "same-name"


class PublishedOptions(Options):
    """Options that all published data sets share."""

    path: Annotated[
        str, Field(min_length=1, description="folder that the data set's archives were unpacked into; ~ is home")
    ]
    strict: Annotated[
        bool,
        Field(description="if true, a number of pictures other than the published one is an error, not a warning"),
    ] = False
    limit: Annotated[
        int | None, Field(ge=1, le=10**9, description="number of keys of a split to use, the first ones; null uses all")
    ] = None


class CarvedOptions(PublishedOptions):
    """Options of a published data set whose val split is carved out of train."""

    val_share: Annotated[
        float,
        Field(ge=0.0, le=0.5, description="share of train's scenes that move to val, chosen by a hash of their names"),
    ] = 0.05


class RaindropOptions(CarvedOptions):
    """Options of ``raindrop``."""

    test: Annotated[
        Literal["a", "b"], Field(description="test set: test_a (58 pairs, best aligned) or test_b (249 pairs)")
    ] = "a"


class Snow100kOptions(CarvedOptions):
    """Options of ``snow100k``."""

    test: Annotated[Literal["S", "M", "L", "all"], Field(description="size of the flakes in the test set")] = "L"


class ResideOptions(CarvedOptions):
    """Options of ``reside``."""

    scenes: Annotated[
        Literal["indoor", "outdoor"],
        Field(description="indoor: train on ITS, test on SOTS indoor; outdoor: train on OTS, test on SOTS outdoor"),
    ]


class GoproOptions(CarvedOptions):
    """Options of ``gopro``."""

    blur: Annotated[
        Literal["gamma", "linear"],
        Field(
            description="which blurred pictures: gamma averages frames as light (folder blur_gamma), linear averages"
            " their values (folder blur, which most papers use)"
        ),
    ] = "linear"


class SiddOptions(CarvedOptions):
    """Options of ``sidd``."""

    val_share: Annotated[
        float,
        Field(
            ge=0.0, le=0.5, description="share of train's ten scenes that move to val, chosen by a hash of their names"
        ),
    ] = 0.1


class UnionOptions(Options):
    """Options of ``union``."""

    of: Annotated[
        list[Ref],
        Kind("dataset"),
        Field(min_length=1, max_length=64, description="the data sets to join, all clean or all paired"),
    ]


class MixedOptions(Options):
    """Options of ``mixed``."""

    of: Annotated[
        list[Ref],
        Kind("dataset"),
        Field(
            min_length=1,
            max_length=64,
            description="the data sets to join, clean ones and paired ones; the experiment's degradation is for the"
            " clean ones",
        ),
    ]
    weights: Annotated[
        Annotated[list[Annotated[int, Field(strict=True, ge=1, le=10_000)]], Field(min_length=1, max_length=64)] | None,
        Field(
            description="for each data set, how often a training visits each of its pictures in an epoch; if null, once"
        ),
    ] = None

    @model_validator(mode="after")
    def _a_weight_each(self) -> MixedOptions:
        if self.weights is not None and len(self.weights) != len(self.of):
            raise ValueError(
                f"there are {len(self.weights)} weights for {len(self.of)} data sets; give one weight each"
            )
        if self.weights is not None and set(self.weights) == {1}:
            self.__dict__["weights"] = None  # the same training, and so the same digest
        return self
