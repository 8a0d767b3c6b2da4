"""States what the trainings of each arm cost, with and without the prior, which several tasks can share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from texprior.ablations.arms import Arm
from texprior.ablations.budgets import missing_rival
from texprior.ablations.cells import Outcome, outcome_of
from texprior.ablations.comparison import Results
from texprior.ablations.plan import Plan
from texprior.ablations.report.text import list_caveats
from texprior.config.schema import Training
from texprior.training.compute import STAGES, images_seen, predictors_of

ALIKE = 1.02
"""Arms of which one costs at most 2 % more than another cost the same: budgets are whole batches."""
_PREFIXES = ((1e18, "E"), (1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"))


def flops_of(outcomes: Iterable[Outcome]) -> dict[str, float]:
    """Returns training -> FLOPs, by the images that it saw, of the first of an arm's cells that knows them."""
    known = next((o for o in outcomes if o.status == "finished" and o.flops), None)
    if known is None:
        return {}
    return {stage: float(known.flops[stage] * known.images.get(stage, 0)) for stage in STAGES}


def flops_by_arm(plan: Plan) -> dict[str, dict[str, float]]:
    """Returns arm -> training -> FLOPs, for the arms whose cells know them."""
    found = {arm.name: flops_of(filter(None, map(outcome_of, plan.of(arm.name)))) for arm in plan.arms}
    return {arm: flops for arm, flops in found.items() if flops}


def compute_rows(flops: Mapping[str, Mapping[str, float]]) -> list[list[str]]:
    """Returns a row for each arm: FLOPs of each training, of all, and of all without the prior."""
    rows = []
    for arm, of_arm in flops.items():
        numbers = [*of_arm.values(), sum(of_arm.values()), sum(of_arm.values()) - of_arm["prior"]]
        rows.append([arm, *map(format_flops, numbers)])
    return rows


def compute_numbers(outcomes: Iterable[Outcome]) -> dict[str, float]:
    """Returns an arm's FLOPs for a tracker; empty if they are not known."""
    flops = flops_of(outcomes)
    if not flops:
        return {}
    total = sum(flops.values())
    return {"compute/flops": total, "compute/flops_without_prior": total - flops["prior"]}


def format_flops(flops: float) -> str:
    """Returns FLOPs with three digits and a prefix, such as ``1.57 GFLOP``; a dash for none."""
    for size, prefix in _PREFIXES:
        if flops >= size:
            return f"{flops / size:#.3g}".rstrip(".") + f" {prefix}FLOP"
    return f"{flops:.0f} FLOP" if flops else "-"


def caveats_of(plan: Plan, results: Results) -> list[str]:
    """Lists what a reader must know before using the answer, about trainings, pictures and compute."""
    ablation, arms = plan.session.experiment.ablation, [arm for arm in plan.arms if not arm.alone]
    found = list_caveats(results, [arm.experiment for arm in arms], ablation.split, ablation.model is not None)
    if ablation.foreign:
        found.append(
            f"{', '.join(ablation.foreign)}: pictures from files, whose values are rounded. The luck of their "
            "training is not known, nor what they were trained on."
        )
    started = [arm.name for arm in plan.arms if any(stage.start_from for stage in _stages_of(arm))]
    if started and ablation.model is None:
        found.append(
            f"Compute is that of these trainings. {', '.join(started)}: what the weights cost that they started from "
            "(start_from) is not counted."
        )
    found += _prepared_anew(arms) if ablation.model is None else []
    flops = flops_by_arm(plan)
    found += [f"{note[0].upper()}{note[1:]}." for note in [missing_rival(plan.session, plan.arms)] if note]
    found += _unequal([sum(flops[arm.name].values()) for arm in arms if arm.name in flops], ablation.equal)
    return found + _prior_share(plan, flops)


def _stages_of(arm: Arm) -> list[Training]:
    """Returns the settings of an arm's trainings; the predictor alone has one."""
    return [getattr(arm.experiment.training, stage) for stage in (("predictor",) if arm.alone else STAGES)]


def _prepared_anew(arms: Sequence[Arm]) -> list[str]:
    """Says which arms prepare whole photographs at each visit, which no count of FLOPs has."""
    anew = [a.name for a in arms if a.experiment.data.variants is None and a.experiment.degradation is not None]
    if not anew:
        return []
    return [
        f"{', '.join(anew)}: with data.variants: null, the predictor's estimate and the semantic code of a whole "
        "photograph are computed anew for each visit. The compute of the trainings does not count this, and it can be "
        "several times as much."
    ]


def _unequal(totals: Sequence[float], equal: str | None) -> list[str]:
    """Says that arms do not cost the same."""
    if not totals or max(totals) <= ALIKE * min(totals):
        return []
    cost = f"The arms' trainings cost from {format_flops(min(totals))} to {format_flops(max(totals))}"
    if equal == "images":
        return [f"{cost}: as many images, but not the same compute."]
    return [f"{cost}; ablation.equal gives all arms the compute of the baseline."]


def _prior_share(plan: Plan, flops: Mapping[str, Mapping[str, float]]) -> list[str]:
    """Says what the predictor alone would have without the prior's share of the compute."""
    rival = next((arm for arm in plan.arms if arm.alone), None)
    of_baseline = flops.get(plan.baseline.name)
    if rival is None or of_baseline is None:
        return []
    images = next(iter(rival.budgets.values()))
    trained = plan.baseline.experiment.training
    if plan.session.experiment.ablation.equal == "images":
        times = {"predictor": predictors_of(plan.baseline.experiment)}
        counted = {
            stage: float(times.get(stage, 1) * images_seen(getattr(trained, stage)))
            for stage, cost in of_baseline.items()
            if cost
        }
    else:
        counted = dict(of_baseline)
    share = counted.get("prior", 0.0) / sum(counted.values())
    return [
        f"The predictor alone was trained on {images:,} images, for the baseline's prior, predictor and adapter "
        f"together. The prior is {share:.0%} of that, and many tasks can share one prior: without its share the "
        f"predictor alone would have {images * (1 - share):,.0f} images."
    ]
