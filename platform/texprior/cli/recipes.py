"""Stores the recipes of degraded pictures in a JSON file and reads them back.

A recipe file holds the degradation with its options, and the random values that it drew for each picture.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from texprior.errors import ConfigError, ImageError

if TYPE_CHECKING:
    from texprior.plugin import Ref
    from texprior.registry import Registry

Drawn = dict[tuple[str, int, int], Mapping[str, Any]]
"""(file name, width, height) -> recipe. A recipe depends on these, on the degradation and on the seed only."""


@dataclass(frozen=True)
class Recipes:
    """A degradation and the recipes that it drew."""

    degradation: Ref
    drawn: Drawn = field(default_factory=dict)

    def of(self, picture: Path, key: str, width: int, height: int) -> Mapping[str, Any]:
        """Returns a picture's recipe; ``key`` is its file name as text.

        Raises ImageError if there is none for its file name and size.
        """
        if (key, width, height) in self.drawn:
            return self.drawn[key, width, height]
        # Another size under the same name is the most likely mistake, so the message names the sizes that would do.
        sizes = [f"{w} x {h}" for name, w, h in self.drawn if name == key]
        if sizes:
            raise ImageError(f"{picture}: it has {width} x {height} px, but its recipe is for {' or '.join(sizes)} px")
        raise ImageError(f"{picture}: there is no recipe for this file name")

    def write(self, path: Path) -> None:
        """Writes the recipes to a file. Raises TexpriorError if that fails."""
        from texprior.store import write_atomically

        pictures = [
            {"file": name, "width": width, "height": height, "recipe": recipe}
            for (name, width, height), recipe in self.drawn.items()
        ]
        document = {"degradation": self.degradation.model_dump(mode="json"), "pictures": pictures}
        write_atomically(path, (json.dumps(document, indent=2, allow_nan=False) + "\n").encode())


def read_recipes(path: Path, registry: Registry) -> Recipes:
    """Reads recipes from a file.

    Raises ConfigError if it is not a file of recipes, or if it names a component that is not installed.
    """
    from pydantic import ValidationError

    from texprior.config.resolver import resolve_ref
    from texprior.config.validation import Complaint, raise_complaints
    from texprior.plugin import Ref

    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        ref = Ref.model_validate(document["degradation"])
        drawn: Drawn = {
            (str(p["file"]), int(p["width"]), int(p["height"])): dict(p["recipe"]) for p in document["pictures"]
        }
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"--replay {path}: the file cannot be read ({error})") from None
    except (ValueError, KeyError, TypeError, ValidationError):
        raise ConfigError(
            f"--replay {path}: this is not a file of recipes; 'texprior degrade --recipe' writes one"
        ) from None

    complaints: list[Complaint] = []
    # A file of an earlier version lacks the options of today: it is replayed as it was made.
    resolved = resolve_ref(ref, "degradation", "degradation", registry, complaints, stored=True)
    raise_complaints(complaints, f"--replay {path}", {})
    return Recipes(resolved, drawn)
