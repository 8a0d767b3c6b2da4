"""Writes and reads the card of an exported model: Markdown below the YAML header that model hubs read.

The fields of the header are those of Hugging Face's model cards, https://huggingface.co/docs/hub/model-cards.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from texprior.config.schema import Experiment
from texprior.registry import Registry

OTHER = "other"
"""The licence of hubs for terms that have no name of their own."""
EVALUATED = ("Scores on ", "Evaluation ")
"""How the sections start that evaluations add to a card: an export states its figures itself."""
MODEL_TITLE, PRIOR_TITLE = "Restoration model of experiment", "Texture prior of experiment"
"""How the cards of trained folders begin."""
_RESTORING = ("decomposition", "encoder", "denoiser", "attention", "diffusion", "predictor", "adapter", "sampling")
"""Sections of an experiment whose components are built to restore a picture."""
_TERMS = "terms-of-the-training-photographs"
_HEADER = re.compile(r"---\n(.*?)\n---\n", re.DOTALL)
_TRAINED = re.compile(rf"^## (?:{MODEL_TITLE}|{PRIOR_TITLE}) .*", re.DOTALL | re.MULTILINE)
"""What an export's card holds of the card of the trained folder."""


@dataclass(frozen=True)
class Figures:
    """Means of an evaluation, for a card."""

    data: str
    """What was scored, in words."""
    row: str
    """The row of the restored pictures, such as ``restored 4 calls``."""
    pictures: int
    means: Mapping[str, float]
    """Metric -> mean of that row."""
    table: str
    """Markdown."""


@dataclass(frozen=True)
class Terms:
    """What a card says that no file of a model knows."""

    licence: str = OTHER
    datasets: Sequence[str] = ()
    """Names of the training photographs; those of the components of all trainings if there are none."""


def header_of(
    experiment: Experiment,
    name: str,
    terms: Terms,
    figures: Figures | None,
    registry: Registry,
    prior: Experiment | None,
) -> str:
    """Returns the YAML header of a card of a model with its ``prior``; of a prior alone if there is none."""
    restores = prior is not None
    degradation = [experiment.degradation.name] if restores and experiment.degradation else []
    trainings = (prior, experiment) if prior else (experiment,)
    photographs = dict.fromkeys(each for training in trainings for each in _photographs(training, registry))
    fields: dict[str, Any] = {
        "license": terms.licence,
        **({"license_name": _TERMS} if terms.licence == OTHER else {}),
        "library_name": "texprior",
        **({"pipeline_tag": "image-to-image"} if restores else {}),
        "tags": ["image-restoration", "diffusion", "texture-prior", *degradation],
        "datasets": list(terms.datasets) or list(photographs),
        **(_results(name, figures) if figures else {}),
    }
    return f"---\n{yaml.safe_dump(fields, sort_keys=False, allow_unicode=True, width=math.inf)}---\n"


def _photographs(experiment: Experiment, registry: Registry) -> list[str]:
    """Returns the names of the data sets that a training sees; of a data set made of others, of those."""
    found = {path: ref.name for path, kind, ref in registry.components_of(experiment) if kind == "dataset"}
    trained_on = [path for path in found if path.startswith("data.train")]
    return [found[path] for path in trained_on if not any(other.startswith(f"{path}.") for other in trained_on)]


def _results(name: str, figures: Figures) -> dict[str, Any]:
    """Returns the metrics with their values, as hubs show them in a table."""
    values = [
        {"type": metric, "name": f"{metric}, {figures.row}", "value": float(f"{mean:.5g}")}
        for metric, mean in figures.means.items()
        # YAML has no NaN that hubs read
        if math.isfinite(mean)
    ]
    data = {"type": "image-folder", "name": f"{figures.data}, {figures.pictures} pictures"}
    result = {"task": {"type": "image-to-image", "name": "Image restoration"}, "dataset": data, "metrics": values}
    return {
        "metrics": [value["type"] for value in values],
        "model-index": [{"name": name, "results": [result]}],
    }


def read_header(card: Path) -> dict[str, Any]:
    """Returns the fields of a card's header; empty if it has none that can be read."""
    try:
        found = _HEADER.match(card.read_text(encoding="utf-8"))
        fields = yaml.safe_load(found.group(1)) if found else {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return {}
    return fields if isinstance(fields, dict) else {}


def training_part(card: str) -> str:
    """Returns what a training wrote of a card, its headings one level lower; no header, and no section of evaluations.

    The card may be that of an export, which holds this part and other sections of its own.
    """
    text = _HEADER.sub("", card, count=1)
    if exported := _TRAINED.search(text):
        text = re.sub(r"^##", "#", exported.group(), flags=re.MULTILINE)
    first, *sections = text.split("\n## ")
    kept = [first, *(section for section in sections if not section.startswith(EVALUATED))]
    return "#" + "\n\n### ".join(section.strip() for section in kept) + "\n"


def kept_terms(terms: Terms, card: Path) -> Terms:
    """Returns the terms of an export, with those of the card of its source for what they do not say."""
    fields = read_header(card)
    licence = fields.get("license", OTHER) if terms.licence == OTHER else terms.licence
    return Terms(str(licence), terms.datasets or [str(name) for name in fields.get("datasets") or []])


def missing_parts(experiment: Experiment, registry: Registry) -> list[str]:
    """Lists what restoring needs that is in no exported folder: plugins of others, and parameters to import."""
    lines = []
    for path, kind, ref in registry.components_of(experiment):
        entry = registry.find(kind, ref.name)
        # an experiment is read only if all that it names is there, also its metrics
        if entry.plugin.distribution != "texprior":
            lines.append(f"`{kind}/{entry.component.name}` of `{entry.plugin.distribution}` {entry.plugin.version}")
        weights = entry.component.weights
        # a component that ships some takes others for options of its own, and says so if they are missing
        if path.partition(".")[0] in _RESTORING and not any(w.packaged for w in weights):
            lines += [f"parameters `{w.name}`, from {w.origin}" for w in weights]
    return list(dict.fromkeys(lines))
