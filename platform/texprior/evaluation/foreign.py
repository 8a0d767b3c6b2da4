"""Scores pictures that any program restored, from folders of files."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from urllib.parse import quote

import torch
from torch import Tensor

from texprior.errors import ConfigError, ImageError, printable
from texprior.evaluation.evaluate import Evaluated, Meters, collect, pair_loader
from texprior.evaluation.judged import Judged
from texprior.evaluation.metrics import Metrics, build_metrics
from texprior.evaluation.scores import Score
from texprior.flow.image import load_image
from texprior.flow.measure import Gathered, against, measure
from texprior.flow.picture_files import find_pictures, some
from texprior.runtime.session import Session

Versions = tuple[Tensor | None, Mapping[str, Tensor]]
"""A reference, (1, 3, H, W) in [0, 1], or None; and method -> its picture of the same size."""


def score_folders(
    session: Session, folders: Mapping[str, Path], reference: Path | None = None
) -> tuple[Evaluated, dict[str, list[str]]]:
    """Scores the pictures of folders by the session's metrics, against the references of the same names if given.

    Names are compared without suffix. Returns the scores of the pictures that every folder has, under the names of the
    folders, and picture -> the folders that lack it. Raises ConfigError if there is no common picture, or if a metric
    needs a reference and none is given.
    """
    files = {name: named_pictures(folder) for name, folder in folders.items()}
    if reference is not None:
        references = named_pictures(reference)
    # pairs: a folder may have the name of the reference
    everywhere = [*files.items(), *([(str(reference), references)] if reference is not None else [])]
    lacking: dict[str, list[str]] = {}
    for name, found in everywhere:
        for key in dict.fromkeys(key for _, other in everywhere for key in other):
            if key not in found:
                lacking.setdefault(key, []).append(name)
    common = [key for key in next(iter(files.values())) if key not in lacking]
    if not common:
        raise ConfigError(
            f"no picture is in all of {', '.join(name for name, _ in everywhere)}: names must be equal, except for "
            "their suffix"
        )

    def load(key: str) -> Versions:
        clean = None if reference is None else load_image(references[key])[None]
        return clean, {name: load_image(found[key])[None] for name, found in files.items()}

    return score_versions(session, common, load), lacking


def score_restored(session: Session, name: str, folder: Path) -> Evaluated:
    """Scores a folder of pictures that another program restored, against the references of the evaluation split.

    Raises ConfigError if a picture of the split is missing in the folder, cannot be read, or has another size.
    """
    choice, files = session.experiment.evaluation, named_pictures(folder)
    keys = session.pictures(choice.split).keys[: choice.limit]
    own = {key: next((name for name in _names(key) if name in files), "") for key in keys}
    if missing := [key for key, found in own.items() if not found]:
        raise ConfigError(
            f"{folder}: {len(missing)} of {len(keys)} pictures of {choice.split} are missing: {some(missing)}"
        )
    pair = pair_loader(session)

    def load(key: str) -> Versions:
        return pair(key)[0], {name: load_image(files[own[key]])[None]}

    found = score_versions(session, keys, load)
    if found.broken:
        raise ConfigError(f"{folder}: {next(iter(found.broken.values()))}")
    return found


def score_versions(session: Session, keys: Sequence[str], load: Callable[[str], Versions]) -> Evaluated:
    """Scores versions of each picture. A picture that cannot be read, or has two sizes, is broken; the others stay."""
    metrics = build_metrics(session)
    judging = (_judged(session, metrics, number, key, load) for number, key in enumerate(keys))
    return collect(session, metrics, len(keys), judging, lambda _number, _key, _versions: None)[0]


def _judged(session: Session, metrics: Metrics, number: int, key: str, load: Callable[[str], Versions]) -> Judged:
    try:
        clean, versions = load(key)
        _require_one_size(key, {**({} if clean is None else {"reference": clean}), **versions})
    except ImageError as error:
        return Judged(number, key, broken=str(error))
    reference = None if clean is None else clean.to(session.device)
    by_metric = metrics.images if reference is None else against(metrics.images, reference)
    meters = Meters(by_metric, Gathered(metrics.sets))
    scores = [
        score
        for name, image in versions.items()
        for score in _scores(name, key, image, reference, meters, metrics, session.device)
    ]
    shown = {name: image[0] for name, image in versions.items()}
    return Judged(number, key, scores, meters.gathered.seen, shown)


def _scores(
    name: str, key: str, image: Tensor, reference: Tensor | None, meters: Meters, metrics: Metrics, device: torch.device
) -> Iterator[Score]:
    picture = image.to(device)
    found = measure(picture, reference, meters.images, key)
    meters.gathered.add(name, key, picture, reference)
    for metric in metrics.better:
        # the value of a set's metric is filled in when all pictures are there
        yield Score(name, key, metric, float(found[metric]) if metric in found else float("nan"))


def _require_one_size(key: str, pictures: Mapping[str, Tensor]) -> None:
    sizes = {name: f"{picture.shape[-1]} x {picture.shape[-2]}" for name, picture in pictures.items()}
    if len(set(sizes.values())) > 1:
        said = ", ".join(f"{name} {size} px" for name, size in sizes.items())
        raise ImageError(f"{key}: the pictures must have one size: {said}")


def refuse_overwriting(target: Path, folders: Iterable[Path]) -> None:
    """Raises ConfigError if a file that is to be written is a folder, or one of the pictures of these folders."""
    if target.is_dir():
        raise ConfigError(f"-o {target}: this is a folder; name a file")
    if target.exists() and any(target.samefile(file) for each in folders for file in named_pictures(each).values()):
        raise ConfigError(f"-o {target}: this is one of the pictures that are read; name another file")


def named_pictures(folder: Path) -> dict[str, Path]:
    """Returns name without suffix -> file, of the pictures of a folder and its subfolders, sorted.

    Raises ConfigError if there is no folder or no picture, or if two names differ in their suffixes only.
    """
    if not folder.is_dir():
        raise ConfigError(f"{folder}: there is no such folder")
    found: dict[str, Path] = {}
    for below in find_pictures(folder):
        name = printable(below.with_suffix("").as_posix())
        if name in found:
            raise ConfigError(
                f"{folder}: {found[name].name} and {below.name} differ in their suffixes only; remove one"
            )
        found[name] = folder / below
    if not found:
        raise ConfigError(f"{folder}: there is no picture in this folder or its subfolders")
    return found


def _names(key: str) -> list[str]:
    """Returns the names, without suffix, under which a restored picture of a key may be stored."""
    stem = PurePosixPath(key).with_suffix("").as_posix()
    return [key, stem, *(name.replace("/", "-") for name in (key, stem)), quote(key, safe="")]
