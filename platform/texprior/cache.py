"""Structures on disk: what a slow filter made of a photograph once is read the next time, whoever asks.

A structure's key is a hash over the picture's values and all that decides the result: the filter with its version, the
text of its program, its options, the kind of device, torch's version. Files are written whole and renamed, so that any
number of processes may share the folder; a file that cannot be read is as good as none.
"""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import torch

from texprior.decompositions.structure_cache import SLOW, VERSION, LayerCache, Remembered
from texprior.models import Prior
from texprior.runtime.identity import program_of
from texprior.runtime.session import Session


def remembering(session: Session, prior: Prior) -> Prior:
    """The prior with the structures of its decomposition kept on disk if that is tagged slow; else as it is.

    The folder is ``TEXPRIOR_CACHE``, or ``cache`` beside the session's training folders; ``data.disk_cache_mb`` bounds
    it, and 0 turns it off.
    """
    ref, room_mb = prior.experiment.decomposition, session.experiment.data.disk_cache_mb
    entry = session.registry.find("decomposition", ref.name)
    if SLOW not in entry.component.tags or not room_mb:
        return prior
    root = Path(os.environ.get("TEXPRIOR_CACHE") or session.root / "cache")
    cache = LayerCache(root / "structures", room_mb * 2**20)
    about = {
        "decomposition": entry.qualified,
        "options": session.registry.options_of("decomposition", ref).model_dump(mode="json"),
    }
    identity = json.dumps([VERSION, about, entry.plugin.version, program_of(entry), torch.__version__], sort_keys=True)
    return replace(prior, decomposition=Remembered(prior.decomposition, cache, identity, about))
