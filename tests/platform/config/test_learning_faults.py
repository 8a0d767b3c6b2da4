"""First-party objectives, optimizers and decays that cannot work together, and the sentences that say so."""

import pytest

from texprior.config import load
from texprior.registry import Registry


@pytest.fixture(scope="module")
def registry():
    """The installed components, whose records decide."""
    return Registry.discover()


def of_stage(stage, text):
    return f"name: x\ntraining: {{{stage}: {{{text}}}}}\n"


@pytest.mark.parametrize("decay", ["cosine", "{linear: {end: 0.1}}", "warmup-stable-decay"])
@pytest.mark.parametrize("stage", ["prior", "predictor", "adapter"])
def test_a_decay_that_ends_with_the_budget_and_a_time_limit(complaint, stage, decay):
    name = decay.strip("{").split(":")[0]
    said = complaint(of_stage(stage, f"decay: {decay}, budget: {{images: 10, seconds: 5}}"))
    assert (
        f"training.{stage}.decay: decay '{name}' ends at the last of budget.images, but budget.seconds may stop" in said
    )
    assert "use decay: constant, or leave out budget.seconds" in said


@pytest.mark.parametrize("decay", ["cosine", "linear", "warmup-stable-decay"])
def test_a_decay_that_ends_with_the_budget_and_rungs(complaint, decay):
    said = complaint(f"name: x\ntraining: {{adapter: {{decay: {decay}}}}}\nsweep: {{rungs: [0.5]}}\n")
    assert "sweep.rungs: a trial continues after each rung, which needs training.adapter.decay: constant" in said


@pytest.mark.parametrize("objective", ["edm", "min-snr", "{combined: {terms: [l1, min-snr]}}"])
def test_an_objective_of_noise_levels_for_the_predictor(complaint, objective):
    said = complaint(of_stage("predictor", f"objective: {objective}"))
    assert "cannot be used here: this training learns pictures, which have no noise level" in said
    assert "training.predictor.objective" in said


@pytest.mark.parametrize("objective", ["adversarial", "{combined: {terms: [edm, adversarial]}}"])
def test_a_discriminator_and_an_optimizer_of_one_network(complaint, objective):
    said = complaint(of_stage("adapter", f"objective: {objective}, optimizer: schedule-free"))
    reason = (
        "'adversarial' has parts that are trained with the network, but optimizer 'schedule-free' trains one network"
    )
    assert reason in said
    assert "use optimizer: adamw" in said


@pytest.mark.parametrize(
    "text",
    [
        of_stage("predictor", "objective: {combined: {terms: [l1, {perceptual: {clamp: true}}], weights: [1, 0.1]}}"),
        of_stage("adapter", "objective: adversarial, optimizer: {torch: {name: Adam}}, decay: warmup-stable-decay"),
        of_stage("adapter", "objective: min-snr, optimizer: schedule-free, budget: {images: 10, seconds: 5}"),
    ],
)
def test_what_can_work_is_accepted(write, registry, text):
    assert load(write(text), registry).name == "x"
