"""Prepares the photographs that each training sees."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import torch
from torch import Tensor

from texprior.config.schema import Experiment, Training
from texprior.decompositions.moments import Moments
from texprior.diffusion.keys import generator
from texprior.errors import ConfigError
from texprior.flow.augment import PatchAugmentation
from texprior.flow.code import place_of
from texprior.flow.condition import blurred
from texprior.flow.decompose import decompose
from texprior.flow.degrade import degraded_sample, drawn_for
from texprior.flow.image import PictureSet, each_visit
from texprior.flow.kinds import AUGMENTATION, DEGRADATION
from texprior.flow.predict import InitialPredictor
from texprior.flow.prior import encode
from texprior.models.build import Prior, build_prior
from texprior.models.folders import load_predictor, load_prior
from texprior.models.inputs import inputs_of
from texprior.runtime.builder import Builder
from texprior.runtime.folds import fold_numbers
from texprior.runtime.session import Session
from texprior.training.kept import kept_degradation, kept_predictor, kept_prior
from texprior.training.patches import Patches, Pool, Prepared, require_size

SCALE_PHOTOGRAPHS = 64
"""Photographs on which a layer's standard deviation is measured: enough for three digits."""

BaseOf = Callable[[Tensor, Tensor], Tensor]
"""Makes the base of a picture and of what is known of it, all (1, 3, H, W)."""

FLAT = 1e-5
"""A deviation below which a layer is rounding alone: that of one 8-bit step in 150,000 values."""


def given_base(_picture: Tensor, base_BCHW: Tensor) -> Tensor:
    """Returns what is given as the base."""
    return base_BCHW


def texture_pool(dataset: PictureSet, keys: Sequence[str], prior: Prior, patch: int, cache_mb: int) -> Pool:
    """Prepares Stage I's photographs: picture, structure, and the semantic code of the structure.

    If the experiment blurs the condition, the pool also has both pictures blurred.
    """
    device, blur = next(prior.network.parameters()).device, prior.experiment.diffusion.condition_blur

    @torch.no_grad()
    def prepare(key: str) -> Prepared:
        picture = dataset.load(key).clean
        require_size(picture, patch, key)
        structure = decompose(picture[None].to(device), prior.decomposition).structure
        own = {"picture": picture, "structure": structure[0].cpu()}
        own |= {f"blurred {n}": blurred(t[None].to(device), blur)[0].cpu() for n, t in own.items() if blur}
        return {**own, "code": _kept_code(encode(structure, prior.encoder)[0])}

    return Pool(each_visit(dataset, keys), prepare, cache_mb, place_of(prior.encoder))


def _kept_code(code: Tensor) -> Tensor:
    """Returns a code as the memory keeps it: a map, (width, h, w), in half precision, as it has many positions."""
    return code.half().cpu() if code.ndim == 3 else code.cpu()


def own_texture_pool(session: Session) -> Pool:
    """Prepares Stage I's photographs of a session, with a decomposition and an encoder of its own."""
    return cached_texture_pool(session, build_prior(session.builder, 1.0, Path()))


def cached_texture_pool(session: Session, prior: Prior, split: str = "train") -> Pool:
    """Prepares Stage I's photographs of a session; see ``texture_pool``. What is derived is kept on disk."""
    (dataset, keys), data = session.pictures(split), session.experiment.data
    return texture_pool(
        dataset, keys, kept_prior(session, prior), session.experiment.training.prior.patch, data.cache_mb
    )


def pair_pool(session: Session, patch: int, split: str = "train") -> Pool:
    """Prepares the predictor's pairs of clean and degraded pictures, synthesised ones in ``data.variants`` versions.

    Without a number of versions, every epoch degrades the photographs anew.
    """
    experiment, (dataset, keys) = session.experiment, session.pictures(split)
    bits = experiment.data.degraded_bits
    own = session.build(DEGRADATION) if experiment.degradation else None
    fresh = own is not None and experiment.data.variants is None
    # what is used once is not kept on disk
    degradation = own if own is None or fresh else kept_degradation(session, own)
    variants = (experiment.data.variants or 1) if degradation else 1

    def prepare(versioned: str) -> Prepared:
        key, _, variant = versioned.rpartition("#")
        sample = dataset.load(key)
        require_size(sample.clean, patch, key)
        degraded = degraded_sample(sample, degradation, experiment.seed, int(variant), bits=bits)
        size = (degraded.shape[-2], degraded.shape[-1])
        drawn = drawn_for(own, experiment.seed, (key, int(variant)), size) if own else {}
        if sample.degraded is not None:  # a pair of a mixed data set, of which nothing was drawn
            drawn = {name: torch.full_like(value, math.nan) for name, value in drawn.items()}
        return {"clean": sample.clean, "degraded": degraded, **drawn}

    visits = each_visit(dataset, keys)
    versions = visits if fresh else [f"{key}#{v}" for key in visits for v in range(variants)]
    return Pool(versions, prepare, experiment.data.cache_mb, fresh=fresh)


def guided_pool(
    experiment: Experiment,
    pairs: Pool,
    prior: Prior,
    predictor: InitialPredictor,
    with_degraded: bool = False,
    predictors: Mapping[str, InitialPredictor] = MappingProxyType({}),
) -> Pool:
    """Prepares the adapter's pictures: what Stage II derives from each pair, and the degraded picture if it is used.

    ``predictors`` are key -> the predictor of this photograph, where it is not ``predictor``.
    """
    device = next(prior.network.parameters()).device

    def prepare(versioned: str) -> Prepared:
        pair, own_predictor = pairs.prepare(versioned), predictors.get(versioned.rpartition("#")[0], predictor)
        derived = inputs_of(pair["degraded"][None].to(device), experiment, own_predictor, prior, prior.encoder)
        known = pair if with_degraded else {"clean": pair["clean"]}
        own = {name: tensor[0].cpu() for name, tensor in derived._asdict().items() if tensor is not None}
        return {**known, **own, "code": _kept_code(derived.code[0])}

    return Pool(pairs.keys, prepare, experiment.data.cache_mb, place_of(prior.encoder), pairs.fresh)


def own_guided_pool(
    prior_folder: Path, predictor_folder: Path, with_degraded: bool, fold_folders: Sequence[Path], session: Session
) -> Pool:
    """Prepares the adapter's pictures of a session, with a prior and predictors that are read from their folders."""
    builder = session.builder
    networks = load_prior(prior_folder, builder), load_predictor(predictor_folder, builder)
    folds = [load_predictor(folder, builder) for folder in fold_folders]
    return cached_guided_pool(session, *networks, with_degraded, folds=folds)


def cached_guided_pool(
    session: Session,
    prior: Prior,
    predictor: InitialPredictor,
    with_degraded: bool = False,
    split: str = "train",
    folds: Sequence[InitialPredictor] = (),
) -> Pool:
    """Prepares the adapter's pictures of a session; see ``guided_pool``. What is derived is kept on disk.

    ``folds`` are the predictors that were trained without each fold of the photographs, and make its estimates.
    """
    experiment, pairs = session.experiment, pair_pool(session, session.experiment.training.adapter.patch, split)
    if not pairs.fresh:
        prior, predictor = kept_prior(session, prior), kept_predictor(session, predictor)
        folds = [kept_predictor(session, one) for one in folds]
    numbers = fold_numbers(session.pictures(split), len(folds)) if folds else {}
    predictors = {key: folds[number] for key, number in numbers.items()}
    return guided_pool(experiment, pairs, prior, predictor, with_degraded, predictors)


def layer_scale(
    pool: Pool, picture: str, base: str, seed: int, photographs: int = SCALE_PHOTOGRAPHS, base_of: BaseOf = given_base
) -> float:
    """Measures the standard deviation of picture - base over a pool.

    It uses a fixed sample of the pool. ``base_of`` makes the base of the picture and of what is held as ``base``,
    which is the base itself by default. The result is in units of the picture.
    """
    moments = Moments()
    chosen = torch.randperm(len(pool), generator=generator(seed, "scale"))[:photographs].tolist()
    pool.expect(chosen)
    for i in chosen:
        prepared = pool[i]
        whole = prepared[picture][None]
        moments.add((whole - base_of(whole, prepared[base][None]))[0])
    return math.sqrt(moments.variance())


def require_layer(scale: float, layer: str, remedy: str, setting: str = "data.train") -> float:
    """Returns the scale of a layer that the training pictures have.

    Raises ConfigError, which names the ``layer`` and the ``remedy``, if there is none: the training would divide by it.
    """
    # not for NaN: the component that makes it is named when the training meets it
    if scale < FLAT:
        raise ConfigError(
            f"{setting}: {layer} has a standard deviation of {scale:.1g} over the training pictures, so that there is "
            f"nothing to learn; {remedy}"
        )
    return scale


def build_augmentations(builder: Builder) -> list[PatchAugmentation]:
    """Builds the augmentations of the experiment, in their order."""
    paths = (f"data.augmentations.{i}" for i in range(len(builder.experiment.data.augmentations)))
    return [builder.build(AUGMENTATION, path) for path in paths]


def cut_patches(builder: Builder, pool: Pool, settings: Training) -> Patches:
    """Cuts patches from a pool, and augments them, as the experiment says."""
    experiment, augmentations = builder.experiment, build_augmentations(builder)
    return Patches(pool, settings.patch, experiment.seed, experiment.data.patches_per_photograph, augmentations)
