"""Writes a sweep in words and as CSV.

These are the note of its run, the outcome of a trial, and every trial as a line.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from texprior.config.dotted_paths import shortest_suffix
from texprior.config.schema import component_paths
from texprior.evaluation.scores import loss_of
from texprior.runtime.text_tables import csv_text, markdown_table
from texprior.sweeps.records import Better, StudyDone, TrialRecord

_DIRECTION = {"higher": "higher is better", "lower": "lower is better", "one": "1 is best"}


def describe_outcome(trial: TrialRecord, objectives: Mapping[str, Better]) -> str:
    """Returns a trial's outcome in words."""
    values = [f"{m} {trial.values[m]:.4g} ({b} is better)" for m, b in objectives.items() if m in trial.values]
    return f"{trial.state}, {', '.join(values) or trial.reason}"


def sweep_note(done: StudyDone) -> str:
    """Returns Markdown: the best trial, what fresh seeds confirmed, the front, and which parameters mattered."""
    metric, better = next(iter(done.objectives.items()))
    best = done.best
    sections = [
        f"Best of the sweep by {metric} ({better} is better): trial {best.number}",
        _table(["parameter", "value"], [[path, value] for path, value in best.params.items()]),
    ]
    if done.confirmed:
        sections += [
            "Its metrics on val, as means over fresh seeds, and in the training whose selection among all flatters it:",
            _table(
                ["metric", "fresh seeds", "selected training"],
                [[name, value, best.values.get(name, "")] for name, value in done.values.items()],
            ),
        ]
        rows = [[c.trial, ", ".join(map(str, c.seeds)), c.mean, c.deviation] for c in done.confirmed]
        sections += [
            f"Trained again with fresh seeds, {metric} on val:",
            _table(["trial", "seeds", "mean", "deviation over seeds"], rows),
        ]
    else:
        sections += [
            _table(["metric", "mean on val"], [[name, value] for name, value in done.values.items()]),
            "Not confirmed with fresh seeds: one training each, chosen among all, which flatters the best.",
        ]
    methods = method_rows(done)
    names = list(next(iter(methods.values())))
    sections += [
        "The same pictures of val before and after the prior:",
        _table(
            ["method", *names], [[method, *(row.get(name, "") for name in names)] for method, row in methods.items()]
        ),
        *filter(None, [predictor_warning(done)]),
    ]
    if len(done.objectives) > 1:
        rows = [[t.number, *(t.values[o] for o in done.objectives)] for t in done.front]
        sections += ["Front: no trial is better in every objective.", _table(["trial", *done.objectives], rows)]
    for group, shares in done.importance.items():
        rows = [[path, share] for path, share in shares.items()]
        of = "all trials" if group == "all" else f"the trials of {group}"
        sections += [
            f"Share of the spread of {metric} over {of} (functional ANOVA):",
            _table(["parameter", "share"], rows),
        ]
    return "\n\n".join(sections)


def method_rows(done: StudyDone) -> dict[str, Mapping[str, float]]:
    """Returns method -> metric -> mean on val.

    The methods are the degraded pictures, the predictor and the best trial.
    """
    given = {method: done.metrics[method] for method in ("degraded", "predictor") if method in done.metrics}
    metrics = list(dict.fromkeys(metric for row in given.values() for metric in row))
    return {**given, f"trial {done.best.number}": {m: done.values[m] for m in metrics if m in done.values}}


def predictor_warning(done: StudyDone) -> str:
    """Returns a warning if the best trial is worse than its own predictor.

    The searched metric decides. If the trial is not worse, the text is empty.
    """
    metric, better = next(iter(done.objectives.items()))
    predicted, best = done.metrics.get("predictor", {}).get(metric), done.values.get(metric)
    if predicted is None or best is None or loss_of(better, best) <= loss_of(better, predicted):
        return ""
    return (
        f"Trial {done.best.number} is the best of the sweep, but worse than its own predictor: {metric} {best:.4g} "
        f"against {predicted:.4g} ({_DIRECTION[better]}). Do not use it as it is: train longer, search other settings, "
        "or lower sampling.texture_strength."
    )


def short_configuration(params: Mapping[str, Any]) -> str:
    """Returns a trial's parameters in short.

    It names components by name, options by the shortest unique end of their path.
    """
    components = component_paths()
    texts = {path: f"{value:.3g}" if isinstance(value, float) else str(value) for path, value in params.items()}
    return " ".join(
        text if path in components else f"{shortest_suffix(path, params)}={text}" for path, text in texts.items()
    )


def trials_csv(done: StudyDone) -> bytes:
    """Returns number, state, reason, seconds, every parameter and every value of every trial as CSV."""
    params = list(dict.fromkeys(p for t in done.trials for p in t.params))
    values = list(dict.fromkeys(v for t in done.trials for v in t.values))
    rows: list[list[object]] = [["trial", "state", "reason", "seconds", *params, *values]]
    for t in done.trials:
        row = [t.number, t.state, t.reason, f"{t.seconds:.1f}"]
        rows.append([*row, *(t.params.get(p, "") for p in params), *(_cell(t.values, v) for v in values)])
    return csv_text(rows)


def _cell(values: Mapping[str, float], name: str) -> str:
    return f"{values[name]:.6g}" if name in values else ""


def _table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    return markdown_table(columns, [[f"{v:.6g}" if isinstance(v, float) else str(v) for v in row] for row in rows])
