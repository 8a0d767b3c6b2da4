"""Decompositions against the libraries that have the same filter; degradations against the training that eats them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray

from material import photographs, session, training_session
from rounds import Row, Size, Target, interleaved
from texprior.flow.decompose import decompose
from texprior.flow.degrade import degraded_sample
from texprior.flow.image import Sample
from texprior.flow.kinds import DECOMPOSITION, DEGRADATION
from texprior.plugin import Options, Ref
from training import cases, steps_of

Picture = NDArray[np.float32]
"""(H, W, 3) in [0, 1]."""
Filter = Callable[[Picture], object]
COMPOSED = {"sequence": {"steps": ["defocus", "jpeg"]}, "choice": {"of": ["defocus", "jpeg"]}}
"""Options of degradations that need some."""


def decomposition_rows(size: Size) -> Iterator[Row]:
    """Compares each decomposition of a batch of four with a library's filter, picture by picture.

    Where no library has the filter, the row compares the batch with its four pictures, one after the other.
    """
    import cv2

    cv2.setNumThreads(torch.get_num_threads())
    at = session()
    batch = photographs(at, 2, 64) if size.quick else photographs(at, 4, 256)
    pictures = [np.ascontiguousarray(p.permute(1, 2, 0).numpy()) for p in batch]
    for entry in at.registry.entries("decomposition"):
        name = entry.component.name
        filter_ = at.registry.build(DECOMPOSITION, Ref(name=name))
        library, theirs = library_filter(name, entry.component.options())
        alone = partial(_each, partial(decompose, decomposition=filter_), batch.split(1))
        works = {
            "ours": partial(decompose, batch, filter_),
            "theirs": partial(_each, theirs, pictures) if theirs else alone,
        }
        slow = bool(getattr(entry.component, "slow", False))
        times = interleaved(works, size.rounds(3 if slow else 9), size.clock, warm=not slow)
        what = f"decomposition {name}, {len(batch)} x {batch.shape[-1]}x{batch.shape[-1]}"
        against = library or "none (no library here has it); itself, picture by picture"
        yield times.row(what, against, "ours", "theirs", Target("<=", 1) if theirs else None)


def _each(work: Callable[..., object], pictures: object) -> None:
    for picture in pictures:  # type: ignore[attr-defined]
        work(picture)


def library_filter(name: str, options: Options) -> tuple[str, Filter | None]:
    """Returns the name of a library's function for a decomposition with these options, and the function."""
    import cv2
    from skimage.restoration import denoise_tv_chambolle

    o = options.model_dump()
    if name == "gaussian":
        return "OpenCV GaussianBlur", lambda p: cv2.GaussianBlur(p, (0, 0), o["sigma"])
    if name == "laplacian":
        return "OpenCV pyrDown, pyrUp", partial(_pyramid, levels=round(o["levels"]))
    if name == "wavelet":
        return "PyWavelets wavedec2, waverec2", partial(_wavelet, levels=round(o["levels"]), moments=o["moments"])
    if name == "bilateral":
        window = 2 * int(np.ceil(3 * o["sigma_space"])) + 1
        return "OpenCV bilateralFilter", lambda p: cv2.bilateralFilter(p, window, o["sigma_range"], o["sigma_space"])
    if name == "domain_transform":
        how = {"flags": cv2.RECURS_FILTER, "sigma_s": o["sigma_space"], "sigma_r": o["sigma_range"]}
        return "OpenCV edgePreservingFilter, 8 bits", lambda p: cv2.edgePreservingFilter(np.uint8(255 * p), **how)
    if name == "tv":
        # as exact as ours is: its own criterion, a change below 2e-4, stops earlier
        how = {"weight": o["lam"], "channel_axis": -1, "eps": 1e-5}
        return "scikit-image denoise_tv_chambolle", lambda p: denoise_tv_chambolle(p, **how)
    return "", None


def _pyramid(picture: Picture, levels: int) -> object:
    import cv2

    sizes, small = [], picture
    for _ in range(levels):
        sizes.append(small.shape[1::-1])
        small = cv2.pyrDown(small)
    for shape in reversed(sizes):
        small = cv2.pyrUp(small, dstsize=shape)
    return small


def _wavelet(picture: Picture, levels: int, moments: int) -> object:
    import pywt

    low, *details = pywt.wavedec2(picture, f"db{moments}", mode="symmetric", level=levels, axes=(0, 1))
    none = [tuple(np.zeros_like(d) for d in bands) for bands in details]
    return pywt.waverec2([low, *none], f"db{moments}", mode="symmetric", axes=(0, 1))


def degradation_rows(size: Size) -> Iterator[Row]:
    """Compares the time to degrade one photograph for each patch of a batch with the training step that eats the batch.

    At most 1 means that one worker keeps up, even if nothing is kept in memory and each visit cuts one patch.
    """
    at = training_session(size)
    predictor = next(case for case in cases(at) if case.stage == "predictor")
    batch, side = predictor.trainee.settings.batch, 64 if size.quick else 256
    sample = Sample("p", photographs(at, 1, side)[0])
    works: dict[str, Callable[[], object]] = {}
    for entry in at.registry.entries("degradation"):
        name = entry.component.name
        degradation = at.registry.build(DEGRADATION, _ref(name))
        works[name] = partial(degraded_sample, sample, degradation, 0, 0)
    with closing(steps_of(predictor.trainee, predictor.loss)) as events:
        works["step"] = partial(next, events)
        times = interleaved(works, size.rounds(7), size.clock)
    appetite = batch / times.row("", "", "step", "step", None).ours
    for name in works:
        if name == "step":
            continue
        rate = 1 / times.row("", "", name, "step", None).ours
        note = f"{rate:.0f} pictures/s; the step eats {appetite:.0f} patches/s"
        what = f"degradation {name}, {batch} photographs of {side}x{side}"
        yield times.row(what, "the predictor's step on as many", name, "step", Target("<=", 1), note, scale=batch)


def _ref(name: str) -> Ref:
    return Ref(name=name, options=COMPOSED.get(name, {}))
