"""Exports trained models as folders that restore on any machine: half precision, a card, and digests.

A model alone is the folder, with its prior in ``prior``. Several models, or models with names, are folders below it,
named by their tasks, beside ``prior-DIGEST``: a prior that several of them share is there once.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from texprior.config import resolve
from texprior.config.schema import Experiment, Sampling
from texprior.digests import DIGITS
from texprior.errors import ConfigError, TexpriorError
from texprior.flow.kinds import PROCESS
from texprior.models.checksums import LIST, read_checksums, write_checksums
from texprior.models.folders import ADAPTER, CARD, CONFIG, HELD_OUT, PREDICTOR, PRIOR, folder_builder
from texprior.models.hub_card import Figures, Terms, header_of, kept_terms, missing_parts, training_part
from texprior.models.prior_search import find_prior, relative_path
from texprior.models.sampling import require_possible
from texprior.registry import Registry
from texprior.store import about_tensors, load_tensors, require_folder, save_tensors, sha256, write_atomically

_PARTS = {"adapter": ADAPTER, "predictor": PREDICTOR}


@dataclass(frozen=True)
class Chosen:
    """A trained model to export."""

    folder: Path
    task: str = ""
    """The name of its folder; empty: the name of its experiment if there are several models, else no folder."""
    figures: Figures | None = None
    sampling: Sampling | None = None
    """How the exported model samples; None: as the trained one does."""
    prior: Path | None = None
    """The folder of its prior; None: it is searched."""


def export_models(
    models: Sequence[Chosen], output: Path, registry: Registry, terms: Terms, replace: bool = False
) -> list[Path]:
    """Exports models with their priors to a folder; returns the models' folders in it.

    ``replace`` lets the new export take the place of an earlier one. Raises ConfigError if a model or its prior is
    missing, if two have the same task, or if the folder has other files.
    """
    tasks, output = _tasks(models, registry), output.resolve()
    require_free(output, replace)
    # written beside its place: an earlier export goes only after the new one is complete and there
    new, old = (output.with_name(f".{output.name}.{age}") for age in ("new", "old"))
    shutil.rmtree(new, ignore_errors=True)
    try:
        for model, task in zip(models, tasks, strict=True):
            _export_model(model, task, new, registry, terms)
        if output.exists():
            shutil.rmtree(old, ignore_errors=True)
            output.rename(old)
        new.rename(output)
        shutil.rmtree(old, ignore_errors=True)
    except OSError as error:
        raise TexpriorError(f"{output}: cannot be written ({error})") from None
    finally:
        shutil.rmtree(new, ignore_errors=True)
    return [output / task for task in tasks]


def sampling_with(folder: Path, overrides: Sequence[str], registry: Registry) -> Sampling:
    """Returns the sampling of a trained model with overrides such as ``sampling.texture_strength=0.5``.

    Raises ConfigError for an override of anything else, or a value that is not valid.
    """
    for override in overrides:
        if not override.startswith("sampling."):
            raise ConfigError(f"--set {override}: a trained model cannot be changed; only sampling.* can be set")
    data = folder_builder(require_folder(folder, "model", CONFIG), registry).experiment.model_dump(mode="json")
    return resolve(data, registry, overrides, source=str(folder / CONFIG)).sampling


def require_free(output: Path, replace: bool) -> None:
    """Raises ConfigError if an export to a folder would remove anything but an earlier export."""
    if output.exists() and not output.is_dir():
        raise ConfigError(f"{output}: this is a file; name a folder")
    there = [path for path in sorted(output.rglob("*")) if not path.is_dir()]
    others = [path for path in there if path.name != LIST and path.name not in read_checksums(path.parent)]
    if others:
        raise ConfigError(f"{output}: {others[0].relative_to(output)} is no part of an export; name another folder")
    if there and not replace:
        raise ConfigError(f"{output}: an earlier export is there; name another folder, or replace it with --replace")


def _tasks(models: Sequence[Chosen], registry: Registry) -> list[str]:
    """Returns the name of each model's folder below the export; empty if one model is the export itself."""
    if not models:
        raise ConfigError("no model was named")
    for model in models:
        require_folder(model.folder, "model", CONFIG, PREDICTOR, ADAPTER)
    if len(models) == 1 and not models[0].task:
        return [""]
    tasks = [model.task or folder_builder(model.folder, registry).experiment.name for model in models]
    for task in tasks:
        if Path(task).name != task or task.startswith((".", "prior-")):
            raise ConfigError(f"task '{task}': a task is the name of a folder, without / and not prior-...")
        if tasks.count(task) > 1:
            raise ConfigError(f"two models would both be '{task}'; give each a task of its own with --task")
    return tasks


def _export_model(model: Chosen, task: str, root: Path, registry: Registry, terms: Terms) -> None:
    trained, about = folder_builder(model.folder, registry).experiment, about_tensors(model.folder / ADAPTER)
    experiment = trained.model_copy(update={"sampling": model.sampling or trained.sampling})
    source, target = _prior_of(model, about), root / task
    process = folder_builder(source, registry).build(PROCESS, "diffusion.process")
    require_possible(experiment.diffusion, experiment.sampling, process, float(about["residual_scale"]))
    prior = root / (f"prior-{about['prior_sha256'][:DIGITS]}" if task else "prior")
    if not prior.exists():
        _export_prior(source, prior, registry, terms)
    write_atomically(target / CONFIG, _anywhere(experiment).to_yaml().encode())
    _halve(model.folder / PREDICTOR, target / PREDICTOR)
    place = {"prior_sha256": sha256(prior / PRIOR), "prior_path": relative_path(prior, target)}
    _halve(model.folder / ADAPTER, target / ADAPTER, place)
    name = task or experiment.name
    _copy_measures(model.folder, target)
    terms = kept_terms(terms, model.folder / CARD)
    made_of = {f"{part}'s weights": sha256(model.folder / file) for part, file in _PARTS.items()}
    made_of["prior's weights"] = about["prior_sha256"]
    lines = [
        header_of(experiment, name, terms, model.figures, registry, folder_builder(source, registry).experiment),
        f"# {name}: a restoration model\n",
        f"```sh\ntexprior restore photograph.png --model {name} -o restored\n```\n",
        f"`{name}` is this folder. Its prior is in `{place['prior_path']}`, and both can be moved together.\n",
        *_notes(experiment, registry, made_of),
        *([_scores(model.figures)] if model.figures else []),
        _card_of(model.folder),
    ]
    write_atomically(target / CARD, "\n".join(lines).encode())
    write_checksums(target)


def _prior_of(model: Chosen, about: Mapping[str, Any]) -> Path:
    """Returns the folder of a model's prior. Raises ConfigError if the one that was named is another."""
    if model.prior is None:
        return find_prior(model.folder, about)
    named = require_folder(model.prior, "prior", CONFIG, PRIOR)
    if sha256(named / PRIOR) != about["prior_sha256"]:
        raise ConfigError(f"model {model.folder}: it was trained on another prior than {named}")
    return named


def _export_prior(source: Path, target: Path, registry: Registry, terms: Terms) -> None:
    experiment = folder_builder(source, registry).experiment
    write_atomically(target / CONFIG, _anywhere(experiment).to_yaml().encode())
    _halve(source / PRIOR, target / PRIOR)
    _copy_measures(source, target)
    terms = kept_terms(terms, source / CARD)
    lines = [
        header_of(experiment, experiment.name, terms, None, registry, prior=None),
        f"# {experiment.name}: a texture prior\n",
        "`texprior adapt EXPERIMENT --prior FOLDER` trains a predictor and an adapter on it.\n",
        *_notes(experiment, registry, {"weights": sha256(source / PRIOR)}),
        _card_of(source),
    ]
    write_atomically(target / CARD, "\n".join(lines).encode())
    write_checksums(target)


def _anywhere(experiment: Experiment) -> Experiment:
    """Returns an experiment without the settings of the machine and of the trackers that trained it.

    The prior that it was trained on is found by the export's own path. What its trainings started from is elsewhere,
    and no longer needed.
    """
    own: dict[str, Any] = {"device": "auto", "threads": None, "events": [], "prior": None}
    return experiment.model_copy(update={**own, "training": experiment.training.without_starts()})


def _halve(source: Path, target: Path, changes: Mapping[str, Any] | None = None) -> None:
    """Writes the tensors of a file in half precision, and its record with changes.

    Raises TexpriorError if a finite weight is too large for half precision.
    """
    tensors, about = load_tensors(source)
    # by tensor, so that one that has several names stays one
    halves = {id(tensor): _half(tensor) for tensor in tensors.values()}
    for name, tensor in tensors.items():
        if not torch.equal(tensor.isfinite(), halves[id(tensor)].isfinite()):
            largest = torch.finfo(torch.float16).max
            raise TexpriorError(f"{source}: '{name}' has weights beyond {largest:g}, the limit of half precision")
    save_tensors(target, {name: halves[id(tensor)] for name, tensor in tensors.items()}, {**about, **(changes or {})})


def _copy_measures(source: Path, target: Path) -> None:
    """Copies what was measured on held-out photographs, which an ablation on the export shows."""
    if (source / HELD_OUT).is_file():
        write_atomically(target / HELD_OUT, (source / HELD_OUT).read_bytes())


def _half(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.half() if tensor.dtype in (torch.float32, torch.float64) else tensor


def _notes(experiment: Experiment, registry: Registry, made_of: Mapping[str, str]) -> Iterator[str]:
    yield (
        f"Weights are in half precision. `sha256sum --check {LIST}` checks the files, as texprior does when it loads "
        "them. `config.yaml` is the resolved experiment.\n"
    )
    if needed := missing_parts(experiment, registry):
        yield f"It also needs {'; '.join(needed)}.\n"
    yield "Made of trained files with these sha256:\n"
    yield "".join(f"- {part}: `{digest}`\n" for part, digest in made_of.items())
    yield "The weights are for research: they carry the terms of the photographs that they were trained on.\n"


def _scores(figures: Figures) -> str:
    return f"## Scores\n\n{figures.data}, {figures.pictures} pictures:\n\n{figures.table.strip()}\n"


def _card_of(folder: Path) -> str:
    """Returns what a trained folder says of itself, as the last part of a card."""
    card = folder / CARD
    return training_part(card.read_text(encoding="utf-8")) if card.is_file() else ""
