"""Declares the first-party data sets: bundled photographs, your own folders, and published sets.

The test split of a published set is the one that papers report on. Its val split is the published one; if there is
none, whole scenes are carved out of train. The summary of each set states what was published. Files whose names begin
with an underscore hold options, citations, and code that several data sets share.
"""

from __future__ import annotations

from texprior.plugin import Dataset, Options, hookimpl
from texprior_plugins.dataset import _citations as cite
from texprior_plugins.dataset._options import (
    BundledOptions,
    CarvedOptions,
    FolderOptions,
    GoproOptions,
    ListedOptions,
    MixedOptions,
    PairedOptions,
    PublishedOptions,
    RaindropOptions,
    ResideOptions,
    SiddOptions,
    Snow100kOptions,
    UnionOptions,
)

__all__ = [
    "BUNDLED",
    "BundledOptions",
    "CarvedOptions",
    "FolderOptions",
    "GoproOptions",
    "ListedOptions",
    "MixedOptions",
    "PairedOptions",
    "PublishedOptions",
    "RaindropOptions",
    "ResideOptions",
    "SiddOptions",
    "Snow100kOptions",
    "UnionOptions",
]

UNSTATED = "none is stated with the data; used for research"
"""The licence of sets whose authors published none."""


def _one(
    name: str,
    impl: str,
    options: type[Options],
    summary: str,
    tags: str,
    licence: str,
    citation: str = "",
    own: bool = False,
) -> Dataset:
    """Returns the record of the class ``impl``, which is given as file:Class. ``own`` says whose pictures they are."""
    where, words = f"texprior_plugins.dataset.{impl}", tuple(tags.split())
    return Dataset(
        name, where, options, summary, api=2, tags=words, citation=citation, licence=licence, own_pictures=own
    )


BUNDLED = _one(
    "bundled",
    "bundled:Bundled",
    BundledOptions,
    "Photographs inside the wheels of scikit-image and scikit-learn: 9 train, 2 val, 3 test; no download.",
    "clean offline",
    "by picture: public domain or CC0 (astronaut, brick, camera, chelsea, coffee, grass, gravel, rocket);"
    " no known restrictions (coins, ihc); CC BY 2.0 (china: danielbuechele; flower: vultilion);"
    " Middlebury 2014 benchmark, cite Scharstein 2014 (motorcycle)",
    cite.BUNDLED,
)

DATASETS = [
    BUNDLED,
    _one(
        "folder",
        "folder:Folder",
        FolderOptions,
        "Clean pictures from a folder; a degradation makes the degraded ones.",
        "clean",
        "that of the pictures in the folder",
        own=True,
    ),
    _one(
        "paired",
        "paired:Paired",
        PairedOptions,
        "Degraded and clean pictures from two folders, paired by name.",
        "paired",
        "that of the pictures in the folders",
        own=True,
    ),
    _one(
        "union",
        "union:Union",
        UnionOptions,
        "Several data sets joined into one, split by split, such as div2k and flickr2k.",
        "composition",
        "those of its data sets",
        own=True,
    ),
    _one(
        "mixed",
        "mixed:Mixed",
        MixedOptions,
        "Pairs and clean pictures as one data set, each as often as its weight says.",
        "composition",
        "those of its data sets",
        own=True,
    ),
    _one(
        "div2k",
        "df2k:Div2k",
        CarvedOptions,
        "DIV2K: 800 train (val carved out of them), 100 test (the published validation set).",
        "clean published",
        "academic research only",
        cite.DIV2K,
    ),
    _one(
        "flickr2k",
        "df2k:Flickr2k",
        CarvedOptions,
        "Flickr2K: 2,650 train (val carved out of them), no test.",
        "clean published",
        "by photograph, as on Flickr; used for research",
        cite.FLICKR2K,
    ),
    _one(
        "rain100l",
        "rain100:Rain100L",
        CarvedOptions,
        "Rain100L, light streaks: 200 train and 100 test (first form) or 1,800 and 200; val carved by photograph.",
        "paired published synthetic",
        UNSTATED,
        cite.RAIN100,
    ),
    _one(
        "rain100h",
        "rain100:Rain100H",
        CarvedOptions,
        "Rain100H, heavy streaks: 1,800 train and 100 test (first form) or 1,800 and 200; val carved by photograph,"
        " photographs of test removed from train.",
        "paired published synthetic",
        UNSTATED,
        cite.RAIN100,
    ),
    _one(
        "outdoor_rain",
        "outdoor_rain:OutdoorRain",
        CarvedOptions,
        "Outdoor-Rain, heavy rain with the veil of far rain: 9,000 train, 750 test; val carved by photograph.",
        "paired published synthetic",
        UNSTATED,
        cite.OUTDOOR_RAIN,
    ),
    _one(
        "raindrop",
        "raindrop:Raindrop",
        RaindropOptions,
        "RainDrop, raindrops on glass: 861 train, 58 (test_a) or 249 (test_b) test; val carved.",
        "paired published real",
        UNSTATED,
        cite.RAINDROP,
    ),
    _one(
        "snow100k",
        "snow100k:Snow100k",
        Snow100kOptions,
        "Snow100K: 50,000 train, 16,611 (S), 16,588 (M) and 16,801 (L) test; val carved.",
        "paired published synthetic",
        UNSTATED,
        cite.SNOW100K,
    ),
    _one(
        "reside",
        "reside:Reside",
        ResideOptions,
        "RESIDE, haze: 13,990 train indoors (ITS) or 72,135 outdoors (OTS), 500 test each (SOTS); val carved by scene"
        " if it was not published.",
        "paired published synthetic",
        UNSTATED,
        cite.RESIDE,
    ),
    _one(
        "lol",
        "lol:Lol",
        CarvedOptions,
        "LOL, low light: 485 train, 15 test; val carved.",
        "paired published real",
        UNSTATED,
        cite.LOL,
    ),
    _one(
        "gopro",
        "gopro:Gopro",
        GoproOptions,
        "GoPro, motion blur: 2,103 train in 22 sequences, 1,111 test in 11; val carved by sequence.",
        "paired published synthetic",
        "CC BY 4.0",
        cite.GOPRO,
    ),
    _one(
        "dpdd",
        "dpdd:Dpdd",
        PublishedOptions,
        "DPDD, defocus blur: 350 train, 74 val, 76 test, as published.",
        "paired published real",
        "MIT (the authors' repository)",
        cite.DPDD,
    ),
    _one(
        "sidd",
        "sidd:Sidd",
        SiddOptions,
        "SIDD, smartphone noise: 320 (Medium) or 160 (Small) train in ten scenes, val carved by scene; test is the"
        " 1,280 published validation blocks.",
        "paired published real",
        "MIT",
        cite.SIDD,
    ),
]


@hookimpl
def texprior_datasets() -> list[Dataset]:
    """Returns the records of all data sets in this folder."""
    return DATASETS
