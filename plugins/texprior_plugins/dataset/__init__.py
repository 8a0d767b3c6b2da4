"""First-party data sets: photographs that come with the dependencies, and folders of the user's own."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from texprior.plugin import Dataset, Options, hookimpl


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


BUNDLED = Dataset(
    "bundled",
    "texprior_plugins.dataset.bundled:Bundled",
    BundledOptions,
    "Photographs inside the wheels of scikit-image and scikit-learn: 9 train, 2 val, 3 test; no download.",
    tags=("clean", "offline"),
    citation="""@article{vanderwalt2014scikit,
  author  = {van der Walt, St{\\'e}fan and Sch{\\"o}nberger, Johannes L. and Nunez-Iglesias, Juan and Boulogne,
             Fran{\\c{c}}ois and Warner, Joshua D. and Yager, Neil and Gouillart, Emmanuelle and Yu, Tony},
  title   = {scikit-image: image processing in {P}ython},
  journal = {PeerJ},
  volume  = {2},
  pages   = {e453},
  year    = {2014},
  doi     = {10.7717/peerj.453}
}
@article{pedregosa2011scikit,
  author  = {Pedregosa, Fabian and Varoquaux, Ga{\\"e}l and Gramfort, Alexandre and others},
  title   = {Scikit-learn: Machine Learning in {P}ython},
  journal = {Journal of Machine Learning Research},
  volume  = {12},
  pages   = {2825--2830},
  year    = {2011}
}
@inproceedings{scharstein2014high,
  author    = {Scharstein, Daniel and Hirschm{\\"u}ller, Heiko and Kitajima, York and Krathwohl, Greg and
               Ne{\\v{s}}i{\\'c}, Nera and Wang, Xi and Westling, Porter},
  title     = {High-Resolution Stereo Datasets with Subpixel-Accurate Ground Truth},
  booktitle = {German Conference on Pattern Recognition (GCPR)},
  pages     = {31--42},
  year      = {2014},
  doi       = {10.1007/978-3-319-11752-2_3}
}""",
    licence="by picture: public domain or CC0 (astronaut, brick, camera, chelsea, coffee, grass, gravel, rocket);"
    " no known restrictions (coins, ihc); CC BY 2.0 (china: danielbuechele; flower: vultilion);"
    " Middlebury 2014 benchmark, cite Scharstein 2014 (motorcycle)",
)

FOLDER = Dataset(
    "folder",
    "texprior_plugins.dataset.folder:Folder",
    FolderOptions,
    "Clean pictures of a folder; degraded ones are synthesised.",
    tags=("clean", "own-pictures"),
    licence="that of the pictures in the folder",
)

PAIRED = Dataset(
    "paired",
    "texprior_plugins.dataset.paired:Paired",
    PairedOptions,
    "Degraded and clean pictures in two folders, paired by name.",
    tags=("paired", "own-pictures"),
    licence="that of the pictures in the folders",
)


@hookimpl
def texprior_datasets() -> list[Dataset]:
    """The components."""
    return [BUNDLED, FOLDER, PAIRED]
