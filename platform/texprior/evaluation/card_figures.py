"""Reads the figures of a model's card from the scores of an evaluation."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from texprior.config.schema import Experiment, Sampling
from texprior.errors import ConfigError
from texprior.evaluation.about import overrides_in, overrides_of
from texprior.evaluation.scores import Scores, read_scores
from texprior.evaluation.tables import scores_markdown
from texprior.flow.kinds import PROCESS
from texprior.flow.sample import LayerSampler
from texprior.models.folders import CONFIG, folder_builder
from texprior.models.hub_card import Figures
from texprior.models.sampling import build_sampler, calls_per_picture
from texprior.registry import Registry

_SPLITS = ("test", "val")
_OF_ROWS = ("sampling.steps", "sampling.texture_strength")
"""Settings of which an evaluation has several rows."""


def own_figures(model: Path, registry: Registry, data: str = "", sampling: Sampling | None = None) -> Figures | None:
    """Returns the figures of a model's own evaluation, on test if there are two; None if it has none.

    With another ``sampling``, they are those of an evaluation in which only the sampling was changed, to this one.
    Raises ConfigError if the only evaluations of its own settings do not fit; see ``figures_of``.
    """
    folders = [f for split in _SPLITS for f in (model / f"evaluation-{split}", *model.glob(f"evaluation-{split}-*"))]
    for folder in sorted(folders, key=_order):
        with suppress(ConfigError):
            if _of_own_pictures(folder):
                return figures_of(folder / "scores.csv", model, registry, data, sampling)
    plain = (model / f"evaluation-{split}" / "scores.csv" for split in _SPLITS)
    file = next((file for file in plain if file.is_file()), None)
    # which says why it does not fit
    return figures_of(file, model, registry, data, sampling) if file else None


def _order(folder: Path) -> tuple[bool, str]:
    """Sorts evaluations of test before those of val, and those with nothing changed first."""
    return not folder.name.startswith("evaluation-test"), folder.name


def _of_own_pictures(folder: Path) -> bool:
    """Returns whether an evaluation changed at most how the model samples."""
    changed = overrides_in(folder)
    return folder.name.count("-") == 1 if changed is None else all(path.startswith("sampling.") for path in changed)


def _sampled_otherwise(folder: Path, own: Experiment, wanted: Sampling, registry: Registry) -> list[str]:
    """Lists the settings in which the scores of a folder were sampled otherwise than is wanted.

    Beside them is ``about.json`` or, as in a cell of an ablation, ``config.yaml``. Scores that do not say how they were
    sampled count as those of the model's own settings.
    """

    def sampling_of(changes: Mapping[str, Any]) -> dict[str, Any]:
        return {p: v for p, v in changes.items() if p.startswith("sampling.") and p not in _OF_ROWS}

    def changes_to(other: Sampling) -> dict[str, Any]:
        found = overrides_of(own.model_copy(update={"sampling": other}), own)
        return sampling_of({path: used for path, (_, used) in found.items()})

    changed, asked = overrides_in(folder), changes_to(wanted)
    if changed is not None:
        used = sampling_of(changed)
    else:
        known = (folder / CONFIG).is_file()
        used = changes_to(folder_builder(folder, registry).experiment.sampling) if known else {}
    return sorted(p for p in {*used, *asked} if p not in used or p not in asked or used[p] != asked[p])


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
    own = folder_builder(model, registry)
    wanted = sampling or own.experiment.sampling
    if other := _sampled_otherwise(path.parent, own.experiment, wanted, registry):
        raise ConfigError(
            f"{path}: these pictures were not sampled as the exported model does it ({', '.join(other)}); evaluate the "
            "model with the same --set, and name those scores"
        )
    row = _own_row(scores, build_sampler(registry, wanted, own.build(PROCESS, "diffusion.process")), wanted)
    if not row:
        raise ConfigError(
            f"{path}: no row has the model's steps and texture strength; its rows are "
            f"{', '.join(scores.methods()) or 'none'}; evaluate the model again"
        )
    shown = Scores(tuple(s for s in scores.scores if s.method in ("degraded", "predictor", row)), scores.better)
    return Figures(data or path.parent.name, row, len(shown.pictures()), shown.means()[row], scores_markdown(shown))


def _own_row(scores: Scores, sampler: LayerSampler, settings: Sampling) -> str:
    """Returns the row of these steps and this texture strength; empty if there is none."""
    own = calls_per_picture(sampler, settings), settings.texture_strength
    # rows of controls, and of strengths that were chosen, have other names
    plain = (f"restored {own[0]} calls", f"restored {own[0]} calls w {own[1]:g}")
    found = (s.method for s in scores.scores if (s.calls, s.texture_strength) == own and s.method in plain)
    return next(found, "")
