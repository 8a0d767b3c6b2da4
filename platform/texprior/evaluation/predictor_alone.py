"""Scores a predictor's estimates as restored pictures, without prior and adapter."""

from __future__ import annotations

import torch
from torch import Tensor

from texprior.errors import ImageError
from texprior.evaluation.evaluate import Evaluated, Keep, Meters, collect, pair_loader, version_scores
from texprior.evaluation.judged import Judged
from texprior.evaluation.metrics import build_metrics
from texprior.flow.measure import Gathered, against
from texprior.flow.orient import ORIENTATIONS, Orientation
from texprior.flow.predict import InitialPredictor, predict
from texprior.flow.tile import in_tiles
from texprior.runtime.session import Session

RESTORED = "restored 0 calls"
"""The method of the restored pictures in scores.csv: the denoiser is never called."""


def evaluate_predictor(session: Session, predictor: InitialPredictor, keep: Keep) -> Evaluated:
    """Scores a predictor on the experiment's evaluation split; otherwise as ``evaluate``.

    The restored picture is the estimate; with ``sampling.self_ensemble`` the mean of those in several orientations, as
    for a whole model.
    """
    choice, metrics, load = session.experiment.evaluation, build_metrics(session), pair_loader(session)
    keys, tiling = session.pictures(choice.split).keys[: choice.limit], session.experiment.sampling
    orientations = ORIENTATIONS[: tiling.self_ensemble]

    def in_orientation(orientation: Orientation, degraded: Tensor) -> Tensor:
        laid = orientation.lay(degraded).contiguous()
        return orientation.back(in_tiles(lambda tile: predict(tile, predictor), laid, tiling.tile, tiling.halo))

    def judge(number: int) -> Judged:
        key, gathered = keys[number], Gathered(metrics.sets)
        try:
            reference, degraded = load(key)
        except ImageError as error:
            return Judged(number, key, broken=str(error))
        estimate = torch.stack([in_orientation(each, degraded) for each in orientations]).mean(0)
        shown = {"degraded": degraded, "predictor": estimate, RESTORED: estimate}
        meters = Meters(against(metrics.images, reference), gathered)
        scores = [s for name, image in shown.items() for s in version_scores(name, key, reference, image, meters)]
        versions = {"degraded": degraded, "predictor": estimate, "restored": estimate, "reference": reference}
        return Judged(number, key, scores, gathered.seen, {name: image[0].cpu() for name, image in versions.items()})

    return collect(session, metrics, len(keys), map(judge, range(len(keys))), keep)[0]
