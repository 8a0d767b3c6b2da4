"""What cannot work together, said before anything is trained."""

from __future__ import annotations

import itertools
from pathlib import Path

from texprior.config import with_overrides
from texprior.models.build import Prior, build_adapter, build_prior
from texprior.models.folders import load_prior
from texprior.runtime.session import Session


def prior_at(folder: Path | None, session: Session) -> Prior:
    """The trained prior in a folder or, where none is given, the experiment's own with initial weights; frozen."""
    prior = load_prior(folder, session.registry, session) if folder else build_prior(session, 1.0, Path())
    prior.network.requires_grad_(False).eval()
    return prior


def require_adapters(session: Session, prior: Path | None) -> None:
    """Builds the experiment's adapter, or every one that its sweep may choose, and forgets them.

    Raises ConfigError where one of them cannot work on the denoiser of the prior (see ``prior_at``).
    """
    standing_on, space = prior_at(prior, session), session.experiment.sweep.space
    choices = {path: space[path] for path in ("adapter", "process.unfreeze") if isinstance(space.get(path), list)}
    for values in itertools.product(*choices.values()):
        chosen = with_overrides(session.experiment, dict(zip(choices, values, strict=True)), session.registry)
        build_adapter(session.with_(experiment=chosen), standing_on)
