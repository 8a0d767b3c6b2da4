"""Implements ``texprior init``, which writes an experiment file for folders of pictures."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from texprior.cli.output import emit, say
from texprior.cli.request import discover_plugins, json_option, parse_component, plugin_option, session_of
from texprior.errors import ConfigError

if TYPE_CHECKING:
    from texprior.registry import Registry
    from texprior.scaffold.new_experiment import NewExperiment
    from texprior.training.dry_run import Measured

_IMAGES = 20000
"""The default budget of a training in images."""


@click.command()
@click.option("--clean", metavar="DIR", help="Folder of clean photographs.")
@click.option("--degraded", metavar="DIR", help="Folder of degraded pictures: of the clean ones, or alone.")
@click.option(
    "--task",
    metavar="DEGRADATION",
    help="Synthesise this degradation on clean photographs: its name, or YAML with its options.",
)
@click.option("--extends", "base", metavar="FILE", help="An experiment file whose settings the new one takes over.")
@click.option("--own-prior", is_flag=True, help="Train a prior on these photographs, instead of using the shipped one.")
@click.option("-o", "--output", default="experiment.yaml", metavar="FILE", show_default=True, help="The file to write.")
@click.option(
    "--images",
    type=click.IntRange(min=1),
    default=_IMAGES,
    metavar="N",
    show_default=True,
    help="Budget of each training, in training patches.",
)
@plugin_option
@json_option
def init(
    clean: str | None,
    degraded: str | None,
    task: str | None,
    base: str | None,
    own_prior: bool,
    output: str,
    images: int,
    plugins: tuple[str, ...],
    as_json: bool,
) -> None:
    """Write an experiment file for your folders of pictures.

    Looks at the pictures, writes a short file with comments and the lists of train, val and test, and says what its
    trainings would take on this machine. With --clean and --degraded, the pictures are pairs; with --task too, the task
    is synthesised on the clean ones. With --degraded alone, the bundled photographs are trained on. The settings are
    those of the shipped models, on their prior, unless --extends or --own-prior says otherwise. Existing files are
    never overwritten.
    """
    from texprior import config
    from texprior.config.yaml_reader import parse_yaml
    from texprior.scaffold.new_experiment import Folders, new_experiment

    if clean is None and degraded is None:
        raise ConfigError("name a folder of pictures with --clean, with --degraded, or both for pairs")
    if own_prior and base is not None:
        raise ConfigError("--own-prior: with --extends, the prior is what that file says; leave one of the two out")
    path, registry = Path(output), discover_plugins(plugins)
    if path.suffix not in (".yaml", ".yml"):
        raise ConfigError(f"-o {output}: an experiment is a .yaml file")
    if task is not None:
        parse_component(registry, "degradation", task, "--task", "'{defocus: {radius: 2}}'")
    if base is not None:
        config.written(base, registry)  # refused before anything is written
    folders = Folders(clean, degraded, None if task is None else parse_yaml(task), base, own_prior)
    made = new_experiment(folders, path, images, registry)
    made.write()
    experiment = config.load(path, registry)
    measured = _measured(experiment, registry, config.load_said(path, registry))
    given = [part for file in plugins for part in ("--plugin", file)]
    trains_prior = [] if experiment.prior else ["--train-prior"]
    following = [
        shlex.join(["texprior", "adapt", str(path), *trains_prior, *given]),
        shlex.join(["texprior", "restore", degraded or "PICTURE", "--model", "MODEL", "-o", "restored", *given]),
    ]
    if as_json:
        emit({**_document(made), "stages": [vars(row) for row in measured], "next": following})
    else:
        _show(made, measured, following)


def _measured(experiment: Any, registry: Registry, said: Any) -> list[Measured]:
    """Returns what the trainings of the new experiment would take here."""
    from texprior.training.dry_run import measure_prior, measure_stage_two
    from texprior.training.given_prior import given_prior
    from texprior.training.preflight import on_prior

    session = session_of(experiment, registry, said=said)
    prior = given_prior(experiment)
    stage_one = measure_prior(session) if prior is None else []
    return [*stage_one, *measure_stage_two(on_prior(session, prior), prior)]


def _document(made: NewExperiment) -> dict[str, object]:
    lists = sorted({file.parent for file in made.lists})
    return {
        "experiment": made.path,
        "lists": lists[0] if lists else None,
        "splits": made.splits,
        "pictures": made.seen,
        "notes": made.notes,
    }


def _show(made: NewExperiment, measured: list[Measured], following: list[str]) -> None:
    from texprior.cli.dry_run import training_table
    from texprior.runtime.progress import clock_time

    click.echo(f"{made.path}:\n")
    click.echo("".join(f"  {line}\n" for line in made.text.splitlines()))
    for note in made.notes:
        say(f"note: {note}")
    training_table(measured)
    click.echo(f"trainings: about {clock_time(sum(row.expected_s for row in measured))} in all, on this machine")
    click.echo("next (adapt prints the folder of MODEL):")
    for line in following:
        click.echo(f"  {line}")
