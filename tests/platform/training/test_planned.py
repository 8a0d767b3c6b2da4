"""What a dry run would say of a training, in words. The commands' dry runs are in cli/commands/test_train.py."""

from pathlib import Path

import pytest

from texprior.training.planned import Planned


@pytest.mark.parametrize(
    ("planned", "said"),
    [
        (Planned("prior", "reused", Path("runs/p"), 64), "prior: reused, runs/p"),
        (Planned("predictor", "trained here", Path("runs/e"), 6400), "predictor: trained here, 6,400 images"),
        (Planned("adapter", "trained here", None, 32, times=3), "adapter: trained here, 32 images, 3 times"),
        (
            Planned("predictor", "trained here", Path("runs/e"), 64, why="it differs from e-1: lr: 1 -> 2"),
            "predictor: trained here, 64 images; it differs from e-1: lr: 1 -> 2",
        ),
        (Planned("prior", "missing", Path("runs/p"), 0), "prior: missing (it would be runs/p); the command needs it"),
    ],
)
def test_a_training_in_words(planned, said):
    assert str(planned) == said
