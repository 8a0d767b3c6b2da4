"""Reads the figures of a model's card from the scores of an evaluation."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

from texprior.config.schema import Sampling
from texprior.errors import ConfigError
from texprior.evaluation.about import ABOUT, deciding_sampling
from texprior.evaluation.scores import Scores, read_scores
from texprior.evaluation.tables import scores_markdown
from texprior.flow.kinds import PROCESS
from texprior.models.folders import CONFIG, folder_builder
from texprior.models.hub_card import Figures
from texprior.models.sampling import build_sampler, calls_per_picture
from texprior.registry import Registry

_SPLITS = ("test", "val")
_DEFAULTS = deciding_sampling(Sampling())


def stored_scores(model: Path, registry: Registry, sampling: Sampling | None = None) -> Path | None:
    """Returns the scores of a model's own evaluation, on test if there are two; None if it has none.

    With another ``sampling``, they are those of an evaluation in which only the sampling was changed, to this one. If
    there are only others, ``figures_of`` says why they do not fit.
    """
    folders = [f for split in _SPLITS for f in (model / f"evaluation-{split}", *model.glob(f"evaluation-{split}-*"))]
    for folder in sorted(folders, key=_order):
        with suppress(ConfigError):
            if _of_own_pictures(folder):
                figures_of(folder / "scores.csv", model, registry, sampling=sampling)
                return folder / "scores.csv"
    # the plain ones: reading them says why they are none of the export
    plain = (model / f"evaluation-{split}" / "scores.csv" for split in _SPLITS)
    return next((file for file in plain if file.is_file()), None)


def _order(folder: Path) -> tuple[bool, str]:
    """Sorts evaluations of test before those of val, and those with nothing changed first."""
    return not folder.name.startswith("evaluation-test"), folder.name


def _of_own_pictures(folder: Path) -> bool:
    """Returns whether an evaluation changed at most how the model samples."""
    about = _about(folder)
    return all(path.startswith("sampling") for path in about["overrides"]) if about else folder.name.count("-") == 1


def _about(folder: Path) -> dict[str, Any] | None:
    """Returns what is stored of an evaluation beside its scores; None if nothing is, as with earlier versions."""
    try:
        found = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
        # a setting that is younger than the evaluation had its default
        return {**found, "overrides": dict(found["overrides"]), "sampling": {**_DEFAULTS, **found["sampling"]}}
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _other_sampling(path: Path, own: Sampling, wanted: Sampling, registry: Registry) -> list[str]:
    """Lists the settings in which scores were sampled otherwise than is wanted.

    Beside them is ``about.json`` or, as in a cell of an ablation, ``config.yaml``. Scores that do not say how they were
    sampled count as those of the model's own settings.
    """
    if about := _about(path.parent):
        used = about["sampling"]
    else:
        known = (path.parent / CONFIG).is_file()
        used = deciding_sampling(folder_builder(path.parent, registry).experiment.sampling if known else own)
    return [f"sampling.{name}" for name, value in deciding_sampling(wanted).items() if used[name] != value]


def figures_of(
    path: Path, model: Path, registry: Registry, data: str = "", sampling: Sampling | None = None
) -> Figures:
    """Returns the figures of the pictures that a model restores with its own settings, or with another ``sampling``.

    ``data`` says what was scored, by default the scores' folder. Raises ConfigError if the file holds no scores, if
    their pictures were sampled in another way, or if none have the model's own steps and texture strength.
    """
    try:
        scores = read_scores(path)
    except FileNotFoundError:
        raise ConfigError(f"{path}: there is no such file") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{path}: these are no scores of an evaluation ({error})") from None
    own = folder_builder(model, registry).experiment.sampling
    if other := _other_sampling(path, own, sampling or own, registry):
        raise ConfigError(
            f"{path}: these pictures were not sampled as the exported model does it ({', '.join(other)}); evaluate the "
            "model with the same --set, and name those scores"
        )
    row = _own_row(scores, model, registry, sampling)
    if not row:
        raise ConfigError(
            f"{path}: no row has the model's steps and texture strength; its rows are "
            f"{', '.join(scores.methods()) or 'none'}; evaluate the model again"
        )
    shown = Scores(tuple(s for s in scores.scores if s.method in ("degraded", "predictor", row)), scores.better)
    return Figures(data or path.parent.name, row, len(shown.pictures()), shown.means()[row], scores_markdown(shown))


def _own_row(scores: Scores, model: Path, registry: Registry, sampling: Sampling | None) -> str:
    """Returns the row of the model's own steps and texture strength; empty if there is none."""
    builder = folder_builder(model, registry)
    settings = sampling or builder.experiment.sampling
    sampler = build_sampler(registry, settings, builder.build(PROCESS, "diffusion.process"))
    own = calls_per_picture(sampler, settings), settings.texture_strength
    # rows of controls, and of strengths that were chosen, have other names
    plain = (f"restored {own[0]} calls", f"restored {own[0]} calls w {own[1]:g}")
    found = (s.method for s in scores.scores if (s.calls, s.texture_strength) == own and s.method in plain)
    return next(found, "")
