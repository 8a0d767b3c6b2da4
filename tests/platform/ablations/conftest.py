"""Scores of trainings on twelve pictures, and what an ablation finds in them."""

import numpy as np
import pytest

from texprior.ablations.comparison import results_of, training_scores
from texprior.evaluation.scores import Score, Scores

BETTER = {"psnr": "higher", "lpips": "lower", "ratio": "one"}
PICTURES = [f"p{n:02}" for n in range(12)]


@pytest.fixture(scope="session")
def training():
    def training(values, pictures=PICTURES):
        """Scores of one training: metric -> one value for each picture, or a number for all."""
        rows = [Score("predictor", p, metric, 1.0) for metric in values for p in pictures]
        for metric, given in values.items():
            each = np.broadcast_to(given, len(pictures))
            rows += [
                Score("restored 4 calls", p, metric, float(v), 4, 1.0) for p, v in zip(pictures, each, strict=True)
            ]
        return training_scores(Scores(tuple(rows), BETTER))

    return training


@pytest.fixture(scope="session")
def found():
    """found(metric, ARM=trainings): the results of an ablation whose baseline is the first arm."""

    def found(metric="lpips", **arms):
        return results_of(arms, list(arms), next(iter(arms)), metric, BETTER)

    return found
