"""Writes the sentences of a report.

They state which arms are separated from the baseline, and what the numbers depend on.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from texprior.ablations.comparison import Results
from texprior.ablations.statistics import Difference, least_t
from texprior.config.combinations import STAGES
from texprior.config.schema import Experiment
from texprior.evaluation.intervals import FEWEST, NO_INTERVAL
from texprior.evaluation.tables import ARROWS

NOT_SEPARATED = "not separated"

_NAMED = 4
"""How many arms a sentence names; of more it says the number."""
_DIRECTION = {"higher": "higher is better", "lower": "lower is better", "one": "closest to 1 is best"}

_HOW = (
    "The unit is the picture. Scores are averaged over an arm's {what}s picture by picture, and arms are paired with "
    "the baseline by picture. p is two-sided, from Student's t: the mean difference over its standard error, whose "
    "square is the sum of three variances, of the pictures, of the arm's {what}s and of the baseline's {what}s, with "
    "Welch's degrees of freedom. It is corrected by Holm over the arms that are tested, metric by metric. An arm is "
    "called separated if the corrected p is below .05. {few} Intervals are 95 % two-way bootstrap intervals of one arm "
    "each: pictures are resampled for both arms at once, {what}s within each arm separately (crossed design). From n "
    "units n - 1 are drawn, and the interval is stretched to Welch's degrees of freedom; there is {no_interval}. Arms "
    "are compared with the baseline only, not with each other."
)
_FEW = {
    False: "An arm is not tested if it or the baseline has one training: that says nothing about the luck of training.",
    True: "With one sampling of each arm, the test is about the pictures only.",
}


def replicate_name(sampled: bool) -> str:
    """Returns the word for one repetition of an arm.

    It is a training, or a sampling of one trained model.
    """
    return "sampling" if sampled else "training"


def explain_method(sampled: bool) -> str:
    """Explains in one paragraph how the numbers are made."""
    return _HOW.format(what=replicate_name(sampled), few=_FEW[sampled], no_interval=NO_INTERVAL)


def rival_sentence(results: Results) -> str:
    """States whether the baseline beats the predictor alone with the same compute.

    The sentence is empty without the arm of the predictor alone, or without a score of the baseline.
    """
    rows = results.table[results.metric]
    if not results.rival or results.baseline not in rows:
        return ""
    same = "With the same compute" if results.unit == "flops" else "Trained on as many images"
    begin = f"{same}, the {results.rival}"
    if results.rival not in rows:
        return f"{begin} has no {results.metric} yet."
    texts, difference = metric_texts(results, results.rival, results.metric), rows[results.rival].difference
    interval = f", {texts['interval']}" if texts["interval"] else ""
    verdict = f"{results.baseline} is not separated from it"
    if difference is not None and difference.not_tested:
        verdict = f"the difference is {verdict_of(difference)}"
    elif difference is not None and difference.separated:
        verdict = f"{results.baseline} {'loses' if difference.better else 'wins'}"
    return (
        f"{begin} scores {texts['mean']} {results.metric} (difference from {results.baseline} "
        f"{texts['difference']}{interval}): {verdict}."
    )


def answer_sentence(results: Results) -> str:
    """Answers which arms are separated from the baseline, first of all the predictor alone.

    The ranking metric decides it. The sentence also names the arms that are not separated or not tested.
    """
    rows = results.table[results.metric]
    if results.baseline not in rows:
        return f"The baseline {results.baseline} has no {results.metric} to compare with: there is no answer."

    # an arm that is not separated is called neither better nor worse, although its mean is on one side
    groups: dict[str, list[str]] = {}
    for arm in results.ranking():
        difference = rows[arm].difference
        if difference is not None and arm != results.rival:
            groups.setdefault(verdict_of(difference), []).append(arm)
    words = {side: f"separated from {results.baseline}, and {side}" for side in ("better", "worse")}
    words[NOT_SEPARATED] = f"{NOT_SEPARATED} from {results.baseline}"
    words |= {verdict: verdict for verdict in groups if verdict not in words}
    said = [
        f"{_some(groups[verdict])} {'is' if len(groups[verdict]) == 1 else 'are'} {phrase}"
        for verdict, phrase in words.items()
        if verdict in groups
    ]
    if groups.keys() == {NOT_SEPARATED} and len(groups[NOT_SEPARATED]) > _NAMED:
        said = [f"none of the {len(groups[NOT_SEPARATED])} other arms is separated from {results.baseline}"]
    rival, by = rival_sentence(results), f"By {results.metric} ({_DIRECTION[results.better[results.metric]]}): "
    # an ablation may compare nothing else
    if rival and not said:
        return rival
    return f"{rival} {by}{'; '.join(said) or 'no other arm has a score'}.".lstrip()


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
        text += f" If an arm was {done} once, its interval does not include the luck of {replicate_name(sampled)}"
        text += "." if sampled else ", and it is not tested."

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
    rates = {name: {getattr(e.training, name).lr for e in arms} for name in STAGES}
    if not sampled and all(len(of_stage) == 1 for of_stage in rates.values()):
        found.append("All arms were trained with the same learning rates; none was tuned for its arm.")
    if len({e.degradation.model_dump_json() if e.degradation else "" for e in arms}) > 1:
        found.append("The arms restore different degradations: a difference may come from the task, not the method.")
    if split == "val":
        found.append("Judged on the split val, on which settings are chosen; the split test was not used.")

    found += [
        f"{metric} leaves out {', '.join(missing)}: some {replicate_name(sampled)} has no finite score in it."
        for metric, missing in results.unscored.items()
        if missing
    ]
    found += _few_units(results, sampled)
    return found


def _few_units(results: Results, sampled: bool) -> list[str]:
    """Returns what limits a test of few trainings or of few pictures."""
    rows = results.table[results.metric]
    tested = [arm for arm, row in rows.items() if row.difference is not None and not row.difference.not_tested]
    if not tested:
        return []
    found, what = [], replicate_name(sampled)
    arms = f"{len(tested)} arms" if len(tested) > 1 else "one arm"

    # two values say little about their spread, and Student's t of few degrees of freedom makes up for it
    freedom = min(rows[arm].trainings for arm in tested) + rows[results.baseline].trainings - 2
    if 0 < freedom < 4:
        needed = least_t(freedom, len(tested))
        found.append(
            f"With {freedom + 2} {what}s in an arm and the baseline together and {arms} to test, a difference whose "
            f"uncertainty comes from the {what}s is separated only beyond {needed:.2g} standard errors."
        )
    pictures = len(results.pictures[results.metric])
    if pictures < FEWEST:
        found.append(f"With {pictures} pictures the test is right only if differences are normally distributed.")
    return found


def verdict_of(difference: Difference) -> str:
    """Returns the verdict on the difference of an arm.

    It is ``better`` or ``worse`` if the arm is separated. Else it states that the arm is not, or why it is not tested.
    """
    if difference.not_tested:
        return f"not tested: {difference.not_tested}"
    return ("better" if difference.better else "worse") if difference.separated else NOT_SEPARATED


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
        interval = f"[{low:+#.3g}, {high:+#.3g}]" if math.isfinite(low) else ""
        texts |= {"difference": f"{mean:+#.3g}", "interval": interval, "p": format_number(d.p_holm, ".2g")}
        texts |= {"wins": f"{d.wins}/{d.pictures}", "verdict": verdict_of(d)}
    return texts


def report_markdown(results: Results, split: str, sampled: bool = False) -> str:
    """Returns answer and table as Markdown, for a tracker's note."""
    heads = ranking_heads(results)
    lines = [heads, ["---"] * len(heads), *ranking_rows(results)]
    text = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    answer, evidence = answer_sentence(results), evidence_sentence(results, split, sampled)
    return f"**{answer}**\n\n{evidence}\n\n{text}\n\n{explain_method(sampled)}"


def ranking_heads(results: Results) -> list[str]:
    """Returns the headings of ``ranking_rows``."""
    metric = f"{results.metric} {ARROWS[results.better[results.metric]]}"
    return ["arm", metric, "difference", "95 % interval", "p (Holm)", "verdict", "won", "seed sd"]


def ranking_rows(results: Results) -> list[list[str]]:
    """Returns a row for each arm, the best arm first.

    The row has the arm's numbers in the ranking metric.
    """
    rows = []
    for arm in results.ranking():
        of = metric_texts(results, arm, results.metric)
        verdict = "baseline" if arm == results.baseline else of.get("verdict", "")
        tested = [of.get(name, "") for name in ("difference", "interval", "p")]
        mean = f"{of['mean']} ± {of['standard_error']}"
        rows.append([arm, mean, *tested, verdict, of.get("wins", ""), of["seed_sd"]])
    return rows


def format_number(value: float, form: str) -> str:
    """Returns a number as text; a dash if it is not finite."""
    return format(value, form) if math.isfinite(value) else "-"


def _some(arms: Sequence[str]) -> str:
    """Names a few arms, the best first; of many, how many there are and the first two."""
    return _list(arms) if len(arms) <= _NAMED else f"{len(arms)} arms ({', '.join(arms[:2])}, ...)"


def _list(names: Sequence[str]) -> str:
    """Joins names to ``a, b and c``."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
