"""Writes a finished sweep to its run and its folder, once, whichever of its processes comes first."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict

from texprior._version import __version__
from texprior.digests import digest
from texprior.flow.image import load_image
from texprior.locks import hold_lock
from texprior.store import write_atomically
from texprior.sweeps.records import StudyDone, SweepResult
from texprior.sweeps.report import sweep_note, trials_csv
from texprior.sweeps.trial import Trials
from texprior.track import Run

_RECORD = "written.json"
"""The file in the sweep's folder that says what was written up, and to which run."""


def write_up_once(run: Run, trials: Trials, done: StudyDone, result: SweepResult) -> None:
    """Writes the winner to the parent run and the sweep's folder, unless a process did so for the same trials."""
    folder = trials.folder(done.best.number).parent
    what = {"of": _digest(done), "run": run.info.id}

    # the lock protects the run and the record: processes that end together would all write
    with hold_lock(trials.session.root / ".locks" / f"{trials.key}-written.lock"):
        record = folder / _RECORD
        if record.is_file() and json.loads(record.read_text(encoding="utf-8")) == what:
            return
        _write_up(run, trials, done, result)
        # the record comes last: after an interruption all is written again
        write_atomically(record, json.dumps(what).encode())


def _digest(done: StudyDone) -> str:
    """Hashes what is written: the trials, what was confirmed, and this program's version."""
    trials, confirmed = map(asdict, done.trials), map(asdict, done.confirmed)
    return digest(json.dumps([__version__, *trials, *confirmed], sort_keys=True, default=str).encode())


def _write_up(run: Run, trials: Trials, done: StudyDone, result: SweepResult) -> None:
    """Writes the winner to the parent run: means and numbers as values, all parameters in words and as a file.

    ``best.METRIC`` is the confirmed mean if there is one; ``selected.METRIC`` is then the selected training's value.
    """
    # in the tracker
    best = done.best
    run.summary |= {"best.trial": float(best.number)}
    run.summary |= {f"best.{name}": value for name, value in {**done.values, **_numbers(best.params)}.items()}
    if done.confirmed:
        run.summary |= {f"selected.{name}": value for name, value in best.values.items()}
    run.notes.append(sweep_note(done))

    # as files
    folder = trials.folder(best.number).parent
    write_atomically(folder / "best.yaml", trials.experiment_of(best).to_yaml().encode())
    write_atomically(folder / "trials.csv", trials_csv(done))
    run.artifact(folder / "best.yaml")
    run.artifact(folder / "trials.csv")

    # as pictures
    sheet = trials.folder(best.number) / "sheet.png"
    if sheet.is_file():
        run.image("best", load_image(sheet))
    if len(done.objectives) > 1:
        from texprior.sweeps.front_figure import draw_front

        run.image("front", load_image(draw_front(result, folder / "front.png")))
        run.artifact(folder / "front.png")


def _numbers(params: Mapping[str, object]) -> dict[str, float]:
    return {k: v for k, v in params.items() if isinstance(v, int | float) and not isinstance(v, bool)}
