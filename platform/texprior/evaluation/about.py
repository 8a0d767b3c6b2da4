"""Says what an evaluation was made on, and tells evaluations of one model apart."""

from __future__ import annotations

import dataclasses
import datetime
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from texprior._version import __version__
from texprior.config.dotted_paths import get_path
from texprior.config.schema import Experiment
from texprior.digests import digest
from texprior.evaluation.scores import Scores
from texprior.runtime.run_record import current_commit, flatten_paths

if TYPE_CHECKING:
    import torch

ABOUT = "about.json"
"""The file beside the scores of an evaluation that says what they were made on."""
_DIGITS = 8
"""Digits of a digest in a folder's name: enough for the evaluations of one model, few enough to read."""


@dataclass(frozen=True)
class About:
    """The facts that scores depend on, besides the model."""

    split: str
    data: Mapping[str, Any]
    """The data set, with its options."""
    seed: int
    overrides: Mapping[str, tuple[Any, Any]]
    """Dotted path -> the model's own value and the one used, where they differ."""
    date: str
    """Day of the evaluation, UTC."""
    commit: str
    version: str
    precision: str
    """What the denoiser was called in: ``bfloat16`` or ``float32``."""

    @property
    def title(self) -> str:
        """The title of a card's section; evaluations with other overrides have other titles."""
        return f"Evaluation {self.digest} on {self.split}" if self.digest else f"Scores on {self.split}"

    @property
    def folder(self) -> str:
        """The name of the folder of its files, below the model's."""
        return f"evaluation-{self.split}{f'-{self.digest}' if self.digest else ''}"

    @property
    def digest(self) -> str:
        """What tells it apart from other evaluations of the split.

        It is empty if nothing differs from the model's own settings.
        """
        return (
            digest({path: used for path, (_, used) in self.overrides.items()}, _DIGITS, True) if self.overrides else ""
        )

    def record(self) -> dict[str, Any]:
        """Returns the facts in JSON's types, for a file beside the scores."""
        facts = dataclasses.asdict(self)
        return {**facts, "overrides": {path: used for path, (_, used) in self.overrides.items()}}

    def markdown(self, scores: Scores) -> str:
        """Returns the facts of some scores as a list."""
        pictures = len({score.picture for score in scores.scores})
        changed = [
            f"{path} {json.dumps(used)} (the model's own: {json.dumps(own)})"
            for path, (own, used) in self.overrides.items()
        ]
        lines = {
            "pictures": f"{pictures} of data.{self.split}, `{json.dumps(dict(self.data))}`",
            "different from the model's own": "; ".join(changed) or "nothing",
            "seed of degradation and noise": str(self.seed),
            "precision of the sampling": self.precision,
            "metrics": ", ".join(scores.better),
            "made": f"{self.date} (UTC), texprior {self.version}" + (f", commit {self.commit}" if self.commit else ""),
        }
        return "\n".join(f"- {name}: {value}" for name, value in lines.items())


def about_evaluation(experiment: Experiment, of_model: Experiment, device: torch.device) -> About:
    """Returns the facts of an evaluation on a device.

    ``of_model`` is the experiment that the model was trained with.
    """
    from texprior.flow.precision import precision_name

    choice = experiment.evaluation
    return About(
        split=choice.split,
        data=getattr(experiment.data, choice.split).model_dump(mode="json"),
        seed=choice.seed,
        overrides=overrides_of(experiment, of_model),
        date=datetime.datetime.now(datetime.UTC).date().isoformat(),
        commit=current_commit(),
        version=__version__,
        precision=precision_name(device, experiment.sampling.amp),
    )


def overrides_in(folder: Path) -> dict[str, Any] | None:
    """Returns path -> value of the settings that an evaluation changed, as its folder has them.

    None if nothing is stored of it, as with earlier versions.
    """
    try:
        return dict(json.loads((folder / ABOUT).read_text(encoding="utf-8"))["overrides"])
    except (OSError, ValueError, TypeError, KeyError):
        return None


def overrides_of(experiment: Experiment, of_model: Experiment) -> dict[str, tuple[Any, Any]]:
    """Returns the settings that decide scores and differ from the model's own.

    They are path -> the model's own value and the one used, for all that decides which scores a model gets. A component
    with another name is one difference, and so is another data set.
    """
    split = experiment.evaluation.split
    used, own = _deciding(experiment, split), _deciding(of_model, split)
    found: dict[str, tuple[Any, Any]] = {}
    for section, value in used.items():
        if isinstance(value, dict) and isinstance(own[section], dict) and value.keys() == own[section].keys():
            ours, theirs = (flatten_paths({section: one}, lists=False) for one in (value, own[section]))
            found |= {p: (theirs.get(p), v) for p, v in ours.items() if theirs.get(p) != v}
        elif value != own[section]:
            found[section] = (own[section], value)
    return found


def _deciding(experiment: Experiment, split: str) -> dict[str, Any]:
    """Returns the sections that decide the scores of a model on a split, without what only saves memory."""
    data = experiment.model_dump(mode="json")
    del data["sampling"]["features_mb"]
    alone = (
        f"data.{split}",
        "data.degraded_bits",
        "degradation",
        "sampling.sampler",
        "evaluation.seed",
        "evaluation.limit",
    )
    found = {path: get_path(data, path) for path in alone}
    del data["sampling"]["sampler"]
    return {**found, "sampling": data["sampling"]}
