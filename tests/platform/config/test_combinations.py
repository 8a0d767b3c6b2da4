"""Components that cannot work together are refused before anything starts, by what their records declare."""

import pytest

from texprior.config import load


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "sampling: {schedule: ddpm-linear, sigma_max: 200}",
            "e.yaml:2: sampling.sigma_max: 200.0 is beyond the schedule 'ddpm-linear', which ends at 157.4",
        ),
        (
            "training: {adapter: {decay: cosine, budget: {images: 800, seconds: 60}}}",
            "e.yaml:2: training.adapter.decay: decay 'cosine' ends at the last of budget.images, but budget.seconds "
            "may stop the training before that; use decay: constant, or leave out budget.seconds",
        ),
        (
            "training: {adapter: {decay: cosine}}\nsweep: {rungs: [0.5]}",
            "e.yaml:3: sweep.rungs: a trial continues after each rung, which needs training.adapter.decay: constant",
        ),
    ],
)
def test_what_cannot_work_together_is_refused_with_a_sentence(complaint, text, expected):
    assert complaint(f"name: x\n{text}") == expected


def test_what_works_together_is_accepted(registry, write):
    text = "name: x\nsampling: {schedule: ddpm-linear, sigma_max: 100}\ntraining: {prior: {decay: cosine}}"
    assert load(write(text), registry).training.prior.decay.name == "cosine"
