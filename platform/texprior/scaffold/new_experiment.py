"""Writes an experiment file for folders of pictures: few lines, each with what it means."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from texprior.errors import ConfigError, ImageError, TexpriorError
from texprior.flow.image import PictureSet
from texprior.flow.kinds import DATASET
from texprior.plugin.references import Ref
from texprior.registry import Registry
from texprior.scaffold.looked_at import LookedAt, look_at
from texprior.scaffold.splits import shared_out

ANY_PHOTOGRAPH = "defocus"
"""The degradation of clean photographs if no task is named: that of an experiment which names none."""
UNKNOWN = "real_esrgan"
"""The degradation if only degraded pictures are there and no task is named: a mixture, as nothing is known of them."""
_LONG = 16000
"""Budget, in images, from which the usual warm-up of a training (``warmup_images``) is a tenth or less."""
_RECIPE = """\
# As the shipped models were trained (docs/models.md): one call of the network, whose adapter learns the one noise level
# that this call visits, and what LPIPS sees there. `init --own-prior` trains a prior on your photographs instead.
prior: shipped:defocus  # the prior of all shipped models; it knows the texture of photographs, no task
process: {residual_scale: measured}
diffusion: {noise_levels: {sampled: {steps: 1}}}
sampling: {steps: 1}  # texture_strength: 0.5, as shipped models have, shows less of a fine regular pattern
"""
_OBJECTIVE = "{combined: {terms: [edm, {perceptual: {metric: lpips_alex, max_sigma: 1000.0}}], weights: [1.0, 10.0]}}"
PATCH = 64
"""Side of a training patch, px; a smaller picture cannot be trained on."""


@dataclass(frozen=True)
class Folders:
    """The folders of pictures that a user starts from."""

    clean: str | None
    degraded: str | None
    task: object = None
    """The degradation that is synthesised, in YAML's types: its name, or its name with options."""

    base: str | None = None
    """An experiment file that the new one extends."""

    own_prior: bool = False
    """Whether Stage I is trained on these photographs, if nothing is extended."""

    @property
    def paired(self) -> bool:
        """Whether each degraded picture has its clean one: both are given, and there is nothing to synthesise."""
        return self.clean is not None and self.degraded is not None and self.task is None

    @property
    def on_shipped_prior(self) -> bool:
        """Whether the settings are those of the shipped models, on their prior."""
        return self.base is None and not self.own_prior


@dataclass(frozen=True)
class NewExperiment:
    """An experiment file that is still to be written, and what was seen of the pictures."""

    path: Path
    text: str
    lists: Mapping[Path, str]
    """The lists of the splits: file -> its text; none if no picture can be trained on."""
    splits: Mapping[str, int]
    seen: Mapping[str, LookedAt]
    """What the pictures are -> what was seen of them."""
    notes: list[str]

    def write(self) -> None:
        """Writes the file and its lists.

        Raises ConfigError if one of them exists, and TexpriorError if they cannot be written.
        """
        for path in (self.path, *self.lists):
            if path.exists():
                raise ConfigError(f"{path}: this file exists, and is not overwritten; name another one with -o")
        try:
            for path, text in {**self.lists, self.path: self.text}.items():
                path.parent.mkdir(parents=True, exist_ok=True)
                with path.open("x", encoding="utf-8") as file:
                    file.write(text)
        except OSError as error:
            raise TexpriorError(f"{self.path}: the experiment cannot be written ({error.strerror})") from None


def new_experiment(folders: Folders, path: Path, images: int, registry: Registry) -> NewExperiment:
    """Looks at folders of pictures and makes an experiment for them, whose trainings see ``images`` patches each.

    Raises ConfigError if a folder is missing or empty, if pairs do not match, or if there are too few pictures.
    """
    lists = path.with_name(f"{path.stem}-splits")
    seen, splits, notes = dict[str, LookedAt](), dict[str, list[str]](), list[str]()
    dataset: dict[str, Any] = {}
    if folders.paired:
        dataset, pairs = _pairs(folders, registry)
        keys = pairs.keys("train")
        seen["pairs"] = _seen(pairs, keys, folders.degraded)
        splits = shared_out({key: _source(pairs, key) for key in keys if key not in seen["pairs"].broken})
    elif folders.clean is not None:
        dataset = {"folder": {"path": folders.clean}}
        photographs = registry.build(DATASET, Ref.model_validate(dataset))
        keys = photographs.keys("train")
        seen["clean"] = _seen(photographs, keys, folders.clean)
        splits = shared_out({key: key for key in keys if key not in seen["clean"].broken})
    if folders.degraded is not None and not folders.paired:
        alone = registry.build(DATASET, Ref.model_validate({"folder": {"path": folders.degraded}}))
        seen["degraded"] = _seen(alone, alone.keys("train"), folders.degraded)
    for what, found in seen.items():
        notes += _notes(what, found)
    return NewExperiment(
        path=path,
        text=_text(folders, path, dataset, lists, splits, images, seen),
        lists={lists / f"{split}.txt": "".join(f"{key}\n" for key in keys) for split, keys in splits.items()},
        splits={split: len(keys) for split, keys in splits.items()},
        seen=seen,
        notes=notes,
    )


def _pairs(folders: Folders, registry: Registry) -> tuple[dict[str, Any], PictureSet]:
    """Returns the data set of the pairs, paired in the first way in which every picture has its partner."""
    options: dict[str, Any] = {"degraded": folders.degraded, "clean": folders.clean}
    refused: ConfigError | None = None
    for match in ({}, {"match": "prefix"}):
        named = {"paired": {**options, **match}}
        pairs = registry.build(DATASET, Ref.model_validate(named))
        try:
            pairs.keys("train")
        except ConfigError as error:
            refused = refused or error
            continue
        return named, pairs
    raise ConfigError(
        f"{refused}; if these are no pairs, name what is to be synthesised on the clean pictures with --task"
    )


def _seen(pictures: PictureSet, keys: Any, folder: str | None) -> LookedAt:
    try:
        return look_at(pictures, keys)
    except ImageError as error:
        raise ConfigError(f"{folder}: {error}") from None


def _source(pictures: Any, key: str) -> str:
    """Returns the file that a picture shows the scene of: several degraded pictures may share one clean one."""
    return str(pictures.source(key))


def _notes(what: str, found: LookedAt) -> list[str]:
    notes = [f"left out: {reason}" for reason in found.broken.values()]
    width, height = found.sizes[0]
    if min(width, height) < PATCH:
        notes.append(f"{what}: the smallest picture is smaller than a training patch of {PATCH} px and is left out")
    if found.psnr and found.psnr[1] > 50:
        notes.append(f"{what}: the pictures of a pair are nearly equal; are the folders those that you mean?")
    return notes


def _text(
    folders: Folders,
    path: Path,
    dataset: Mapping[str, Any],
    lists: Path,
    splits: Mapping[str, list[str]],
    images: int,
    seen: Mapping[str, LookedAt],
) -> str:
    """Returns the file: each line with a comment of what it means."""
    lines = ["# Written by `texprior init`. Folders are relative to the one in which a command is run."]
    lines += [f"# {what}: {found}" for what, found in seen.items()]
    lines += [f"# PSNR of the degraded pictures: {_range(found)}" for found in seen.values() if found.psnr]
    if folders.base is not None:
        lines.append(f"extends: {_flow(os.path.relpath(folders.base, path.parent))}  # this file wins over it")
    lines.append(f"name: {_name(path)}")
    if dataset:
        ((kind, options),) = dataset.items()
        flow = _flow({kind: {**options, "lists": str(lists)}})
        lines += [
            f"data:  # each split has the pictures of its list in {lists.name}",
            f"  train: &pictures {flow}",
            "  val: *pictures",
            "  test: *pictures",
            f"  # {len(splits['train']):,} to train on, {len(splits['val']):,} to choose settings by (val), and "
            f"{len(splits['test']):,} to judge on at the end (test)",
        ]
    else:
        lines += ["data: {train: bundled}  # no clean photographs are given: the nine that come with texprior"]
    if folders.paired:
        lines.append("degradation: null  # the pictures are degraded already")
    else:
        task, why = _task(folders)
        lines.append(f"degradation: {_flow(task)}  # {why}")
    lines += _RECIPE.splitlines() if folders.on_shipped_prior else []
    lines += ["training:  # images: training patches that are seen; more of them make better models"]
    # the usual warm-up would last longer than a small budget
    settings = [f"budget: {{images: {images}}}", *([f"warmup_images: {images // 10}"] if images < _LONG else [])]
    if folders.on_shipped_prior:
        settings.append("decay: cosine")
        lines += [f"  predictor: {{{', '.join(settings)}}}", "  adapter:"]
        lines += [f"    {line}" for line in (*settings, f"objective: {_OBJECTIVE}")]
    else:
        lines += [f"  {stage}: {{{', '.join(settings)}}}" for stage in ("prior", "predictor", "adapter")]
    return "\n".join(lines) + "\n"


def _task(folders: Folders) -> tuple[object, str]:
    others = "others: texprior plugins list --kind degradation"
    if folders.task is not None:
        return folders.task, f"synthesised on the clean photographs; {others}"
    if folders.clean is not None:
        return ANY_PHOTOGRAPH, f"no --task was named; {others}"
    return UNKNOWN, f"a mixture, as no --task says what was done to the pictures; {others}"


def _range(found: LookedAt) -> str:
    low, middle, high = found.psnr
    return f"{middle:.1f} dB (median; {low:.1f} to {high:.1f})"


def _name(path: Path) -> str:
    """Returns the experiment's name: the file's, in letters that a folder may have."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", path.stem).strip("-._") or "mine"


def _flow(value: object) -> str:
    text = yaml.safe_dump(value, default_flow_style=True, width=10**6, allow_unicode=True, sort_keys=False)
    return text.removesuffix("...\n").strip()
