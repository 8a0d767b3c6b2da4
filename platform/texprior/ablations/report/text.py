"""Writes the sentences of a report.

They state which arms are separated from the baseline, and what the numbers depend on.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from texprior.ablations.comparison import Results
from texprior.config.schema import Experiment
from texprior.evaluation.tables import ARROWS

_DIRECTION = {"higher": "higher is better", "lower": "lower is better", "one": "closest to 1 is best"}

_HOW = (
    "The unit is the picture. Scores are averaged over an arm's {what}s picture by picture, and arms are paired "
    "with the baseline by picture. Intervals are 95 % two-way bootstrap intervals: pictures are resampled for both "
    "arms at once, {what}s within each arm separately (crossed design). From n units n - 1 are drawn, and the interval "
    "is stretched to Welch's degrees of freedom. p is from Wilcoxon's signed-rank test on the pictures' differences, "
    "corrected by Holm over the arms, metric by metric. An arm is called separated if the interval does not contain 0 "
    "and the corrected p is below .05. Arms are compared with the baseline only, not with each other."
)


def replicate_name(sampled: bool) -> str:
    """Returns the word for one repetition of an arm.

    It is a training, or a sampling of one trained model.
    """
    return "sampling" if sampled else "training"


def explain_method(sampled: bool) -> str:
    """Explains in one paragraph how the numbers are made."""
    return _HOW.format(what=replicate_name(sampled))


def answer_sentence(results: Results) -> str:
    """Answers in one sentence which arms are separated from the baseline.

    The ranking metric decides it. The sentence also names the arms that are not separated.
    """
    rows = results.table[results.metric]
    if results.baseline not in rows:
        return f"The baseline {results.baseline} has no {results.metric} to compare with: there is no answer."

    # an arm that is not separated is called neither better nor worse, although its mean is on one side
    groups: dict[str, list[str]] = {"better": [], "worse": [], "open": []}
    for arm in results.ranking():
        difference = rows[arm].difference
        if difference is not None:
            side = "better" if difference.better else "worse"
            groups[side if difference.separated else "open"].append(arm)

    verb = {name: "is" if len(arms) == 1 else "are" for name, arms in groups.items()}
    said = [
        f"{_list(groups[side])} {verb[side]} separated from {results.baseline}, and {side}"
        for side in ("better", "worse")
        if groups[side]
    ]
    if groups["open"]:
        said.append(f"{_list(groups['open'])} {verb['open']} not separated from {results.baseline}")
    return (
        f"By {results.metric} ({_DIRECTION[results.better[results.metric]]}): "
        f"{'; '.join(said) or 'no other arm has a score'}."
    )


def evidence_sentence(results: Results, split: str, sampled: bool = False) -> str:
    """States what the answer depends on.

    These are the pictures, the trainings of each arm, and the pictures that are left out.
    """
    rows, pictures = results.table[results.metric], len(results.pictures[results.metric])
    counts = sorted({row.trainings for row in rows.values()})
    runs = f"{counts[0]} to {counts[-1]}" if len(counts) > 1 else f"{counts[0] if counts else 0}"

    text = f"{pictures} picture{'s' * (pictures != 1)} of the split {split}, {runs} {replicate_name(sampled)}"
    text += f"{'s' * (runs != '1')} of each arm."
    if counts and counts[0] == 1:
        done = "sampled" if sampled else "trained"
        text += f" If an arm was {done} once, its interval does not include the luck of {replicate_name(sampled)}."

    left_out = {metric: n for metric, n in results.left_out.items() if n}
    for metric, n in left_out.items():
        text += f" {metric} leaves out {n} picture{'s' * (n != 1)} that some training has no score for."
    return text


def list_caveats(results: Results, arms: Sequence[Experiment], split: str, sampled: bool = False) -> list[str]:
    """Lists what a reader must know before using the answer."""
    found = []
    if sampled:
        found.append("All arms sample one trained model: what is true for it may not be true for another.")

    # one learning rate for all arms favours the arms that it happens to suit
    rates = {name: {getattr(e.training, name).lr for e in arms} for name in type(arms[0].training).model_fields}
    if not sampled and all(len(of_stage) == 1 for of_stage in rates.values()):
        found.append("All arms were trained with the same learning rates; none was tuned for its arm.")
    if len({e.degradation.model_dump_json() if e.degradation else "" for e in arms}) > 1:
        found.append("The arms restore different degradations: a difference may come from the task, not the method.")
    if split == "val":
        found.append("Judged on the split val, on which settings are chosen; the split test was not used.")

    # the smallest p of the signed-rank test is 2 / 2^n, and Holm multiplies it by the number of arms that are compared
    pictures, others = len(results.pictures[results.metric]), len(arms) - 1
    if others * 2.0 ** (1 - pictures) >= 0.05:
        tested = f"{others} arms" if others > 1 else "one arm"
        found.append(f"With {pictures} pictures and {tested} to compare, no corrected p can fall below .05.")
    return found


def metric_texts(results: Results, arm: str, metric: str) -> dict[str, str]:
    """Returns an arm's numbers in one metric as texts; empty if there are none."""
    found = results.of(arm, metric)
    if found is None:
        return {}
    texts = {
        "mean": f"{found.mean:#.4g}",
        "standard_error": format_number(found.standard_error, "#.2g"),
        "seed_sd": format_number(found.seed_sd, "#.2g"),
        "trainings": str(found.trainings),
    }
    if found.difference is not None:
        d = found.difference
        mean, low, high = results.shown(d, metric)
        verdict = ("better" if d.better else "worse") if d.separated else "not separated"
        interval = f"[{low:+#.3g}, {high:+#.3g}]" if math.isfinite(low) else ""
        texts |= {"difference": f"{mean:+#.3g}", "interval": interval, "p": format_number(d.p_holm, ".2g")}
        texts |= {"wins": f"{d.wins}/{d.pictures}", "verdict": verdict}
    return texts


def report_markdown(results: Results, split: str, sampled: bool = False) -> str:
    """Returns answer and table as Markdown, for a tracker's note."""
    heads = [
        "arm",
        f"{results.metric} {ARROWS[results.better[results.metric]]}",
        "seed sd",
        "difference",
        "95 % interval",
    ]
    heads += ["p (Holm)", "won", "verdict"]
    lines = [heads, ["---"] * len(heads), *ranking_rows(results)]
    text = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    answer, evidence = answer_sentence(results), evidence_sentence(results, split, sampled)
    return f"**{answer}**\n\n{evidence}\n\n{text}\n\n{explain_method(sampled)}"


def ranking_rows(results: Results) -> list[list[str]]:
    """Returns a row for each arm, the best arm first.

    The row has the arm's numbers in the ranking metric.
    """
    rows = []
    for arm in results.ranking():
        of = metric_texts(results, arm, results.metric)
        cells = [f"{of['mean']} ± {of['standard_error']}", of["seed_sd"]]
        cells += [of.get(name, "") for name in ("difference", "interval", "p", "wins")]
        rows.append([arm, *cells, "baseline" if arm == results.baseline else of.get("verdict", "")])
    return rows


def format_number(value: float, form: str) -> str:
    """Returns a number as text; a dash if it is not finite."""
    return format(value, form) if math.isfinite(value) else "-"


def _list(names: Sequence[str]) -> str:
    """Joins names to ``a, b and c``."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
