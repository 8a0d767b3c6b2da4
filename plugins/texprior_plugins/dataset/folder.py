"""Loads the clean pictures of a folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from texprior.flow.image import Sample, load_image
from texprior_plugins.dataset import FolderOptions
from texprior_plugins.dataset._listing import chosen, pictures


class Folder:
    """Clean pictures of a folder.

    A key is a picture's path below the folder, with forward slashes and its suffix.
    """

    def __init__(self, options: FolderOptions) -> None:
        self.options = options

    def keys(self, split: str) -> Sequence[str]:
        """Returns the keys in the split's list.

        Without lists, returns the keys of all pictures. Raises ConfigError if the folder or its pictures are missing,
        or if a list is wrong.
        """
        return chosen(pictures(self.options.path, self.options), split, self.options)

    def load(self, key: str) -> Sample:
        """Loads one clean picture, (3, H, W) float32 in [0, 1].

        Raises ImageError if the picture cannot be read.
        """
        return Sample(key, load_image(Path(self.options.path).expanduser() / key))

    def source(self, key: str) -> str:
        """Returns the absolute path of the picture."""
        return str((Path(self.options.path).expanduser() / key).resolve())
