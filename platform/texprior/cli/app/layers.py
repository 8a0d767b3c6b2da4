"""Splits the pictures of the page into layers by any installed decomposition with its default options."""

from __future__ import annotations

from collections import Counter

from torch import Tensor

from texprior.config.resolver import resolve_ref
from texprior.config.validation import Complaint
from texprior.errors import blaming
from texprior.flow.decompose import Layers, decompose
from texprior.flow.kinds import DECOMPOSITION
from texprior.plugin import Ref
from texprior.registry import Registry


def decompositions(registry: Registry) -> dict[str, Ref]:
    """Returns name -> decomposition with its default options, sorted; one without all defaults is left out.

    A name that two plugins share comes with its distribution.
    """
    entries = registry.entries("decomposition")
    times = Counter(entry.component.name for entry in entries)
    names = [e.component.name if times[e.component.name] == 1 else e.qualified for e in entries]
    found = {}
    for name in sorted(names):
        complaints: list[Complaint] = []
        ref = resolve_ref(Ref(name=name), "decomposition", "decomposition", registry, complaints)
        if not complaints:
            found[name] = ref
    return found


def split(registry: Registry, ref: Ref, picture_BCHW: Tensor, where: str) -> Layers:
    """Splits a picture, (1, 3, H, W), into its layers; ``where`` names the picture.

    Raises TexpriorError, which names the decomposition, if that fails.
    """
    with blaming("decomposition", ref.name, where):
        return decompose(picture_BCHW, registry.build(DECOMPOSITION, ref))
