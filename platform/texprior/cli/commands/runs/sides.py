"""Reads the two sides of a comparison: recorded runs, or folders of evaluations."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from texprior.cli.commands.runs.finding import find_run
from texprior.cli.commands.runs.settings import settings_in, settings_of, with_overrides
from texprior.cli.commands.runs.store import Store
from texprior.errors import ConfigError

if TYPE_CHECKING:
    from texprior.evaluation.scores import Scores

_SCORES, _CONFIG = "scores.csv", "config.yaml"


@dataclass(frozen=True)
class Side:
    """One side of a comparison."""

    name: str
    settings: dict[str, str]
    folder: Path | None
    """The folder with scores.csv, or None."""

    @property
    def scores(self) -> Scores | None:
        """The scores; None if none are stored. Raises ConfigError if they cannot be read."""
        return None if self.folder is None else scores_in(self.folder)


def scores_in(folder: Path) -> Scores:
    """Reads the scores of a folder. Raises ConfigError if they cannot be read."""
    from texprior.evaluation.scores import read_scores

    try:
        return read_scores(folder / _SCORES)
    except (OSError, ValueError, KeyError, TypeError, csv.Error) as error:
        reason = f"there is no column {error}" if isinstance(error, KeyError) else error
        raise ConfigError(f"{folder / _SCORES}: these scores cannot be read ({reason})") from None


def side_of(word: str, store: Callable[[], Store]) -> Side:
    """Returns a side: the folder with this path if it has scores.csv, else the recorded run that the word means.

    The settings of a folder are in it or, for the evaluation of a model, in the folder above, with those that the
    evaluation changed. Raises ConfigError.
    """
    from texprior.evaluation.about import overrides_in

    folder = Path(word)
    if (folder / _SCORES).is_file():
        files = [at / _CONFIG for at in (folder, folder.resolve().parent) if (at / _CONFIG).is_file()]
        own = settings_in(files[0]) if files else {}
        return Side(word, with_overrides(own, overrides_in(folder) or {}), folder)
    opened = store()
    run = find_run(opened, word)
    return Side(f"{run.name} ({run.id[:8]})", settings_of(opened, run), opened.folder_of(run, _SCORES))


@dataclass(frozen=True)
class Pairing:
    """The rows of restored pictures of two sides, as scores of the methods ``A`` and ``B``."""

    a: str
    """The method's name on the first side."""
    b: str
    scores: Scores


def pairings(a: Scores, b: Scores) -> list[Pairing]:
    """Pairs the restored rows of two evaluations by their names; without a common name, the last of each."""
    restored = [[m for m in side.methods() if m.startswith("restored")] for side in (a, b)]
    common = [(method, method) for method in restored[0] if method in restored[1]]
    last = [(restored[0][-1], restored[1][-1])] if all(restored) else []
    found = (Pairing(one, other, _paired(a, one, b, other)) for one, other in common or last)
    return [pairing for pairing in found if pairing.scores.scores]


def _paired(a: Scores, of_a: str, b: Scores, of_b: str) -> Scores:
    from texprior.evaluation.scores import Scores

    better = {metric: way for metric, way in a.better.items() if b.better.get(metric) == way}
    sides = (("A", a, of_a), ("B", b, of_b))
    common = set(a.pictures()) & set(b.pictures())
    scores = (
        replace(s, method=name)
        for name, side, method in sides
        for s in side.scores
        if s.method == method and s.metric in better and s.picture in common
    )
    return Scores(tuple(scores), better)


def same_inputs(a: Scores, b: Scores) -> bool:
    """Returns whether the degraded pictures that both evaluations restored have the same scores.

    Then they are the same pictures, degraded in the same way. True if a side has no row of them.
    """
    for metric in a.better.keys() & b.better.keys():
        ours, theirs = a.of("degraded", metric), b.of("degraded", metric)
        for picture in ours.keys() & theirs.keys():
            # files hold six digits; a metric may be computed in another order on another machine
            if not math.isclose(ours[picture], theirs[picture], rel_tol=1e-4, abs_tol=1e-6):
                return False
    return True
