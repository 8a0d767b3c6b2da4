"""Loads pairs of degraded and clean pictures from two folders."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path, PurePosixPath

from texprior.errors import ConfigError, ImageError
from texprior.flow.image import Sample, load_image
from texprior.flow.picture_files import some
from texprior_plugins.dataset import PairedOptions
from texprior_plugins.dataset._listing import chosen, pictures, size


class Paired:
    """Pairs of degraded and clean pictures from two folders.

    A key is the degraded picture's path below its folder, with forward slashes and without its suffix.
    """

    def __init__(self, options: PairedOptions) -> None:
        self.options = options

    def keys(self, split: str) -> Sequence[str]:
        """Returns the keys in the split's list.

        Without lists, returns the keys of all pairs. Raises ConfigError if a partner is missing.
        """
        return chosen(sorted(self._pairs), split, self.options)

    def load(self, key: str) -> Sample:
        """Loads one pair, both (3, H, W) float32 in [0, 1].

        Raises ImageError if a file cannot be read or if the sizes differ.
        """
        degraded_path, clean_path = self._pair(key)
        degraded, clean = load_image(degraded_path), load_image(clean_path)
        if degraded.shape != clean.shape:
            raise ImageError(
                f"{degraded_path} has {size(degraded.shape)} px and {clean_path} has {size(clean.shape)} px; "
                "the pictures of a pair must have the same size"
            )
        return Sample(key, clean, degraded)

    def source(self, key: str) -> str:
        """Returns the absolute path of the clean picture.

        Raises ImageError if no pair has the key.
        """
        return str(self._pair(key)[1].resolve())

    def _pair(self, key: str) -> tuple[Path, Path]:
        if key not in self._pairs:
            raise ImageError(f"{self.options.degraded}: there is no degraded picture with the key '{key}'")
        return self._pairs[key]

    @cached_property
    def _pairs(self) -> Mapping[str, tuple[Path, Path]]:
        """Key -> degraded path and clean path."""
        options = self.options
        degraded = _by_stem(options.degraded, pictures(options.degraded, options))
        clean = _by_stem(options.clean, pictures(options.clean, options.model_copy(update={"pattern": "*"})))
        partner = {key: self._clean_key(key) for key in degraded}
        self._refuse(sorted(key for key in degraded if partner[key] not in clean), options.degraded, options.clean)
        # A narrower pattern chooses degraded pictures, so it leaves clean ones without a partner on purpose.
        if options.pattern == "*":
            self._refuse(sorted(set(clean) - set(partner.values())), options.clean, options.degraded)
        degraded_root, clean_root = Path(options.degraded).expanduser(), Path(options.clean).expanduser()
        return {key: (degraded_root / name, clean_root / clean[partner[key]]) for key, name in degraded.items()}

    def _refuse(self, alone: list[str], folder: str, other: str) -> None:
        if alone:
            raise ConfigError(
                f"{len(alone)} pictures of {folder} have no partner in {other}: {some(alone)}; "
                f"add or remove pictures, or choose another match than {self.options.match}"
            )

    def _clean_key(self, key: str) -> str:
        if self.options.match == "same-name":
            return key
        path = PurePosixPath(key)
        return path.with_name(path.name.split("_", 1)[0] or path.name).as_posix()


def _by_stem(path: str, names: Mapping[str, str]) -> dict[str, str]:
    """Maps keys without suffix to names. Raises ConfigError if two names differ in their suffixes only."""
    names_of: dict[str, list[str]] = defaultdict(list)
    for key, name in names.items():
        names_of[PurePosixPath(key).with_suffix("").as_posix()].append(name)
    twins = [" and ".join(same) for same in names_of.values() if len(same) > 1]
    if twins:
        raise ConfigError(f"{path}: names that differ in their suffixes only cannot be paired: {some(twins)}")
    return {stem: same[0] for stem, same in names_of.items()}
