"""Loads the clean pictures of a folder."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

from texprior.flow.image import Sample, load_image
from texprior_plugins.dataset import FolderOptions
from texprior_plugins.dataset._listing import chosen, pictures


class Folder:
    """Clean pictures of a folder.

    A key is a picture's path below the folder, with forward slashes and its suffix; a byte that is not UTF-8 reads %XX.
    """

    def __init__(self, options: FolderOptions) -> None:
        self.options = options

    def keys(self, split: str) -> Sequence[str]:
        """Returns the keys in the split's list.

        Without lists, returns the keys of all pictures. Raises ConfigError if the folder or its pictures are missing,
        or if a list is wrong.
        """
        return chosen(list(pictures(self.options.path, self.options)), split, self.options)

    def load(self, key: str) -> Sample:
        """Loads one clean picture, (3, H, W) float32 in [0, 1].

        Raises ImageError if the picture cannot be read.
        """
        return Sample(key, load_image(self._file(key)))

    def source(self, key: str) -> str:
        """Returns the absolute path of the picture."""
        return str(self._file(key).resolve())

    def _file(self, key: str) -> Path:
        root = Path(self.options.path).expanduser()
        # only the key of a name that is not UTF-8 is another text, and only such a key needs the list of names
        return root / (self._names.get(key, key) if "%" in key else key)

    @cached_property
    def _names(self) -> dict[str, str]:
        return pictures(self.options.path, self.options)
