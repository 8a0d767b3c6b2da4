"""Augments training patches: the pictures of a patch are changed together, after they were cut."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import torch
from torch import Tensor

from texprior.flow.contract import refuse, require_tensor, require_type


class PatchAugmentation(Protocol):
    """The contract of an augmentation, which is built as ``Impl(options)``."""

    def __call__(self, patch: Mapping[str, Tensor], rng: torch.Generator) -> Mapping[str, Tensor]:
        """Returns the tensors of one patch, changed; their names and shapes stay.

        ``patch`` holds what a training sees, by name, float32 on the CPU. Its pictures are (3, P, P) in [0, 1]. Maps
        that a degradation tells, ``drawn/NAME``, are (C, P, P), mostly with one channel and values of any size. The
        code of an encoder with a map is there as a grid of tokens, ``code``, (C, t, t). All show the same place, so
        what moves pixels must move those of all tensors; what changes light or colours changes pictures alone, see
        ``is_picture``. All random numbers come from ``rng``.
        """
        ...


def is_picture(name: str) -> bool:
    """Returns whether a tensor of a patch is a picture, (3, P, P) in [0, 1].

    Those that are none are the maps that a degradation tells, ``drawn/NAME``, and the grid of tokens, ``code``.
    """
    return name != "code" and not name.startswith("drawn/")


def augmented(
    patch: Mapping[str, Tensor], augmentations: Sequence[PatchAugmentation], rng: torch.Generator
) -> Mapping[str, Tensor]:
    """Returns the tensors of a patch after all augmentations, in their order.

    Each draws the numbers of ``rng`` that follow those of the one before it. Raises ContractError if one returns other
    names or shapes.
    """
    for augmentation in augmentations:
        patch = _checked(augmentation, augmentation(patch, rng), patch)
    return patch


def _checked(augmentation: PatchAugmentation, found: object, patch: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    require_type(augmentation, found, Mapping, "the augmented patch")
    assert isinstance(found, Mapping)
    if found.keys() != patch.keys():
        refuse(augmentation, f"the augmented patch holds {', '.join(map(str, found))}", ", ".join(patch))
    what = "the augmented picture"
    return {n: require_tensor(augmentation, found[n], t.shape, t, f"{what} '{n}'") for n, t in patch.items()}
