"""Implements ``texprior models``, which exports trained models, and lists and shows the shipped ones."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from texprior.cli.completion import tasks
from texprior.cli.output import emit, table
from texprior.cli.request import discover_plugins, json_option, plugin_option

if TYPE_CHECKING:
    from texprior.models.export import Chosen
    from texprior.registry import Registry


@click.group()
def models() -> None:
    """Export trained models; list and show the shipped ones."""


@models.command("list")
@json_option
def list_(as_json: bool) -> None:
    """List the shipped models by their tasks."""
    from texprior.store import shipped_models

    rows = [_described(task, folder) for task, folder in shipped_models().items()]
    if as_json:
        emit(rows)
        return
    columns = ["task", "scores", "trained on", "licence", "MB"]
    shown = [
        [r["task"], _scores_text(r["metrics"]), ", ".join(r["datasets"]), r["licence"], f"{r['bytes'] / 1e6:.1f}"]
        for r in rows
    ]
    table(columns, shown, wrap=["scores"])


@models.command()
@click.argument("model", metavar="TASK|FOLDER", shell_complete=tasks)
@json_option
def show(model: str, as_json: bool) -> None:
    """Show the card of a shipped or exported model, and check the digests of its files."""
    from texprior.models.checksums import changed_files, read_checksums
    from texprior.models.shipped import prior_of

    folder = _folder(model)
    prior = prior_of(folder)
    parts = dict.fromkeys((folder, prior))  # a prior is exported with its models, and can be shown alone
    changed = [str(part / name) for part in parts for name in changed_files(part)]
    card = folder / "README.md"
    if as_json:
        sums = {str(part): read_checksums(part) for part in parts}
        emit({**_described(folder.name, folder), "prior": prior, "card": card, "sha256": sums, "changed": changed})
    else:
        click.echo(card.read_text(encoding="utf-8") if card.is_file() else f"{folder} has no card")
        click.echo("\n".join([f"folder: {folder}", *([f"prior: {prior}"] if prior != folder else [])]))
        click.echo(
            f"changed since the export: {', '.join(changed)}" if changed else "the files are those of the export"
        )
    if changed:
        click.get_current_context().exit(1)


@models.command()
@click.argument("task", shell_complete=tasks)
@click.option("--prior", is_flag=True, help="The folder of the model's prior instead.")
def path(task: str, prior: bool) -> None:
    """Print the folder of a shipped model, for --model and --prior of other commands."""
    from texprior.models.shipped import prior_of
    from texprior.store import model_of_task

    folder = model_of_task(task)
    click.echo(prior_of(folder) if prior else folder)


@models.command()
@click.argument("folders", metavar="MODEL...", nargs=-1, required=True)
@click.option("-o", "--output", metavar="FOLDER", required=True, help="The folder to make.")
@click.option(
    "--task",
    "tasks",
    multiple=True,
    metavar="NAME",
    help="Name of a MODEL's folder below FOLDER; once for each MODEL, in their order. If not given, a single MODEL is "
    "FOLDER itself, and several have the names of their experiments.",
)
@click.option(
    "--scores",
    multiple=True,
    metavar="CSV",
    help="Scores for the card; once for each MODEL, in their order. If not given, those of MODEL's own evaluation.",
)
@click.option(
    "--prior", "priors", multiple=True, metavar="PRIOR", help="Folder of a prior that was moved; once for each MODEL."
)
@click.option("--scored-on", default="", metavar="TEXT", help="What was scored; the folder of the scores if not given.")
@click.option(
    "--dataset",
    "datasets",
    multiple=True,
    metavar="NAME",
    help="Name of the training photographs for the card; repeatable.",
)
@click.option("--licence", default="other", show_default=True, metavar="NAME", help="Licence of the weights.")
@click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="PATH=VALUE",
    help="How every MODEL samples from now on, such as sampling.texture_strength=0.5; repeatable.",
)
@click.option("--replace", is_flag=True, help="Replace an earlier export in FOLDER.")
@plugin_option
@json_option
def export(
    folders: tuple[str, ...],
    output: str,
    tasks: tuple[str, ...],
    scores: tuple[str, ...],
    priors: tuple[str, ...],
    scored_on: str,
    datasets: tuple[str, ...],
    licence: str,
    overrides: tuple[str, ...],
    replace: bool,
    plugins: tuple[str, ...],
    as_json: bool,
) -> None:
    """Write trained models, each with its prior, as a folder that restores on any machine.

    Weights are in half precision. A prior that several MODELs share is written once.
    """
    from texprior.models.export import export_models
    from texprior.models.hub_card import Terms

    registry = discover_plugins(plugins)
    chosen = _chosen(folders, tasks, scores, priors, scored_on, overrides, registry)
    made = export_models(chosen, Path(output), registry, Terms(licence, datasets), replace)
    if as_json:
        emit([_described(folder.name, folder) for folder in made])
        return
    for folder in made:
        click.echo(f"model: {folder}")


def _chosen(
    folders: tuple[str, ...],
    tasks: tuple[str, ...],
    scores: tuple[str, ...],
    priors: tuple[str, ...],
    scored_on: str,
    overrides: tuple[str, ...],
    registry: Registry,
) -> list[Chosen]:
    from texprior.errors import ConfigError
    from texprior.evaluation.card_figures import figures_of, own_figures
    from texprior.models.export import Chosen, sampling_with
    from texprior.models.folders import CONFIG
    from texprior.store import named_folder, require_folder

    for option, given in (("--task", tasks), ("--scores", scores), ("--prior", priors)):
        if given and len(given) != len(folders):
            raise ConfigError(f"{option} was given {len(given)} times for {len(folders)} models; give it once for each")
    found = []
    for number, name in enumerate(folders):
        sampling = sampling_with(named_folder(name), overrides, registry) if overrides else None
        folder = require_folder(named_folder(name), "model", CONFIG)
        how = folder, registry, scored_on, sampling
        figures = figures_of(Path(scores[number]), *how) if scores else own_figures(*how)
        prior = Path(priors[number]) if priors else None
        found.append(Chosen(folder, tasks[number] if tasks else "", figures, sampling, prior))
    return found


def _folder(model: str) -> Path:
    """Returns the folder of an exported model: a folder by its path, else a shipped one by its task."""
    from texprior.errors import ConfigError
    from texprior.models.checksums import read_checksums
    from texprior.store import model_of_task, named_folder

    folder = named_folder(model)
    if not folder.is_dir():
        return model_of_task(model)
    if not read_checksums(folder):
        raise ConfigError(f"{folder}: this is no exported model; 'texprior models export' makes one")
    return folder


def _described(task: str, folder: Path) -> dict[str, Any]:
    """Returns what the card's header says of a model, and the size of its files and its prior's."""
    from texprior.models.hub_card import read_header
    from texprior.models.shipped import prior_of

    header = read_header(folder / "README.md")
    # people and hubs edit a card
    entries = header.get("model-index") or []
    results = [r for entry in entries for r in entry.get("results") or [] if "dataset" in r and "metrics" in r]
    files = [file for part in {folder, prior_of(folder)} for file in part.iterdir() if file.is_file()]
    return {
        "task": task,
        "folder": folder,
        "licence": header.get("license", ""),
        "datasets": header.get("datasets", []),
        "scored_on": results[0]["dataset"]["name"] if results else "",
        "metrics": {m["type"]: m["value"] for r in results for m in r["metrics"]},
        "bytes": sum(file.stat().st_size for file in files),
    }


def _scores_text(metrics: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:.4g}" for name, value in metrics.items())
