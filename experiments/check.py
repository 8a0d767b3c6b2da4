"""Scores the cheapest stored result of each study again, and compares it with what is stored.

    python experiments/check.py [STUDY ...] [--pictures N]

Run it at the top level of the repository, beside which the photographs are (``../shared/data``). The ``checks`` in a
record (``results/record.json``) say what is scored: the degraded pictures, which need no weights, and if weights are
stored the predictor and one restored row. Nothing is trained. Each check has a tolerance, and the known difference that
it follows from.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch

from texprior.config import load
from texprior.evaluation.evaluate import evaluate
from texprior.evaluation.metrics import build_metrics
from texprior.flow.degrade import degraded_sample
from texprior.flow.kinds import DEGRADATION
from texprior.flow.measure import measure
from texprior.models.folders import load_model
from texprior.registry import Registry
from texprior.runtime.session import Session

ROOT = Path("experiments")
PLAIN = ("metrics=[psnr, lpips_alex]", "events=[]", "device=cpu", "threads=1")
ONE_CALL = ("evaluation.steps=[1]", "evaluation.texture_strengths=[]", "evaluation.controls=false", "sampling.steps=1")
Values = dict[tuple[str, str, str], float]
"""(row, metric, picture) -> value."""


class Difference(NamedTuple):
    """The largest difference of a row and metric between now and what is stored."""

    row: str
    metric: str
    pictures: int
    largest: float
    tolerance: float

    @property
    def holds(self) -> bool:
        """Whether the stored result is what is scored now."""
        return self.pictures > 0 and self.largest <= self.tolerance


def studies() -> list[str]:
    """Lists the studies that have a record of stored results."""
    return sorted(path.parents[1].name for path in ROOT.glob("*/results/record.json"))


def read_record(study: str) -> dict[str, Any]:
    """Reads the record of a study's stored results."""
    record: dict[str, Any] = json.loads((ROOT / study / "results" / "record.json").read_text(encoding="utf-8"))
    return record


def run_check(study: str, check: Mapping[str, Any], pictures: int | None = None) -> list[Difference]:
    """Scores the rows of a check on the first pictures, and compares them with the stored ones."""
    results = ROOT / study / "results"
    limit = [] if pictures is None else [f"evaluation.limit={pictures}"]
    registry, model = Registry.discover(), check.get("model")
    experiment = load(results / check["config"], registry, [*PLAIN, *(ONE_CALL if model else ()), *limit], stored=True)
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        session = Session(experiment, registry, root=Path(folder))
        found = _with_model(session, results / model) if model else dict(_degraded(session))
    stored = _stored(results / check["scores"], check.get("where", {}), check["rows"])
    return [
        _difference(row, metric, found, stored, tolerance)
        for row in check["rows"]
        for metric, tolerance in check["tolerance"].items()
    ]


def unchecked_rows(study: str, check: Mapping[str, Any]) -> list[str]:
    """Lists the stored rows that a check does not score again."""
    with (ROOT / study / "results" / check["scores"]).open(encoding="utf-8", newline="") as file:
        lines = [line for line in csv.DictReader(file) if _is_chosen(line, check.get("where", {}))]
    return sorted({line["method"] for line in lines} - set(check["rows"].values()))


def _is_chosen(line: Mapping[str, str], where: Mapping[str, str]) -> bool:
    return all(line[column] == value for column, value in where.items())


def _with_model(session: Session, model: Path) -> Values:
    scores = evaluate(session, load_model(model, session.builder)).scores.scores
    return {(s.method, s.metric, s.picture): s.value for s in scores}


def _degraded(session: Session) -> Iterator[tuple[tuple[str, str, str], float]]:
    """Yields the scores of the degraded pictures, which depend on no weights."""
    experiment, choice = session.experiment, session.experiment.evaluation
    dataset, keys = session.pictures(choice.split)
    metrics, degradation = build_metrics(session).images, session.build(DEGRADATION)
    for key in keys[: choice.limit]:
        sample = dataset.load(key)
        degraded = degraded_sample(sample, degradation, choice.seed, bits=experiment.data.degraded_bits)
        for metric, value in measure(degraded[None], sample.clean[None], metrics, key).items():
            yield ("degraded", metric, key), float(value[0])


def _stored(path: Path, where: Mapping[str, str], rows: Mapping[str, str]) -> Values:
    """Reads the stored values under the names that the rows have now."""
    today = {stored: row for row, stored in rows.items()}
    with path.open(encoding="utf-8", newline="") as file:
        return {
            (today[line["method"]], line["metric"], line["picture"]): float(line["value"])
            for line in csv.DictReader(file)
            if line["method"] in today and _is_chosen(line, where)
        }


def _difference(row: str, metric: str, found: Values, stored: Values, tolerance: float) -> Difference:
    both = [key for key in found if key[:2] == (row, metric) and key in stored]
    largest = max((abs(found[key] - stored[key]) for key in both), default=float("nan"))
    return Difference(row, metric, len(both), largest, tolerance)


def main() -> int:
    """Checks the studies of the command line, or all; returns 1 if a stored result is not found again."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("studies", nargs="*", metavar="STUDY")
    parser.add_argument("--pictures", type=int, metavar="N", help="only the first N pictures")
    asked = parser.parse_args()
    fine = True
    for study in asked.studies or studies():
        for check in read_record(study)["checks"]:
            print(f"{study}/{check['scores']}: {check['because']}")
            for found in run_check(study, check, asked.pictures):
                fine = fine and found.holds
                state = f"  {'holds' if found.holds else 'DIFFERS'}: {found.row}, {found.metric}"
                print(f"{state}: at most {found.largest:.2g} on {found.pictures} pictures")
            # what holds must not be read as more than it is: without weights the rows of a model are not scored
            if rows := unchecked_rows(study, check):
                why = "they take longer" if check.get("model") else "no weights are stored"
                print(f"  not scored again ({why}): {', '.join(rows)}")
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main())
