"""Implements ``texprior demo``, which runs the whole pipeline on bundled photographs."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import click

from texprior.cli.dry_run import dry_run_option
from texprior.cli.output import emit, say
from texprior.cli.request import discover_plugins, json_option, plugin_option, session_of, set_option


@click.command()
@click.option("--quick", is_flag=True, help="Take at most 90 s: shows that everything works, not how well.")
@click.option("--from-scratch", is_flag=True, help="Also train the prior, instead of starting from the shipped one.")
@click.option("--runs", metavar="DIR", help="Folder for all results; TEXPRIOR_RUNS or texprior-runs if not given.")
@set_option
@plugin_option
@json_option
@dry_run_option
def demo(
    quick: bool,
    from_scratch: bool,
    runs: str | None,
    overrides: tuple[str, ...],
    plugins: tuple[str, ...],
    as_json: bool,
    dry_run: bool,
) -> None:
    """Run the whole pipeline on bundled photographs.

    It starts from a prior that texprior ships, trains a predictor, runs a sweep of adapters, restores pictures and
    scores them. It takes minutes on two cores.
    """
    import os

    from texprior.cli.request import output_folder, require_runs
    from texprior.runtime.progress import Reporter

    # ``runs_root`` reads the folder from the environment.
    if runs:
        os.environ["TEXPRIOR_RUNS"] = str(output_folder(runs, "--runs").resolve())
    if dry_run:
        _measure(quick, from_scratch, overrides, plugins, as_json)
        return

    require_runs()
    reporter = click.get_current_context().with_resource(Reporter())
    registry = discover_plugins(plugins)
    from texprior.demo import run_demo

    done = run_demo(registry, quick, overrides, reporter.say, reporter, from_scratch)

    if as_json:
        emit(done.as_json())
        return
    from texprior.cli.score_table import show_scores

    show_scores(done.scores)
    for path in done.pictures:
        click.echo(f"contact sheet: {path}")
    click.echo(f"model: {done.model}\nprior: {done.prior}")
    # The command to paste: the path that was typed, unless this was started as ``python -m texprior``.
    command = sys.argv[0] if Path(sys.argv[0]).name == "texprior" else "texprior"
    say(f"see the runs with: {f'TEXPRIOR_RUNS={shlex.quote(runs)} ' if runs else ''}{shlex.quote(command)} ui")


def _measure(
    quick: bool, from_scratch: bool, overrides: tuple[str, ...], plugins: tuple[str, ...], as_json: bool
) -> None:
    registry = discover_plugins(plugins)
    from texprior.cli.commands.sweep import measure_trials
    from texprior.demo import experiment, said, shipped_prior
    from texprior.runtime.split_check import require_splits

    stated = said(registry, quick, overrides, from_scratch)
    session = session_of(experiment(registry, quick, overrides, from_scratch), registry, said=stated)
    require_splits(session, "train", "val", "test")
    prior = None if from_scratch else shipped_prior()
    measure_trials(session, prior, session.experiment.sweep.trials, as_json)
