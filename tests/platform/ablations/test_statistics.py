"""The statistics of an ablation against closed forms, scipy, and data whose truth is known."""

import math

import numpy as np
import pytest
from scipy import stats

from texprior.ablations.statistics import (
    Difference,
    _two_way_weights,
    bootstrap_replicates,
    compare_arms,
    degrees_of_freedom,
    difference_p,
    holm_correction,
    least_t,
    seed_sd,
    standard_error,
    two_way_interval,
    wilcoxon_p,
)
from texprior.evaluation.intervals import mean_interval


def crossed(rng, trainings, pictures, seeds, arm, rest):
    """Scores of an arm, (S, N): effects of its trainings, of the pictures on this arm, and of both together."""
    return (
        rng.normal(0, seeds, (trainings, 1))
        + rng.normal(0, arm, (1, pictures))
        + rng.normal(0, rest, (trainings, pictures))
    )


def test_holm_by_hand():
    # sorted .005, .01, .03, .04, times 4, 3, 2, 1: .02, .03, .06, .04, and never below an earlier one
    assert holm_correction([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm_correction([0.6, 0.9]) == [1.0, 1.0]
    assert holm_correction([0.02]) == [0.02]
    assert holm_correction([]) == []


def test_the_signed_rank_test_is_exact():
    # all of n differences on one side: 2 of the 2^n equally likely signs are as extreme
    assert wilcoxon_p(np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.6])) == pytest.approx(2 / 2**6)
    # the smallest rank on the other side, by hand: W = 1, signs with W <= 1 are {} and {1}: 4 of 2^6
    assert wilcoxon_p(np.array([-0.1, 0.2, 0.3, 0.4, 0.5, 0.6])) == pytest.approx(4 / 2**6)
    assert wilcoxon_p(np.array([0.0, 0.0, 0.1, 0.2, 0.3])) == pytest.approx(2 / 2**3)  # zeros are left out
    assert wilcoxon_p(np.zeros(5)) == 1.0
    assert math.isnan(wilcoxon_p(np.empty(0)))


def test_the_resamples_have_the_variance_of_a_crossed_design():
    rng = np.random.default_rng(0)
    arm, baseline = crossed(rng, 3, 10, 0.5, 1, 0.3), crossed(rng, 4, 10, 0.5, 1, 0.3)
    scores = np.concatenate([arm, -baseline])

    def covariance(n):  # of the weights of n units in n - 1 draws, all equally likely
        return (np.eye(n) - 1 / n) / (n * (n - 1))

    between = np.zeros((7, 7))
    between[:3, :3], between[3:, 3:] = covariance(3), covariance(4)
    share = np.repeat([1 / 3, 1 / 4], [3, 4])
    of_pictures = share @ scores @ covariance(10) @ scores.T @ share
    of_seeds = scores.mean(1) @ between @ scores.mean(1)
    of_both = np.trace(scores @ covariance(10) @ scores.T @ between)
    # drawing n - 1 of n makes each part the textbook's unbiased s^2 / n
    difference = arm.mean(0) - baseline.mean(0)
    assert of_pictures == pytest.approx(difference.var(ddof=1) / 10)
    assert of_seeds == pytest.approx(arm.mean(1).var(ddof=1) / 3 + baseline.mean(1).var(ddof=1) / 4)
    found = bootstrap_replicates(arm, baseline, 200_000, seed=1)
    assert found.mean() == pytest.approx(difference.mean(), abs=4 * math.sqrt(found.var() / 200_000))
    assert found.var() == pytest.approx(of_pictures + of_seeds + of_both, rel=0.015)


def test_the_resamples_of_equal_arms_are_drawn_once():
    _two_way_weights.cache_clear()
    arms = np.random.default_rng(0).normal(size=(5, 3, 10))
    for arm in arms:
        bootstrap_replicates(arm, arms[0], 100, seed=1)
    assert _two_way_weights.cache_info().misses == 1


def test_the_degrees_of_freedom_are_welchs():
    rng = np.random.default_rng(1)
    one, two = rng.normal(0, 1, 3), rng.normal(0, 2, 5)
    alike = np.ones((1, 20))  # pictures that do not differ leave the seeds' variances alone
    assert degrees_of_freedom(one[:, None] * alike, two[:, None] * alike) == pytest.approx(
        stats.ttest_ind(one, two, equal_var=False).df
    )
    assert degrees_of_freedom(rng.normal(size=(1, 24)), rng.normal(size=(1, 24))) == 23
    assert degrees_of_freedom(alike, alike) == math.inf


def test_with_one_training_the_interval_is_the_pictures_own():
    arm, baseline = np.random.default_rng(2).normal(0, 1, (2, 1, 400))
    expected = stats.ttest_rel(arm[0], baseline[0]).confidence_interval(0.95)
    found = two_way_interval(arm, baseline, resamples=20_000)
    assert found == pytest.approx((expected.low, expected.high), abs=0.03 * (expected.high - expected.low))
    # an evaluation's interval of the same pictures is the same one
    assert two_way_interval(arm, baseline, 2000) == pytest.approx(mean_interval(arm[0] - baseline[0], 2000))


def test_equal_differences_leave_no_interval():
    baseline = np.random.default_rng(3).normal(0, 1, (2, 8)).mean(0, keepdims=True)
    assert two_way_interval(baseline + 0.25, baseline) == pytest.approx((0.25, 0.25))
    assert all(map(math.isnan, two_way_interval(np.ones((2, 5)), np.zeros((2, 5)))))  # fewer than six pictures


@pytest.mark.parametrize("seeds", [0.0, 0.3, 1.0])
def test_the_interval_holds_the_truth_as_often_as_it_says(seeds):
    """With three trainings, 400 ablations without a difference; a share of .95 has a standard error of .011 there."""
    rng, held = np.random.default_rng(4), 0
    for _ in range(400):
        low, high = two_way_interval(*(crossed(rng, 3, 24, seeds, 0.7, 0.3) for _ in range(2)), resamples=1000)
        held += low <= 0 <= high
    assert 0.925 <= held / 400 <= 0.985


def test_arms_against_a_baseline():
    rng = np.random.default_rng(5)
    pictures = rng.normal(0.2, 0.05, (1, 12))
    losses = {
        "base": pictures + rng.normal(0, 1e-4, (3, 12)),
        "good": pictures - 0.02 + rng.normal(0, 1e-3, (3, 12)),
        "same": pictures + rng.normal(0, 1e-2, (3, 12)),
    }
    found = compare_arms(losses, "base")
    assert list(found) == ["good", "same"]
    good, same = found["good"], found["same"]
    differences = losses["good"].mean(0) - losses["base"].mean(0)
    assert good.mean == pytest.approx(differences.mean())
    assert good.p == difference_p(losses["good"], losses["base"])
    assert good.p_holm == pytest.approx(2 * good.p)  # the smaller of two
    assert good.p_pictures == pytest.approx(2 / 2**12)  # better on all twelve
    assert (good.wins, good.ties, good.pictures) == (12, 0, 12)
    assert good.low < good.mean < good.high < 0
    assert good.separated
    assert good.better
    assert same.p == same.p_holm == difference_p(losses["same"], losses["base"])
    assert same.p_pictures == pytest.approx(stats.wilcoxon(losses["same"].mean(0), losses["base"].mean(0)).pvalue)
    assert not same.separated


def test_p_by_hand():
    """Pictures differ by 1, 2, 6 and seed means by 2: v = 7/3, 1 and 1/4, so t = 3 / sqrt(43/12) of 2.69 degrees."""
    arm = np.array([[0.0, 1.0, 5.0], [2.0, 3.0, 7.0]])  # seed means 2 and 4: s^2 / n = 2 / 2
    baseline = np.array([[0.5, 0.5, 0.5], [-0.5, -0.5, -0.5]])  # .5 and -.5: .5 / 2
    variance = 7 / 3 + 1 + 1 / 4
    freedom = variance**2 / ((7 / 3) ** 2 / 2 + 1 / 1 + (1 / 4) ** 2 / 1)
    assert difference_p(arm, baseline) == pytest.approx(2 * stats.t.sf(3 / math.sqrt(variance), freedom))


def test_p_of_one_sampling_is_the_paired_test():
    arm, baseline = np.random.default_rng(2).normal(0, 1, (2, 1, 24))
    assert difference_p(arm, baseline) == pytest.approx(stats.ttest_rel(arm[0], baseline[0]).pvalue)


def test_p_of_pictures_that_do_not_differ_is_welchs():
    rng = np.random.default_rng(1)
    one, two = rng.normal(0, 1, 3), rng.normal(1, 2, 5)
    alike = np.ones((1, 20))
    expected = stats.ttest_ind(one, two, equal_var=False).pvalue
    assert difference_p(one[:, None] * alike, two[:, None] * alike) == pytest.approx(expected)
    assert difference_p(np.ones((2, 8)), np.ones((2, 8))) == 1.0
    assert difference_p(np.full((2, 8), 1.25), np.ones((2, 8))) == 0.0


def test_the_luck_of_training_is_in_the_verdict():
    """Better on every picture by the same amount, but trainings of the arm differ by more: Wilcoxon sees no luck."""
    rng = np.random.default_rng(6)
    baseline = rng.normal(0.2, 0.05, (1, 24)) + np.array([[0.0], [0.001], [-0.001]])
    arm = baseline[:1] + np.array([[0.0], [-0.01], [-0.03]]) + rng.normal(0, 1e-4, (3, 24))
    found = compare_arms({"base": baseline, "arm": arm}, "base")["arm"]
    assert found.p_pictures < 1e-6
    assert found.p > 0.1
    assert not found.separated


def test_one_training_is_not_tested():
    rng = np.random.default_rng(7)
    losses = {
        "base": rng.normal(0, 0.1, (2, 12)),
        "once": rng.normal(1, 0.1, (1, 12)),
        "twice": rng.normal(1, 0.1, (2, 12)),
        "thrice": rng.normal(0, 0.1, (3, 12)),
    }
    found = compare_arms(losses, "base")
    assert {arm: d.not_tested for arm, d in found.items()} == {"once": "one training", "twice": "", "thrice": ""}
    assert math.isnan(found["once"].p)
    assert math.isnan(found["once"].p_holm)
    assert [d.separated for d in found.values()] == [False, True, False]
    assert found["twice"].p_holm == pytest.approx(2 * found["twice"].p)  # Holm's family is what is tested: two arms
    of_once = compare_arms(losses, "once")
    assert {d.not_tested for d in of_once.values()} == {"one training of the baseline"}
    assert not any(d.separated for d in of_once.values())


def test_one_sampling_of_one_trained_model_is_tested_over_pictures():
    rng = np.random.default_rng(8)
    losses = {"base": rng.normal(0, 0.1, (1, 12)), "arm": rng.normal(1, 0.1, (1, 12))}
    found = compare_arms(losses, "base", sampled=True)["arm"]
    assert (found.not_tested, found.separated) == ("", True)
    alone = {name: scores[:, :1] for name, scores in losses.items()}
    assert compare_arms(alone, "base", sampled=True)["arm"].not_tested == "one picture"


def test_separated_is_decided_by_the_corrected_p_alone():
    def found(low, high, p_holm):
        return Difference(-0.1, low, high, 0.001, p_holm, 0.001, 5, 0, 8).separated

    assert found(-0.2, -0.01, 0.04)
    assert found(-0.2, 0.01, 0.04)
    assert found(math.nan, math.nan, 0.01)
    assert not found(-0.2, -0.01, 0.05)
    assert not found(-0.2, -0.01, math.nan)


def test_least_t_is_students_table():
    assert least_t(2, 1) == pytest.approx(4.303, abs=1e-3)
    assert least_t(4, 5) == pytest.approx(4.604, abs=1e-3)  # two-sided .01


def test_spreads():
    losses = np.array([[1.0, 2.0, 6.0], [3.0, 4.0, 8.0]])  # means over pictures 3 and 5, over seeds 2, 3, 7
    assert seed_sd(losses) == pytest.approx(math.sqrt(2))
    assert standard_error(losses) == pytest.approx(math.sqrt(7 / 3))
    assert math.isnan(seed_sd(losses[:1]))
    assert math.isnan(standard_error(losses[:, :1]))
