"""Options of the data sets."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from texprior.plugin import Kind, Options, Ref


class BundledOptions(Options):
    """Options of the bundled photographs."""

    max_side: Annotated[
        int | None,
        Field(
            ge=16,
            le=4096,
            description="photographs whose longer side is above this many px are scaled down to it (antialiased"
            " bicubic); null keeps them as they are (the longest side is then 741 px)",
        ),
    ] = 512
    grey: Annotated[
        bool, Field(description="train on the grey photographs too (their channel repeated); val and test have none")
    ] = True


class ListedOptions(Options):
    """What folders have in common."""

    pattern: Annotated[str, Field(min_length=1, description="which names to take, as in a shell: '*.png', 'rain*'")] = (
        "*"
    )
    recursive: Annotated[bool, Field(description="take the pictures of subfolders too")] = True
    limit: Annotated[
        int | None, Field(ge=1, description="take only the first so many keys in sorted order; null takes all")
    ] = None
    lists: Annotated[
        str | None,
        Field(
            min_length=1,
            description="folder of train.txt, val.txt, test.txt with one key a line; null gives every split the"
            " whole folder, so that each split should have a folder of its own",
        ),
    ] = None


class FolderOptions(ListedOptions):
    """Options of an image folder."""

    path: Annotated[
        str, Field(min_length=1, description="the folder; relative paths start at the current directory, ~ is home")
    ]


class PairedOptions(ListedOptions):
    """Options of a pair of folders."""

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
            description="same-name: equal names but for the suffix; prefix: a degraded name is its clean one and an"
            " underscore and more (1400_3.png of 1400.png), so that several may share a clean picture"
        ),
    ] = "same-name"


class PublishedOptions(Options):
    """Options of a published data set."""

    path: Annotated[str, Field(min_length=1, description="folder that its archives were unpacked into; ~ is home")]
    strict: Annotated[
        bool, Field(description="numbers of pictures other than the published ones are an error, not a warning")
    ] = False
    limit: Annotated[
        int | None, Field(ge=1, description="take only the first so many keys of a split; null takes all")
    ] = None


class CarvedOptions(PublishedOptions):
    """Options of one that has no val split of its own."""

    val_share: Annotated[
        float,
        Field(ge=0.0, le=0.5, description="share of the scenes of train that are val instead, chosen by their names"),
    ] = 0.05


class RaindropOptions(CarvedOptions):
    """Options of RainDrop."""

    test: Annotated[Literal["a", "b"], Field(description="test_a (58 pairs, aligned best) or test_b (249)")] = "a"


class Snow100kOptions(CarvedOptions):
    """Options of Snow100K."""

    test: Annotated[Literal["S", "M", "L", "all"], Field(description="size of the flakes in test")] = "L"


class ResideOptions(CarvedOptions):
    """Options of RESIDE."""

    scenes: Annotated[Literal["indoor", "outdoor"], Field(description="ITS and SOTS indoors, or OTS and outdoors")]


class GoproOptions(CarvedOptions):
    """Options of GoPro."""

    blur: Annotated[
        Literal["gamma", "linear"],
        Field(description="frames averaged as light (blur_gamma) or as values (blur, which most papers use)"),
    ] = "linear"


class SiddOptions(CarvedOptions):
    """Options of SIDD."""

    val_share: Annotated[
        float,
        Field(
            ge=0.0, le=0.5, description="share of the ten scenes of train that are val instead, chosen by their names"
        ),
    ] = 0.1


class UnionOptions(Options):
    """Options of several data sets as one."""

    of: Annotated[
        list[Ref],
        Kind("dataset"),
        Field(min_length=1, max_length=64, description="the data sets, all clean or all paired"),
    ]
