"""Reads the figures of a model's card from the scores of an evaluation."""

from __future__ import annotations

from pathlib import Path

from texprior.config.schema import Sampling
from texprior.errors import ConfigError
from texprior.evaluation.scores import Scores, read_scores
from texprior.evaluation.tables import scores_markdown
from texprior.flow.kinds import PROCESS
from texprior.models.folders import folder_builder
from texprior.models.hub_card import Figures
from texprior.models.sampling import build_sampler, calls_per_picture
from texprior.registry import Registry

_SPLITS = ("test", "val")


def stored_scores(model: Path) -> Path | None:
    """Returns the scores of a model's own evaluation, on test if there are two; None if it has none."""
    files = (model / f"evaluation-{split}" / "scores.csv" for split in _SPLITS)
    return next((file for file in files if file.is_file()), None)


def figures_of(
    path: Path, model: Path, registry: Registry, data: str = "", sampling: Sampling | None = None
) -> Figures:
    """Returns the figures of the pictures that a model restores with its own settings, or with another ``sampling``.

    ``data`` says what was scored, by default the scores' folder. Raises ConfigError if the file holds no scores, or
    none with the model's own steps and texture strength.
    """
    try:
        scores = read_scores(path)
    except FileNotFoundError:
        raise ConfigError(f"{path}: there is no such file") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{path}: these are no scores of an evaluation ({error})") from None
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
