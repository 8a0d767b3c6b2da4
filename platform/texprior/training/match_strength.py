"""Finds the decomposition's strength before Stage I is trained.

It does so if the experiment asks for a given texture.
"""

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
from texprior.flow.image import each_visit
from texprior.plugin import Ref
from texprior.runtime.session import Session
from texprior.store import write_atomically
from texprior.training.folders import Place

FILE = "strength.json"
"""The strength that was found, in the folder of the training that needed it."""
PHOTOGRAPHS = 32
"""Training photographs, drawn by the experiment's seed, on which the texture is measured.

Each step of the search runs the filter on all of them, so a slow filter limits the number; 32 photographs hold millions
of values."""


def without_strength(session: Session) -> Session:
    """Returns the session without the decomposition's own strength, if ``match_texture_std`` replaces it.

    Experiments that differ only in that strength are matched to the same one, so that they share a training.
    """
    experiment = session.experiment
    if experiment.match_texture_std is None:
        return session
    ref, option = experiment.decomposition, strength_of(session.registry, experiment.decomposition)
    plain = ref.with_options({name: value for name, value in ref.options.items() if name != option})
    return session.with_(experiment=experiment.model_copy(update={"decomposition": plain}))


def match_prior_strength(session: Session, place: Place) -> Session:
    """Returns the session at the strength whose texture has the standard deviation ``match_texture_std``, if given.

    The strength is read from the folder of an earlier start of this training, or of one with another budget, if there
    is one. Raises ConfigError if no strength reaches the target.
    """
    experiment = session.experiment
    target, ref = experiment.match_texture_std, experiment.decomposition
    if target is None:
        return session
    files = [] if session.fresh else sorted(place.folder.parent.glob(f"*-{place.digest}-*/{FILE}"))
    found = _leaders(session, _found(files))
    if found is None:
        session.say(f"prior: looking for the strength of '{ref.name}' at which its texture's deviation is {target:g}")
        match = match_strength(session.registry, ref, target, _sample(session))
        said = f"{match.option} {match.value:.4g}, with a deviation of {match.texture_std:.4f}"
        session.say(f"prior: '{ref.name}' at {said} on {match.pictures} photographs")
        found = _leaders(session, match.decomposition)
        if session.team.leads:
            write_atomically(place.folder / FILE, json.dumps(match.record(), indent=2).encode())
    return session.with_(experiment=experiment.model_copy(update={"decomposition": found}))


def _leaders(session: Session, ref: Ref | None) -> Ref | None:
    """Returns what the leader of the team found: the others may have other files, or round differently."""
    dumped = session.team.from_leader(None if ref is None else ref.model_dump(mode="json"))
    return ref if session.team.leads or dumped is None else Ref.model_validate(dumped)


def _found(files: Sequence[Path]) -> Ref | None:
    for file in files:
        with contextlib.suppress(OSError, ValueError, KeyError):
            return Ref.model_validate(json.loads(file.read_text(encoding="utf-8"))["decomposition"])
    return None


def _sample(session: Session) -> list[Tensor]:
    """Photographs in the order in which the layer's scale is measured on them, on the session's device."""
    dataset, keys = session.of_stage_one().pictures("train")
    keys = each_visit(dataset, keys)
    pictures: list[Tensor] = []
    for index in torch.randperm(len(keys), generator=generator(session.experiment.seed, "scale")).tolist():
        with contextlib.suppress(ImageError):  # the pool names it when the training comes to it
            pictures.append(dataset.load(keys[index]).clean.to(session.device))
        if len(pictures) == PHOTOGRAPHS:
            break
    if not pictures:
        raise TexpriorError("none of the training photographs can be read")
    return pictures
