"""Stage I at a given strength of the texture: the decomposition's own strength is found before the prior is trained."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from texprior.decompositions.strength_search import match_strength, strength_of
from texprior.diffusion.keys import generator
from texprior.errors import ImageError, TexpriorError
from texprior.flow.image import PictureSet
from texprior.plugin import Ref
from texprior.runtime.session import Session
from texprior.store import write_atomically

FILE = "strength.json"
"""What was found, in the folder of the training that it was found for."""
PHOTOGRAPHS = 32
"""On how many training photographs, drawn by the experiment's seed, the texture is measured."""


def without_strength(session: Session) -> Session:
    """The session as it stands for all that lead to the same match: the strength that was written in is left out."""
    experiment = session.experiment
    if experiment.match_texture_std is None:
        return session
    ref, option = experiment.decomposition, strength_of(session.registry, experiment.decomposition)
    plain = Ref(name=ref.name, options={name: value for name, value in ref.options.items() if name != option})
    return session.with_(experiment=experiment.model_copy(update={"decomposition": plain}))


def match_prior_strength(
    session: Session, dataset: PictureSet, keys: Sequence[str], folder: Path, trajectory: str
) -> Session:
    """The session with the strength at which the texture has the deviation ``match_texture_std``, if that is given.

    What an earlier start of this training found, or one with another budget, is read from its folder. Raises
    ConfigError for a target out of reach.
    """
    experiment = session.experiment
    target, ref = experiment.match_texture_std, experiment.decomposition
    if target is None:
        return session
    found = None if session.fresh else _found(sorted(folder.parent.glob(f"*-{trajectory}-*/{FILE}")))
    if found is None:
        session.say(f"prior: looking for the strength of '{ref.name}' at which its texture's deviation is {target:g}")
        match = match_strength(session.registry, ref, target, _sample(session, dataset, keys))
        said = f"{match.option} {match.value:.4g}, with a deviation of {match.texture_std:.4f}"
        session.say(f"prior: '{ref.name}' at {said} on {match.pictures} photographs")
        found = match.decomposition
        if session.team.leads:
            write_atomically(folder / FILE, json.dumps(match.record(), indent=2).encode())
    return session.with_(experiment=experiment.model_copy(update={"decomposition": found}))


def _found(files: Sequence[Path]) -> Ref | None:
    for file in files:
        with contextlib.suppress(OSError, ValueError, KeyError):
            return Ref.model_validate(json.loads(file.read_text(encoding="utf-8"))["decomposition"])
    return None


def _sample(session: Session, dataset: PictureSet, keys: Sequence[str]) -> list[Tensor]:
    """Photographs in the order in which the layer's scale is measured on them, on the session's device."""
    pictures: list[Tensor] = []
    for index in torch.randperm(len(keys), generator=generator(session.experiment.seed, "scale")).tolist():
        with contextlib.suppress(ImageError):  # it is named when the pool comes to it
            pictures.append(dataset.load(keys[index]).clean.to(session.device))
        if len(pictures) == PHOTOGRAPHS:
            break
    if not pictures:
        raise TexpriorError("none of the training photographs can be read")
    return pictures
