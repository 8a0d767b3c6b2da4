"""Holds what an evaluation finds on one picture, in a form that another process can send."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import safetensors.torch
import torch
from torch import Tensor

from texprior.evaluation.scores import Score

_ABOUT = "about"
"""The name of the tensor that holds all that is no tensor, as JSON."""
Features = Mapping[tuple[str, str], Mapping[str, tuple[Tensor, Tensor | None]]]
"""(method, key of a set metric) -> picture -> features of the picture and of its reference, as ``Gathered.seen``."""


class Spent(NamedTuple):
    """The cost of restoring one picture."""

    calls: int = 0
    elapsed_s: float = 0.0


@dataclass(frozen=True)
class Judged:
    """What was found on one picture of the split."""

    number: int
    """Its place in the split."""
    key: str
    scores: Sequence[Score] = ()
    features: Features = field(default_factory=dict)
    shown: Mapping[str, Tensor] = field(default_factory=dict)
    """Its versions, (3, H, W) in [0, 1]; empty if they were not sent."""
    spent: Spent = field(default_factory=Spent)
    broken: str = ""
    """Why the picture could not be used; empty if it could."""


def pack(found: Sequence[Judged]) -> bytes:
    """Returns pictures' results as the bytes of a safetensors file.

    Every number is kept to the bit.
    """
    tensors: dict[str, Tensor] = {}
    about = [_described(f"{n}", judged, tensors) for n, judged in enumerate(found)]
    tensors[_ABOUT] = torch.tensor(list(json.dumps(about).encode()), dtype=torch.uint8)
    return safetensors.torch.save(tensors)


def _described(name: str, judged: Judged, tensors: dict[str, Tensor]) -> dict[str, Any]:
    """Describes one picture's results in JSON's types, and puts its tensors into ``tensors``."""
    features = []
    for (method, metric), rows in judged.features.items():
        for own, reference in rows.values():
            features.append([method, metric, reference is not None])
            _put(tensors, f"{name}/own/{len(features)}", own)
            if reference is not None:
                _put(tensors, f"{name}/reference/{len(features)}", reference)
    for version, image in judged.shown.items():
        _put(tensors, f"{name}/shown/{version}", image)
    scores = [[s.method, s.metric, s.value, s.calls, s.texture_strength] for s in judged.scores]
    plain = {"number": judged.number, "key": judged.key, "spent": judged.spent, "broken": judged.broken}
    return {**plain, "scores": scores, "features": features, "shown": list(judged.shown)}


def _put(tensors: dict[str, Tensor], name: str, tensor: Tensor) -> None:
    # a copy, because safetensors refuses tensors that share memory
    tensors[name] = tensor.detach().cpu().clone(memory_format=torch.contiguous_format)


def unpack(content: bytes) -> list[Judged]:
    """Returns the results that ``pack`` made into bytes."""
    tensors = safetensors.torch.load(content)
    about = json.loads(bytes(tensors[_ABOUT].tolist()))
    return [_restored(f"{n}", one, tensors) for n, one in enumerate(about)]


def _restored(name: str, one: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> Judged:
    key, features = one["key"], dict[tuple[str, str], dict[str, tuple[Tensor, Tensor | None]]]()
    for n, (method, metric, referenced) in enumerate(one["features"], start=1):
        reference = tensors[f"{name}/reference/{n}"] if referenced else None
        features[method, metric] = {key: (tensors[f"{name}/own/{n}"], reference)}
    return Judged(
        number=one["number"],
        key=key,
        scores=[Score(method, key, metric, *numbers) for method, metric, *numbers in one["scores"]],
        features=features,
        shown={version: tensors[f"{name}/shown/{version}"] for version in one["shown"]},
        spent=Spent(*one["spent"]),
        broken=one["broken"],
    )
