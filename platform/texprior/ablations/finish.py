"""Finishes an ablation.

The first process to come writes the report and closes the runs, once.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image
from torch import Tensor

from texprior._version import __version__
from texprior.ablations.cells import OUTCOME, SCORES, Outcome, outcome_of
from texprior.ablations.comparison import Results, mean_loss
from texprior.ablations.plan import Plan, finished_results, is_finished
from texprior.ablations.report import text
from texprior.ablations.report.compute import compute_numbers
from texprior.ablations.report.crops import Crop, Picture
from texprior.ablations.report.page import REPORT, Report, write_report
from texprior.flow.image import from_pil, load_image
from texprior.locks import hold_lock
from texprior.plugin.added import DIGEST
from texprior.runtime.notebook import data_frame, html_table
from texprior.store import write_atomically
from texprior.track import Run

if TYPE_CHECKING:
    import pandas

_RECORD = "report.json"
"""The file next to the report that says which outcomes the report is made of, and where its run is shown."""


@dataclass(frozen=True)
class AblationDone:
    """An ablation's comparison and its report.

    It also says where the tracker shows the run of the whole ablation.
    """

    plan: Plan
    results: Results
    outcomes: list[Outcome]
    page: Path
    run: Mapping[str, str]

    def __repr__(self) -> str:
        return f"AblationDone({len(self.outcomes)} cells, {len(self.failed)} failed, report {self.page})"

    def _repr_html_(self) -> str:
        """Shows the answer and the arms in a notebook, the best first."""
        heads, rows = text.ranking_heads(self.results), text.ranking_rows(self.results)
        return html_table(text.answer_sentence(self.results), heads, rows)

    def to_pandas(self) -> pandas.DataFrame:
        """Returns a data frame with a row for each arm, metric, training (from 0 on) and picture, and its value."""
        values, pictures = self.results.values, self.results.pictures
        rows = (
            (arm, metric, training, picture, float(value))
            for metric, arms in values.items()
            for arm, scores_SN in arms.items()
            for training, row in enumerate(scores_SN)
            for picture, value in zip(pictures[metric], row, strict=True)
        )
        return data_frame(["arm", "metric", "training", "picture", "value"], rows)

    @property
    def failed(self) -> list[Outcome]:
        """The outcomes of the cells that failed."""
        return [outcome for outcome in self.outcomes if outcome.status == "failed"]

    @property
    def broken(self) -> dict[str, str]:
        """Photographs that could not be read, and why."""
        return {key: why for outcome in self.outcomes for key, why in outcome.broken.items()}


def finish_ablation(plan: Plan, command: str, interim: bool = False) -> AblationDone:
    """Writes the report of the cells that have ended, and closes the runs.

    ``interim`` leaves the runs open, because other processes may still run cells. A report of the same outcomes that
    is already there is not made again.
    """
    outcomes = [outcome for cell in plan.cells if (outcome := outcome_of(cell)) is not None]
    found, digest = finished_results(plan), _digest(plan)

    # the lock protects the report and its record: processes that end together would all write it and make a run each
    with hold_lock(plan.folder / ".report.lock"):
        known = _known(plan.folder / _RECORD, digest)
        if known is None:
            # the page becomes another one: if this stops, or is interim, no record may say that it is the old one
            (plan.folder / _RECORD).unlink(missing_ok=True)
            report = write_report(plan, found, command)
            known = {} if interim else _close(plan, found, outcomes, report, digest)
            # the record comes last: after an interruption the report is made again, with the same run
            if not interim:
                write_atomically(plan.folder / _RECORD, json.dumps({"of": digest, "run": known}, indent=2).encode())
    return AblationDone(plan, found, outcomes, plan.folder / REPORT, known)


def _digest(plan: Plan) -> str:
    """Hashes what the report depends on: the ablation's section, this program's version, outcomes and scores."""
    digest = hashlib.sha256(plan.session.experiment.ablation.model_dump_json(context=dict(DIGEST)).encode())
    digest.update(b"\0" + __version__.encode())
    # one file after the other: together, the scores of many arms and pictures are gigabytes
    for path in (cell.folder / name for cell in plan.cells for name in (OUTCOME, SCORES)):
        if path.is_file():
            digest.update(b"\0" + path.read_bytes())
    for scores in plan.foreign().values():
        digest.update(b"\0" + repr(scores.scores).encode())
    return digest.hexdigest()


def _known(record: Path, digest: str) -> dict[str, str] | None:
    """Returns where the run is shown; None if there is no report, or if it is of other outcomes."""
    if not (record.is_file() and record.with_name(REPORT).is_file()):
        return None
    stored = json.loads(record.read_text(encoding="utf-8"))
    run: dict[str, str] = stored["run"]
    return run if stored["of"] == digest else None


def _close(plan: Plan, found: Results, outcomes: list[Outcome], report: Report, digest: str) -> dict[str, str]:
    """Ends the arms' runs, and makes the run of the whole ablation."""
    for arm in plan.arms:
        _close_arm(plan, found, arm.name, report.crops)

    # the id holds the outcomes' digest: a report of other outcomes, whose winner may differ, is another run
    # the best of the arms: what another program restored has no experiment
    best = next((name for name in found.ranking() if plan.of(name)), plan.baseline.name)
    session = plan.session.with_(experiment=plan.of(best)[0].experiment)
    name = f"ablation: {plan.session.experiment.name}"
    info = session.run_info(f"ablation-{plan.digest}-{digest[:10]}", name, "ablation", True, **plan.tags())
    with session.tracker.run(replace(info, params={**info.params, "arm": best})) as run:
        _write_up(run, plan, found, report, best)
        failed = [outcome for outcome in outcomes if outcome.status == "failed"]
        if failed:
            run.finish("failed", "\n\n".join(f"{o.arm}, seed {o.seed} failed: {o.reason}" for o in failed))
        return run.where()


def _write_up(run: Run, plan: Plan, found: Results, report: Report, best: str) -> None:
    """Writes the answer to the run of the whole ablation: the note, the winner's numbers, the figures, the files."""
    # in the tracker
    ablation = plan.session.experiment.ablation
    run.notes.append(text.report_markdown(found, ablation.split, ablation.model is not None))
    for metric, rows in found.table.items():
        if best in rows:
            run.summary[f"winner/{metric}"] = rows[best].mean
    for picture in report.figures:
        run.image(f"report/{picture.stem}", load_image(picture))
    for crop in report.crops:
        run.image(f"pictures/{crop.picture}", _tensor(crop.versions[best]))

    # as files: each experiment can be started again as it is, which the predictor alone cannot
    files = {"ablation.yaml": plan.session.experiment}
    if not next(arm for arm in plan.arms if arm.name == best).alone:
        files["best.yaml"] = plan.of(best)[0].experiment
    (plan.folder / "best.yaml").unlink(missing_ok=True)
    for name, experiment in files.items():
        write_atomically(plan.folder / name, experiment.to_yaml().encode())
    for path in (report.page, *report.figures, *report.tables, *(plan.folder / name for name in files)):
        run.artifact(path)


def _close_arm(plan: Plan, found: Results, name: str, crops: list[Crop]) -> None:
    """Writes an arm's means, differences and crops to its run, which fails if one of the arm's cells failed."""
    arm = next(arm for arm in plan.arms if arm.name == name)
    ended = [outcome for cell in plan.of(name) if (outcome := outcome_of(cell)) is not None]
    reasons = [f"seed {o.seed}: {o.reason}" for o in ended if not is_finished(o)]
    with plan.session.tracker.run(plan.arm_run(arm)) as run:
        for metric, rows in found.table.items():
            if name in rows:
                run.summary |= _numbers(found, name, metric)
        run.summary |= compute_numbers(ended)
        for crop in crops:
            if name in crop.versions:
                run.image(f"pictures/{crop.picture}", _tensor(crop.versions[name]))
        if reasons:
            run.finish("failed", "\n\n".join(reasons))


def _numbers(found: Results, arm: str, metric: str) -> dict[str, float]:
    """Returns the numbers of one arm in one metric; MLflow's chart page groups their names at the slash."""
    row = found.table[metric][arm]
    numbers = {f"mean/{metric}": row.mean, f"seed_sd/{metric}": row.seed_sd}
    if found.better[metric] == "one":
        numbers[f"distance/{metric}"] = mean_loss(found.values[metric][arm], "one")
    if row.difference is not None:
        mean, low, high = found.shown(row.difference, metric)
        numbers |= {
            f"diff/{metric}": mean,
            f"uncertainty/{metric} low": low,
            f"uncertainty/{metric} high": high,
            f"p_holm/{metric}": row.difference.p_holm,
            f"wins/{metric}": row.difference.wins,
        }
    # an arm with one training has no seed sd, and one picture has no interval: there is nothing to chart
    return {name: value for name, value in numbers.items() if math.isfinite(value)}


def _tensor(picture: Picture) -> Tensor:
    return from_pil(Image.fromarray(picture))
