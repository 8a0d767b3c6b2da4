"""Writes the model card of a prior or a model.

The card is the README next to its weights.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from texprior.models.build import count_parameters
from texprior.models.hub_card import MODEL_TITLE, PRIOR_TITLE
from texprior.registry.origins import origin_line
from texprior.runtime.run_record import citations_of
from texprior.runtime.session import Session
from texprior.training.held_out import PATCHES

if TYPE_CHECKING:
    from torch import nn

    from texprior.config.schema import Training
    from texprior.models.build import Prior
    from texprior.plugin import Ref
    from texprior.training.held_out import HeldOut
    from texprior.training.loop import Finished


def prior_card(
    session: Session, network: nn.Module, about: dict[str, Any], done: Finished, found: HeldOut | None
) -> str:
    """Returns the card of a prior, Markdown; ``found`` is what was measured on held-out photographs."""
    e = session.experiment
    facts = {
        "parameters": f"{count_parameters(network):,}",
        "decomposition": e.decomposition.name,
        "process": _named(e.diffusion.process),
        "layer's standard deviation": f"{about['scale']:.5f}",
        **_course(e.training.prior, done),
        "training data": _named(e.data.train),
    }
    learned = _learned(found, "layer", "the condition", "; a prior near 100 % has learned to invert the filter")
    text = "A diffusion prior over a layer of photographs."
    return _card(f"{PRIOR_TITLE} {e.name}", text, facts, learned, session)


def model_card(
    session: Session, adapter: nn.Module, prior: Prior, about: dict[str, Any], done: Finished, found: HeldOut | None
) -> str:
    """Returns the card of a restoration model, Markdown; ``found`` is what was measured on held-out photographs."""
    e, size = session.experiment, count_parameters(adapter, trainable_only=True)
    facts = {
        "degradation": _named(e.degradation) if e.degradation else "as in the data",
        "process": _named(e.diffusion.process),
        "prior": f"sha256 {about['prior_sha256']}",
        "adapter": f"{e.adapter.name}; unfrozen parts of the denoiser: {e.process.unfreeze}",
        "trainable parameters": f"{size:,}, {size / count_parameters(prior.network):.2%} of the denoiser's",
        **({"residuals": _folds(about["folds"])} if "folds" in about else {}),
        "residual's standard deviation": f"{about['residual_std']:.5f} (prior's layer {prior.scale:.5f})",
        **_course(e.training.adapter, done),
        "training data": _named(e.data.train),
    }
    text = "Initial predictor and adapter on a frozen texture prior. 'texprior evaluate' adds its scores here."
    learned = _learned(found, "residual", "the condition and the estimate")
    return _card(f"{MODEL_TITLE} {e.name}", text, facts, learned, session)


def _learned(found: HeldOut | None, layer: str, source: str, meaning: str = "") -> str:
    """Returns the shares of a layer that a network explains, level by level, as a table, and what the first means."""
    if found is None:
        return "Not measured."
    whose = "validation photographs" if found.split == "val" else "training photographs, with other patches and noise"
    first = found.levels[0]
    rows = [
        f"| {level.sigma:g}{', noise alone' * (level is first)} | {level.explained:.1%} | {level.loss:.4f} | "
        f"{level.train_loss:.4f} |"
        for level in found.levels
    ]
    head = f"| noise level | explained of the {layer} | loss | loss on training photographs |\n|---|---|---|---|"
    share = f"{100 * first.explained:.0f} % of the {layer}'s variance is read from {source} alone"
    return "\n".join([f"{share}{meaning}. Measured on {PATCHES} patches of {whose}.\n", head, *rows])


def _named(ref: Ref) -> str:
    """Returns a component with its options as one line of YAML, as an experiment names it."""
    text = yaml.safe_dump(ref.model_dump(mode="json"), default_flow_style=True, sort_keys=False, width=math.inf)
    # a card is a table, whose cells end at this sign
    return f"`{text.strip()}`".replace("|", "\\|")


def _folds(names: Sequence[str]) -> str:
    """Returns whose estimates the residuals are of."""
    return f"of predictors that had not seen the photograph: {', '.join(names)}"


def _course(settings: Training, done: Finished) -> dict[str, str]:
    """Returns how a training went: where it started, how long it was, and what it left out."""
    start = {"started from": f"the weights of {settings.start_from}"} if settings.start_from else {}
    return {
        **start,
        "images seen": f"{done.images_seen:,}",
        "training time": f"{done.elapsed_s:.0f} s",
        "skipped steps": f"{done.skipped_steps:,}, whose loss or gradient was not finite",
        **({"loss spikes": f"{done.spikes:,} steps, the last at image {done.last_spike:,}"} if done.spikes else {}),
    }


def _card(title: str, text: str, facts: dict[str, str], learned: str, session: Session) -> str:
    table = "\n".join(f"| {name} | {value} |" for name, value in facts.items())
    components = "\n".join(f"- {line}" for line in _components(session))
    citations = citations_of(session.experiment, session.registry)
    return (
        f"# {title}\n\n{text}\n\n| | |\n|---|---|\n{table}\n\n## What was learned\n\n{learned}\n\n"
        f"## Components\n\n{components}\n\n"
        f"## Citations\n\n```bibtex\n{citations}\n```\n\n"
        "The weights are for research: they carry the terms of the photographs that they were trained on.\n"
    )


def _components(session: Session) -> list[str]:
    lines = []
    for path, kind, ref in session.registry.components_of(session.experiment):
        entry = session.registry.find(kind, ref.name)
        lines.append(origin_line(path, entry))
    # a single file is not installed, so the reader of the card must pass it to every command
    files = sorted({Path(file).name for file in session.registry.files if _uses(session, file)})
    if files:
        lines.append(f"Commands that use these weights need {' '.join(f'`--plugin {name}`' for name in files)}.")
    return lines


def _uses(session: Session, file: str) -> bool:
    """Whether the experiment uses a component of a single-file plugin."""
    used = session.registry.components_of(session.experiment)
    return any(session.registry.find(kind, ref.name).plugin.file == file for _, kind, ref in used)
