"""What a training tells of its steps: means over windows, the last of which may be shorter."""

from types import SimpleNamespace

import pytest

from texprior.config import Budget, Training
from texprior.training.loop import Step
from texprior.training.step_reports import StepReports


class Run:
    def __init__(self):
        self.told = {}

    def step(self, images_seen, **metrics):
        self.told[images_seen] = metrics


def told_of(losses, every):
    settings = Training(budget=Budget(images=2 * len(losses)), batch=2, log_every_images=every)
    trainee, run = SimpleNamespace(settings=settings, skipped_steps=0), Run()
    reports = StepReports(SimpleNamespace(progress=lambda *_: None), "prior", trainee, run, None)
    for number, loss in enumerate(losses, 1):
        reports.report(Step(2 * number, loss, 1.0, 0.1, 5.0, False))
    reports.close()
    reports.close()
    return {images: metrics["prior.loss"] for images, metrics in run.told.items()}


@pytest.mark.parametrize(
    ("every", "means"),
    [(4, {4: 1.5, 8: 3.5, 10: 5.0}), (100, {10: 3.0}), (10, {10: 3.0})],
    ids=["a rest", "shorter than a window", "no rest"],
)
def test_every_step_is_in_one_window(every, means):
    assert told_of([1.0, 2.0, 3.0, 4.0, 5.0], every) == means
