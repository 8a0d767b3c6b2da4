"""Implements ``--dry-run``, which shows what a command would train.

It also shows memory, speed and time on this machine.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from texprior.cli.output import emit, say, table

if TYPE_CHECKING:
    import torch

    from texprior.config import Experiment
    from texprior.training.dry_run import Measured

dry_run_option = click.option(
    "--dry-run", is_flag=True, help="Print the resolved experiment, parameters, memory and speed; train nothing."
)


def show_dry_run(experiment: Experiment, device: torch.device, measured: Sequence[Measured], as_json: bool) -> None:
    """Prints the resolved experiment and a row for each training."""
    from texprior.runtime.progress import clock_time

    if as_json:
        stages = [vars(m) for m in measured]
        emit({"experiment": experiment.model_dump(mode="json"), "device": str(device), "stages": stages})
        return

    click.echo(experiment.to_yaml())
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
    say(
        f"measured on {device} with random pictures; prepared photographs need up to "
        f"{experiment.data.cache_mb:,} MB more (data.cache_mb); nothing was trained"
    )
