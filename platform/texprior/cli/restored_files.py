"""Restores a picture into its file, section by section, and holds what a command has finished."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from texprior.digests import digest

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from texprior.flow.pixels import Picture
    from texprior.flow.tile import Tile
    from texprior.pipeline import Restored

_BAND = 1024
"""Rows of a spread that become the values of a file at once."""


class Spent(NamedTuple):
    """The cost of restoring a picture."""

    calls: int
    elapsed_s: float


class RestoredFile:
    """A restored picture that grows section by section: the values of its file, and its spread if that is asked for.

    The values need as many bytes a pixel as the file has; only a section at a time is float.
    """

    def __init__(self, picture: Picture, bits: int, with_spread: bool) -> None:
        self.picture, self.bits, self.with_spread = picture, bits, with_spread
        self.spent = Spent(0, 0.0)
        self._levels: NDArray[np.uint8 | np.uint16] | None = None
        self._spread: Tensor | None = None

    def put(self, section: Tile, found: Restored, where: str) -> None:
        """Takes a section. Raises ImageError, which begins with ``where``, for values that are not finite."""
        import numpy as np

        from texprior.flow.image import file_levels
        from texprior.flow.pixels import require_finite

        place, alpha = section.place, self.picture.alpha
        require_finite(found.picture[0], where)
        opacity = None if alpha is None else alpha[:, place[0], place[1]]
        levels = file_levels(found.picture[0], opacity, self.picture.grey, self.bits)
        if self._levels is None:
            self._levels = np.empty((*self.picture.size, levels.shape[-1]), levels.dtype)
        self._levels[place] = levels
        if self.with_spread:
            if self._spread is None:
                self._spread = found.spread.new_empty((3, *self.picture.size), device="cpu")
            self._spread[:, place[0], place[1]] = found.spread[0].cpu()
        self.spent = Spent(found.calls, self.spent.elapsed_s + found.elapsed_s)

    def write(self, target: Path) -> None:
        """Writes the picture, all of whose sections were put."""
        from texprior.flow.image import write_levels

        assert self._levels is not None
        write_levels(self._levels, target)

    def write_spread(self, target: Path) -> float:
        """Writes the spread, scaled to its largest value, and returns its mean in units of the picture."""
        import numpy as np

        from texprior.flow.image import file_levels, write_levels

        assert self._spread is not None
        # It is scaled to the largest value, or it would be too dark to see. 1e-8 prevents 0 / 0.
        largest = max(float(self._spread.max()), 1e-8)
        rows = range(0, self._spread.shape[1], _BAND)
        bands = [file_levels(self._spread[:, top : top + _BAND] / largest) for top in rows]
        write_levels(np.concatenate(bands), target)
        return float(self._spread.mean())


class Finished:
    """What was restored into a folder, so that the same command can go on after an interrupt.

    A picture is finished if the model, the settings, the content of its file and its results are those of a line of the
    folder's hidden file. A line that a kill cut off does not count.
    """

    def __init__(self, folder: Path, about: object) -> None:
        self._file, self._about = folder / ".texprior-restored.jsonl", digest(about, sort_keys=True)
        self._results: dict[str, dict[str, object]] = {}
        with suppress(OSError, UnicodeDecodeError):
            for line in self._file.read_text(encoding="utf-8").splitlines():
                with suppress(ValueError, KeyError, TypeError):
                    entry = json.loads(line)
                    self._results[entry["identity"]] = entry["result"]

    def find(self, source: Path, key: str, targets: Sequence[Path]) -> dict[str, object] | None:
        """Returns what was reported of a picture that is finished; None if it is not."""
        found = self._results.get(self._identity(source, key, targets))
        return found if isinstance(found, dict) else None

    def add(self, source: Path, key: str, targets: Sequence[Path], result: dict[str, object]) -> None:
        """Notes that a picture is finished, with what is reported of it."""
        line = json.dumps({"identity": self._identity(source, key, targets), "result": result})
        # without this note the picture is restored again, and nothing else is lost
        with suppress(OSError), self._file.open("a", encoding="utf-8") as file:
            file.write(line + "\n")

    def _identity(self, source: Path, key: str, targets: Sequence[Path]) -> str:
        from texprior.store import sha256

        files = [source, *targets]
        content = [sha256(path) if path.is_file() else "" for path in files]
        return digest([self._about, key, [target.name for target in targets], content])
