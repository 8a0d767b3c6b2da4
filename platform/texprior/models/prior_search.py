"""Finds the prior of a model by its content.

It is also found if its folder was moved or renamed.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from texprior.errors import ConfigError
from texprior.store import runs_root, sha256, shipped_root, write_atomically

PRIOR = "prior.safetensors"
MOVED = "prior_path.json"
"""The file that names the prior's new place. It is not in the weights, so that their hash stays the same."""
_SHOWN = 5
"""Priors that a message lists."""
_DEPTHS = ("*", "*/*", "*/*/*")
"""Folders below the runs that are searched: a run is two folders deep, and may have been moved into another folder."""


def find_prior(model: Path, about: Mapping[str, Any]) -> Path:
    """Returns the folder of the prior that a model was trained on.

    ``about`` is the record of the model's weights. Looks at the recorded place, beside the model, below the runs, and
    among the priors that texprior ships. Raises ConfigError if the prior is not there.
    """
    wanted, recorded = str(about["prior_sha256"]), recorded_prior(model, about)
    seen: dict[Path, str] = {}
    for weights in _candidates(model, recorded):
        with suppress(OSError):  # it may be deleted at this moment, or belong to another user
            found = sha256(weights)
            if found == wanted:
                return weights.parent
            # the shipped ones are none that the user may have meant
            if shipped_root() not in weights.parents:
                seen[weights.parent] = found

    others = [f"{folder} (sha256 {found[:16]}...)" for folder, found in list(seen.items())[:_SHOWN]]
    more = [f"{len(seen) - _SHOWN} more"] if len(seen) > _SHOWN else []
    there = f"other priors are there: {', '.join(others + more)}" if seen else "no prior is there"
    raise ConfigError(
        f"model {model}: its prior (sha256 {wanted[:16]}...) is not at {recorded}; looked for its content there "
        f"and in {' and in '.join(map(str, _roots(model)))}; {there}; name its folder with --prior"
    )


def recorded_prior(model: Path, about: Mapping[str, Any]) -> Path:
    """Returns where the prior of a model was last.

    The prior may no longer be there.
    """
    path = str(about["prior_path"])
    with suppress(OSError, ValueError, KeyError):
        path = str(json.loads((model / MOVED).read_text(encoding="utf-8"))["prior_path"])
    return (model / path).resolve()


def record_prior(model: Path, about: Mapping[str, Any], prior: Path) -> None:
    """Records the place of a model's prior, if it is not the recorded one."""
    if recorded_prior(model, about) != prior.resolve():
        path = relative_path(prior, model)
        write_atomically(model / MOVED, json.dumps({"prior_path": path}, indent=2).encode())


def relative_path(prior: Path, model: Path) -> str:
    """Returns a prior's path as seen from the model's folder.

    With such a path, both can be moved together.
    """
    return os.path.relpath(prior.resolve(), model.resolve())


def _candidates(model: Path, recorded: Path) -> Iterator[Path]:
    """Yields every file that may be the prior, each once, the most likely first."""
    seen: set[Path] = set()
    yield from (file for file in [recorded / PRIOR] if file.is_file())
    for root in _roots(model):
        for depth in _DEPTHS:
            for file in sorted(root.glob(f"{depth}/{PRIOR}")):
                if file.resolve() not in {*seen, recorded / PRIOR}:
                    seen.add(file.resolve())
                    yield file


def _roots(model: Path) -> list[Path]:
    """Returns the folders below which a prior is searched."""
    beside = model.resolve().parent
    # a model that was trained here is in RUNS/NAME/model-...; around one that was copied, there may be anything
    own = [beside.parent] if model.resolve().name.startswith("model-") else []
    return list(dict.fromkeys([beside, *own, runs_root(), shipped_root()]))
