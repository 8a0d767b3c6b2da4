"""Draws the pictures of docs/reference/components.md: ``python -m texprior.cli.component_pictures FOLDER``.

Each shows what a degradation makes of a photograph, or the structure and texture that a decomposition separates.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from texprior.cli.component_help import option_rows
from texprior.cli.pictures import AMPLIFIED
from texprior.plugin import Component, Ref
from texprior.registry import Registry

if TYPE_CHECKING:
    from torch import Tensor

_PART = (slice(10, 250), slice(90, 330))
"""The part of the photograph that is used, px: a face and cloth."""


def picture_name(component: Component) -> str:
    """Returns the file name of a component's picture; empty if its kind has none, or if it needs options."""
    if component.kind not in _DRAWN or any(option.required for option in option_rows(component.options)):
        return ""
    return f"{component.kind}-{component.name}.jpg"


def draw_pictures(registry: Registry, folder: Path) -> None:
    """Writes the picture of each component that has one, and the photograph itself."""
    import torch
    from skimage.data import astronaut

    photograph = torch.from_numpy(astronaut()[_PART].copy()).permute(2, 0, 1)[None] / 255
    folder.mkdir(parents=True, exist_ok=True)
    _write([photograph], folder / "photograph.jpg")
    for kind, draw in _DRAWN.items():
        for entry in registry.entries(kind):
            if name := picture_name(entry.component):
                _write(draw(registry, entry.qualified, photograph), folder / name)


def _degraded(registry: Registry, name: str, photograph: Tensor) -> list[Tensor]:
    from texprior.flow.degrade import degrade
    from texprior.flow.kinds import DEGRADATION

    return [degrade(photograph, registry.build(DEGRADATION, Ref(name=name)), 0, ["photograph"])]


def _layers(registry: Registry, name: str, photograph: Tensor) -> list[Tensor]:
    from texprior.flow.decompose import decompose
    from texprior.flow.kinds import DECOMPOSITION

    layers = decompose(photograph, registry.build(DECOMPOSITION, Ref(name=name)))
    return [layers.structure, 0.5 + AMPLIFIED * layers.texture]


_DRAWN: dict[str, Callable[[Registry, str, Tensor], list[Tensor]]] = {
    "degradation": _degraded,
    "decomposition": _layers,
}


def _write(pictures_BCHW: list[Tensor], path: Path) -> None:
    """Writes pictures side by side."""
    import torch
    from PIL import Image

    from texprior.flow.image import to_uint8

    shown = torch.cat([picture[0] for picture in pictures_BCHW], dim=-1)
    Image.fromarray(to_uint8(shown)).save(path, quality=88)


if __name__ == "__main__":
    draw_pictures(Registry.discover(), Path(sys.argv[1]))
