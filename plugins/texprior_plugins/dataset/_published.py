"""Reads data sets in the folders and names in which they were published.

A data set declares where its splits are, how pictures are paired, and how many there should be.
"""

from __future__ import annotations

import functools
import logging
import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import ClassVar

from torch import Tensor

from texprior.diffusion.keys import seed_of
from texprior.errors import ConfigError, ImageError, printable
from texprior.flow.image import Sample, load_image
from texprior.flow.picture_files import find_pictures, some
from texprior_plugins.dataset import PublishedOptions
from texprior_plugins.dataset._listing import folder, size

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Part:
    """Pictures of one split: where they are below the root, and how they are paired.

    ``folders`` are the possible places; the first one that exists is used. ``clean`` and ``degraded`` are paths below
    it without suffix. For pairs, ``degraded`` is a regular expression, and ``clean`` is the partner's path with the
    groups inserted. Without ``degraded`` the part holds clean pictures only, and ``clean`` is the expression.
    """

    folders: tuple[str, ...]
    clean: str
    degraded: str = ""
    count: int = 0
    """Published number of pairs or pictures; 0 if it is not known."""
    looks: str = ""
    """Examples of the file names, for messages."""
    scene: str = ""
    """The groups that name the scene. If empty, each clean picture is a scene."""
    in_order: bool = False
    """Whether pictures are paired in sorted order, because the names of a pair differ.

    Then ``clean`` is a regular expression as well.
    """


Layout = Mapping[str, tuple[Part, ...]]
"""Split -> its parts. If ``val`` is missing, whole scenes are carved out of train."""


@dataclass(frozen=True)
class Item:
    """The files of a pair or of a clean picture, and their scene."""

    clean: Path
    degraded: Path | None
    scene: str


Items = dict[str, Item]
"""Key -> item. A key is the (degraded) picture's path below the root, with forward slashes and without its suffix."""


class Published(ABC):
    """A published data set, read from the folder that its archives were unpacked into."""

    name: ClassVar[str]
    crops: ClassVar[bool] = False
    """Whether clean pictures have a wider border than degraded ones; it is cut off."""

    def __init__(self, options: PublishedOptions) -> None:
        self.options = options

    @abstractmethod
    def layouts(self) -> Sequence[Layout]:
        """Returns the forms in which the set was published.

        The form of which most folders exist is used.
        """

    def keys(self, split: str) -> Sequence[str]:
        """Returns the keys of a split, sorted; empty if the split was not downloaded.

        Raises ConfigError if the folder holds no part of the data set or if a degraded picture has no clean one.
        With ``strict``, also if the numbers are not the published ones.
        """
        return sorted(self._splits.get(split, {}))[: self.options.limit]

    def load(self, key: str) -> Sample:
        """Loads one clean picture or one pair, (3, H, W) float32 in [0, 1].

        Raises ImageError if a file cannot be read or if the sizes of a pair differ.
        """
        item = self._item(key)
        # colour profiles are left out: published scores are of the values as they are stored
        clean = load_image(item.clean, managed=False)
        if item.degraded is None:
            return Sample(key, clean)
        degraded = load_image(item.degraded, managed=False)
        if self.crops:
            clean = _centre(clean, degraded)
        if degraded.shape != clean.shape:
            raise ImageError(
                f"{item.degraded} has {size(degraded.shape)} px and {item.clean} has {size(clean.shape)} px; "
                "the pictures of a pair must have the same size"
            )
        return Sample(key, clean, degraded)

    def source(self, key: str) -> str:
        """Returns the absolute path of the clean picture."""
        return str(self._item(key).clean.resolve())

    def arranged(self, splits: dict[str, Items]) -> dict[str, Items]:
        """Returns the splits before val is carved out.

        Override it if names do not tell which pictures show the same scene.
        """
        return splits

    def _item(self, key: str) -> Item:
        for items in self._splits.values():
            if key in items:
                return items[key]
        raise ImageError(f"{self.options.path}: {self.name} has no picture '{key}' here")

    @cached_property
    def _splits(self) -> dict[str, Items]:
        root, layouts = folder(self.options.path), self.layouts()
        present = [sum(bool(_place(root, p)) for parts in form.values() for p in parts) for form in layouts]
        if not any(present):
            raise ConfigError(
                f"{root}: this folder does not contain {self.name}. "
                f"Expected {_expected(layouts)}; found {_entries(root)}"
            )
        # Several forms may share a folder, such as the one of test. Most folders decide which form this is.
        layout = layouts[present.index(max(present))]
        splits = {split: self._items(root, parts) for split, parts in layout.items()}
        splits = self.arranged(splits)

        # Whole scenes go to val: other versions of a picture in train would make its validation too good.
        if "val" not in layout:
            splits["val"] = carved(splits.get("train", {}), self.name, getattr(self.options, "val_share", 0.0))
            splits["train"] = {k: item for k, item in splits.get("train", {}).items() if k not in splits["val"]}
        return splits

    def _items(self, root: Path, parts: Sequence[Part]) -> Items:
        found: Items = {}
        for part in parts:
            place = _place(root, part)
            if place is not None:
                items = _paired(root, place, part)
                self._check_count(place, part, len(items))
                found |= items
        return found

    def _check_count(self, place: Path, part: Part, found: int) -> None:
        if part.count and found != part.count:
            what = "pairs" if part.degraded else "pictures"
            sentence = f"{place}: {self.name} was published with {part.count:,} {what} there; found {found:,}"
            if self.options.strict:
                raise ConfigError(f"{sentence}; complete it, or remove 'strict' to use the pictures that are there")
            _warn(sentence)


def carved(train: Items, name: str, share: float) -> Items:
    """Returns the part of train that becomes val.

    It is the given share of the scenes, chosen by a hash of their names. If there are several scenes and the share is
    above 0, at least one is chosen.
    """
    # The hash makes the choice independent of the file system. A larger share keeps what a smaller one chose.
    scenes = sorted({item.scene for item in train.values()}, key=lambda scene: seed_of("val", name, scene))
    number = max(1, round(share * len(scenes))) if share and len(scenes) > 1 else 0
    chosen = set(scenes[:number])
    return {key: item for key, item in train.items() if item.scene in chosen}


def _paired(root: Path, place: Path, part: Part) -> Items:
    """Finds a part's pictures in a folder and pairs them.

    Raises ConfigError if there are none, or if a degraded picture has no clean one.
    """
    files = dict(_pictures(place))

    if not part.degraded:
        matches = {stem: re.fullmatch(part.clean, stem) for stem in files}
        pairs = [(stem, None, match) for stem, match in matches.items() if match]
    else:
        matches = {stem: re.fullmatch(part.degraded, stem) for stem in files}
        degraded = sorted(stem for stem, match in matches.items() if match)
        if part.in_order:
            clean = sorted(stem for stem in files if re.fullmatch(part.clean, stem))
            if len(clean) != len(degraded):
                raise ConfigError(
                    f"{place}: there are {len(degraded)} degraded and {len(clean)} clean pictures; they are paired in "
                    "sorted order, so the numbers must be equal"
                )
        else:
            clean = [matches[stem].expand(part.clean) for stem in degraded]  # type: ignore[union-attr]
        alone = [d for d, c in zip(degraded, clean, strict=True) if c not in files]
        # Skipping them would change the data set without a word: an incomplete archive is an error.
        if alone:
            raise ConfigError(f"{place}: {len(alone)} pictures have no clean one: {some(alone)}; expected {part.looks}")
        pairs = [(c, d, matches[d]) for c, d in zip(clean, degraded, strict=True)]
    if not pairs:
        raise ConfigError(f"{place}: there is no picture of the form {part.looks} in it; found {_entries(place)}")

    found: Items = {}
    for clean_stem, degraded_stem, match in pairs:
        scene = match.expand(part.scene) if part.scene else clean_stem
        shown = files[degraded_stem] if degraded_stem else files[clean_stem]
        key = printable(shown.relative_to(root).with_suffix("").as_posix())
        degraded_file = files[degraded_stem] if degraded_stem else None
        found[key] = Item(files[clean_stem], degraded_file, scene)
    return found


def _place(root: Path, part: Part) -> Path | None:
    return next((root / name for name in part.folders if (root / name).is_dir()), None)


def _pictures(place: Path) -> Iterator[tuple[str, Path]]:
    """Yields (path below the place without suffix, file) of every picture; skips hidden files and folders."""
    for name in find_pictures(place, warns=False):
        yield name.with_suffix("").as_posix(), place / name


def _centre(clean: Tensor, degraded: Tensor) -> Tensor:
    """Cuts the middle out of a clean picture, in the size of the degraded one.

    Returns the clean picture unchanged if it is smaller or if a margin is odd.
    """
    margins = [a - b for a, b in zip(clean.shape[-2:], degraded.shape[-2:], strict=True)]
    if min(margins) < 0 or any(m % 2 for m in margins):
        return clean
    (top, left), (height, width) = (m // 2 for m in margins), degraded.shape[-2:]
    return clean[:, top : top + height, left : left + width].contiguous()


def _expected(layouts: Sequence[Layout]) -> str:
    """Returns the folders and file names of all forms, for messages."""
    forms = [
        ", ".join(f"{p.folders[0]}/ ({split}: {p.looks})" for split, parts in layout.items() for p in parts)
        for layout in layouts
    ]
    return "; or ".join(forms)


def _entries(place: Path) -> str:
    names = sorted(entry.name + "/" * entry.is_dir() for entry in place.iterdir() if not entry.name.startswith("."))
    return some(names) if names else "an empty folder"


# The cache holds back repetitions: a program may build the same data set many times.
@functools.cache
def _warn(sentence: str) -> None:
    """Logs a warning, once per process and sentence."""
    log.warning("%s", sentence)


def with_scenes(items: Items, scenes: Mapping[str, str]) -> Items:
    """Returns the items with the given scenes (key -> scene)."""
    return {key: replace(item, scene=scenes[key]) for key, item in items.items()}
