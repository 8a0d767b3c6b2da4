"""Implements ``--dry-run``, which shows what a command would train.

It also shows memory, speed and time on this machine.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import click

from texprior.cli.output import emit, say, table

if TYPE_CHECKING:
    import torch

    from texprior.config import Experiment
    from texprior.registry import Registry
    from texprior.runtime.session import Session
    from texprior.training.dry_run import Measured
    from texprior.training.planned import Planned

dry_run_option = click.option(
    "--dry-run", is_flag=True, help="Print the resolved experiment, parameters, memory and speed; train nothing."
)


def show_dry_run(
    experiment: Experiment,
    device: torch.device,
    measured: Sequence[Measured],
    as_json: bool,
    planned: Sequence[Planned] = (),
    notes: Sequence[str] = (),
) -> None:
    """Prints the resolved experiment, a row for each training, and what would be reused.

    ``notes`` say what cannot be concluded from the command's results.
    """
    from texprior.training.dry_run import compile_note, held_out_note

    if as_json:
        stages = [vars(m) for m in measured]
        about = {"experiment": experiment.model_dump(mode="json"), "device": str(device)}
        emit({**about, "stages": stages, "trainings": [vars(p) for p in planned], "notes": list(notes)})
        return

    click.echo(experiment.to_yaml())
    training_table(measured)
    for line, count in Counter(map(str, planned)).items():
        click.echo(line + f" ({count} of these)" * (count > 1))
    for note in [*filter(None, (*map(compile_note, measured), *map(held_out_note, measured))), *notes]:
        click.echo(f"note: {note}")
    say(
        f"measured on {device} with random pictures; prepared photographs need up to "
        f"{experiment.data.cache_mb:,} MB more (data.cache_mb); nothing was trained"
    )


def training_table(measured: Sequence[Measured]) -> None:
    """Prints a row for each training: size, memory, speed and time."""
    from texprior.runtime.progress import clock_time

    numbers = ["times", "parameters", "trainable", "peak memory", "images/s", "budget, images", "expected time"]
    rows = [
        [
            m.stage,
            str(m.times),
            f"{m.parameters:,}",
            f"{m.trainable:,}" + (f" ({m.share:.2%} of the denoiser's)" if m.share is not None else ""),
            "not measured" if m.memory_mb is None else f"{m.memory_mb:,.0f} MB",
            f"{m.images_per_s:.1f}",
            f"{m.budget_images:,}",
            clock_time(m.expected_s),
        ]
        for m in measured
    ]
    table(["stage", *numbers], rows)


def training_notes(
    experiments: Iterable[Experiment], registry: Registry, measured: Sequence[Measured], planned: Sequence[Planned]
) -> list[str]:
    """Says what is questionable in the trainings that would be done here.

    Their learning rate may still rise at the end, or augmentations may turn what has a direction.
    """
    from texprior.training.directions import direction_notes
    from texprior.training.loop import warmup_notes

    done_here = {one.stage for one in planned if one.state != "reused"}
    # rows of several kinds are numbered; a row without a budget has nothing to train
    measured_here = {row.stage.partition(" ")[0] for row in measured if row.budget_images}
    stages = [stage for stage in ("prior", "predictor", "adapter") if stage in done_here & measured_here]
    notes = ([*warmup_notes(one, stages), *direction_notes(one, registry, stages)] for one in experiments)
    return list(dict.fromkeys(note for of_one in notes for note in of_one))


def picture_notes(session: Session, split: str) -> list[str]:
    """Says what a split has too few pictures for."""
    from texprior.evaluation.intervals import FEWEST

    count, limit = len(session.pictures(split).keys), session.experiment.evaluation.limit
    pictures = count if limit is None else min(count, limit)
    few = f"data.{split} has {pictures} picture{'s' * (pictures != 1)}: no interval below {FEWEST} pictures"
    return [few] if pictures < FEWEST else []


def sweep_notes(session: Session) -> list[str]:
    """Says what cannot be concluded from a sweep."""
    unconfirmed = "sweep.confirm.top is 0: each trial is one training, so the best one may be best by chance"
    return picture_notes(session, "val") + [unconfirmed] * (session.experiment.sweep.confirm.top == 0)


def ablation_notes(session: Session) -> list[str]:
    """Says what cannot be concluded from an ablation."""
    ablation = session.experiment.ablation
    alone = ablation.model is None and len(ablation.seeds) == 1
    untested = "ablation.seeds has one seed: with one training of each arm no difference is tested"
    return picture_notes(session, ablation.split) + [untested] * alone
