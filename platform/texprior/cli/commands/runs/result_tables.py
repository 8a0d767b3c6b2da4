"""Makes tables of what runs found: evaluations by method, a sweep's trials, an ablation's arms."""

from __future__ import annotations

import csv
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from texprior.cli.commands.runs.recorded import PARENT, SHORT, STAGE, Recorded
from texprior.cli.commands.runs.sides import scores_in
from texprior.cli.commands.runs.store import Store
from texprior.errors import ConfigError

if TYPE_CHECKING:
    from texprior.evaluation.scores import Mean


@dataclass(frozen=True)
class Value:
    """A number with its standard error and its 95 % interval, as far as they are known; else NaN."""

    value: float
    error: float = math.nan
    low: float = math.nan
    high: float = math.nan
    pictures: float = math.nan
    """How many pictures it is the mean of, if these are not all of its row."""


def value_of(mean: Mean, incomplete: bool) -> Value:
    """Returns a mean as a value; ``incomplete`` says whether its metric leaves pictures of the row out."""
    pictures = mean.pictures if incomplete else math.nan
    return Value(mean.mean, mean.standard_error, mean.low, mean.high, pictures)


def titled(title: str, left_out: Mapping[str, int]) -> str:
    """Returns a title that says how many pictures each metric leaves out, for a table that counts all of a row."""
    return "; ".join([title, *(f"{metric} leaves out {count} of the pictures" for metric, count in left_out.items())])


@dataclass(frozen=True)
class ResultTable:
    """Rows of labels and values."""

    title: str
    labels: list[str]
    """The heads of the columns that name a row."""
    better: dict[str, str]
    """Column of values -> ``higher``, ``lower`` or ``one``; empty if no value is better than another."""
    rows: Sequence[tuple[list[str], Mapping[str, Value]]] = ()

    def best(self, column: str) -> float:
        """Returns the best value of a column; NaN if it has no direction or fewer than two values."""
        from texprior.evaluation.scores import loss_of

        found = [row[column].value for _, row in self.rows if column in row and math.isfinite(row[column].value)]
        way = self.better[column]
        return min(found, key=lambda value: loss_of(way, value)) if way and len(found) > 1 else math.nan


def tables_of(store: Store, runs: Sequence[Recorded]) -> list[ResultTable]:
    """Returns the tables of runs: one for all evaluations, trials and cells, and one for each sweep and ablation.

    Raises ConfigError if a run has nothing to show in a table.
    """
    tables, judged, empty = [], [], []
    for run in runs:
        if found := _arms(store, run) or _trials(store, run):
            tables.append(found)
        elif store.folder_of(run) is not None:
            judged.append(run)
        else:
            empty.append(f"{run.id[:SHORT]} '{run.name}'")
    if empty:
        raise ConfigError(f"no scores, trials or arms are stored with {', '.join(empty)}; leave it out")
    return [*([_evaluations(store, judged)] if judged else []), *tables]


def _evaluations(store: Store, runs: Sequence[Recorded]) -> ResultTable:
    """Returns the means of every method of every run, each over the pictures of its run that are complete."""
    counts, rows, better = Counter(run.name for run in runs), [], dict[str, str]()
    left_out: dict[str, int] = {}
    for run in runs:
        folder = store.folder_of(run)
        assert folder is not None
        scores = scores_in(folder)
        better |= scores.better
        name = run.name if counts[run.name] == 1 else f"{run.name} ({run.id[:SHORT]})"
        incomplete = scores.incomplete()
        for method, row in scores.summary().items():
            values = {m: value_of(v, m in incomplete) for m, v in row.items()}
            rows.append(([name, method, str(len(scores.pictures()))], values))
        left_out |= {f"{metric} of {name}": count for metric, count in incomplete.items()}
    return ResultTable(titled("Evaluations", left_out), ["run", "method", "pictures"], better, rows)


def _trials(store: Store, run: Recorded) -> ResultTable | None:
    """Returns the trials of a sweep with what they searched; None for a run without trials."""
    trials = list(store.search(f"tags.`{PARENT}` = '{run.id}' AND tags.`{STAGE}` = 'trial'"))
    if not trials:
        return None
    trials.reverse()
    searched = _union(trial.params for trial in trials)
    # what a rung measured is in ``val.METRIC``, and the last of it is in METRIC too
    measured = [name for name in _union(trial.metrics for trial in trials) if not name.startswith("val.")]
    folder = next((at for trial in trials if (at := store.folder_of(trial)) is not None), None)
    ways = scores_in(folder).better if folder else {}
    rows = [
        (
            [trial.name, trial.status, *(trial.params.get(path, "") for path in searched)],
            {name: Value(value) for name, value in trial.metrics.items() if name in measured},
        )
        for trial in trials
    ]
    better = {name: ways.get(name, "") for name in (*ways, *measured) if name in measured}
    return ResultTable(f"Trials of {run.name}", ["trial", "status", *searched], better, rows)


def _arms(store: Store, run: Recorded) -> ResultTable | None:
    """Returns the arms of an ablation, with their differences from the baseline; None for a run without arms."""
    file = store.file_of(run, "summary.csv")
    if file is None:
        return None
    try:
        with file.open(encoding="utf-8", newline="") as lines:
            found = list(csv.DictReader(lines))
        better, rows = dict[str, str](), dict[str, dict[str, Value]]()
        for line in found:
            metric, difference = line["metric"], f"{line['metric']} - {line['baseline']}"
            better |= {metric: line["better"], difference: ""}
            row = rows.setdefault(line["arm"], {})
            row[metric] = Value(float(line["mean"]), float(line["standard_error"]))
            if line["difference"]:
                row[difference] = Value(*(float(v) for v in (line["difference"], "nan", line["low"], line["high"])))
    except (OSError, ValueError, KeyError, csv.Error) as error:
        raise ConfigError(f"{file}: these arms cannot be read ({error})") from None
    return ResultTable(f"Arms of {run.name}", ["arm"], better, [([arm], row) for arm, row in rows.items()])


def _union(mappings: Iterable[Mapping[str, object]]) -> list[str]:
    return list(dict.fromkeys(key for mapping in mappings for key in mapping))
