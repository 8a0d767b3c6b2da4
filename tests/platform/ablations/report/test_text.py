"""The sentences of a report: who is separated from the baseline, and who is not."""

import math
from dataclasses import replace

import numpy as np
import pytest

from texprior.ablations.comparison import results_of
from texprior.ablations.report import text
from texprior.config import resolve
from texprior.registry import Registry

BETTER = {"psnr": "higher", "lpips": "lower", "ratio": "one"}


@pytest.fixture(scope="module")
def experiment():
    return resolve({"name": "x"}, Registry.discover())


def test_the_sentence_says_who_is_separated_and_who_is_not(training, found):
    rng = np.random.default_rng(0)
    values = rng.normal(0.2, 0.03, 12)

    def arm(shift, noise):
        return [training({"lpips": values + shift + rng.normal(0, noise, 12)}) for _ in range(3)]

    results = found(
        base=arm(0, 1e-4), good=arm(-0.02, 1e-3), fine=arm(-0.01, 1e-3), bad=arm(0.03, 1e-3), even=arm(0, 0.02)
    )
    assert text.answer_sentence(results) == (
        "By lpips (lower is better): good and fine are separated from base, and better; "
        "bad is separated from base, and worse; even is not separated from base."
    )
    assert text.evidence_sentence(results, "val") == "12 pictures of the split val, 3 trainings of each arm."
    assert [row[0] for row in text.ranking_rows(results)] == results.ranking()


def test_the_first_sentence_is_about_the_predictor_alone(training, found):
    rng = np.random.default_rng(0)
    values = rng.normal(0.2, 0.03, 12)

    def answer(shift, trainings=3, unit="flops", **more):
        arms = {"base": (0, 3), "predictor alone": (shift, trainings), **more}
        scores = {
            name: [training({"lpips": values + by + rng.normal(0, 1e-3, 12)}) for _ in range(count)]
            for name, (by, count) in arms.items()
        }
        return text.answer_sentence(replace(found(**scores), rival="predictor alone", unit=unit))

    wins = answer(0.02, bad=(0.03, 3))
    assert wins.startswith("With the same compute, the predictor alone scores 0.2")
    assert " lpips (difference from base +0.0" in wins
    assert "): base wins. By lpips (lower is better): bad is separated from base, and worse." in wins
    assert answer(-0.02).endswith("]): base loses.")
    assert answer(0).endswith("]): base is not separated from it.")
    assert answer(0.02, trainings=1).endswith(": the difference is not tested: one training.")
    assert answer(0.02, unit="images").startswith("Trained on as many images, the predictor alone scores")
    failed = replace(found(base=[training({"lpips": values})]), rival="predictor alone")
    assert text.answer_sentence(failed) == "With the same compute, the predictor alone has no lpips yet."


def test_one_training_is_called_not_tested_everywhere(training, found):
    rng = np.random.default_rng(1)
    values = rng.normal(0.2, 0.03, 12)

    def arm(shift, trainings):
        return [training({"lpips": values + shift + rng.normal(0, 1e-3, 12)}) for _ in range(trainings)]

    results = found(base=arm(0, 3), good=arm(-0.02, 3), once=arm(-0.03, 1), even=arm(0, 3), single=arm(0.01, 1))
    assert text.answer_sentence(results) == (
        "By lpips (lower is better): good is separated from base, and better; even is not separated from base; "
        "once and single are not tested: one training."
    )
    assert text.evidence_sentence(results, "val").endswith(
        "If an arm was trained once, its interval does not include the luck of training, and it is not tested."
    )
    once = text.metric_texts(results, "once", "lpips")
    assert (once["p"], once["verdict"]) == ("-", "not tested: one training")
    assert once["interval"].startswith("[-0.03")
    assert "| not tested: one training |" in text.report_markdown(results, "val")
    alone = found(base=arm(0, 1), other=arm(-0.03, 2))
    assert text.answer_sentence(alone).endswith("other is not tested: one training of the baseline.")


def test_one_sampling_of_one_model_is_tested(training):
    values = np.random.default_rng(2).normal(0.2, 0.03, (2, 12)) - [[0.0], [0.2]]
    scores = {arm: [training({"lpips": row})] for arm, row in zip(("base", "other"), values, strict=True)}
    results = results_of(scores, ["base", "other"], "base", "lpips", BETTER, sampled=True)
    assert text.answer_sentence(results) == "By lpips (lower is better): other is separated from base, and better."
    assert text.evidence_sentence(results, "val", sampled=True).endswith("does not include the luck of sampling.")


def test_the_caveats_say_what_two_trainings_and_few_pictures_mean(training, experiment):
    def caveats(trainings, pictures, arms=3, sampled=False):
        rng = np.random.default_rng(3)
        names = [f"arm {n}" for n in range(arms)]
        keys = [f"p{n}" for n in range(pictures)]
        scores = {n: [training({"lpips": rng.normal(0, 1, pictures)}, keys) for _ in range(trainings)] for n in names}
        results = results_of(scores, names, names[0], "lpips", BETTER, sampled)
        return " ".join(text.list_caveats(results, [experiment] * arms, "test", sampled))

    # Student's t of two degrees of freedom at .05 / 2, two-sided: 6.205
    assert (
        "With 4 trainings in an arm and the baseline together and 2 arms to test, a difference whose uncertainty comes "
        "from the trainings is separated only beyond 6.2 standard errors."
    ) in caveats(2, 12)
    assert "standard errors" not in caveats(3, 12)
    assert "With 5 pictures the test is right only if differences are normally distributed." in caveats(3, 5)
    assert "normally distributed" not in caveats(3, 6)
    assert "normally distributed" not in caveats(1, 5)  # nothing is tested
    assert "normally distributed" in caveats(1, 5, sampled=True)


def test_an_arm_that_a_table_lacks_is_named(training, found, experiment):
    """A metric that is NaN on all pictures of one training: without a word, the arm would seem never to have run."""
    good = {"psnr": 30.0, "lpips": 0.1, "ratio": 1.0}
    results = found(base=[training(good)] * 2, broken=[training(good), training({**good, "lpips": math.nan})], later=[])
    said = [s for s in text.list_caveats(results, [experiment] * 3, "test") if "leaves out" in s]
    assert said == ["lpips leaves out broken: some training has no finite score in it."]


def test_without_a_baseline_there_is_no_answer(training):
    results = results_of({"other": [training({"lpips": 0.1})]}, ["base", "other"], "base", "lpips", BETTER)
    assert text.answer_sentence(results) == "The baseline base has no lpips to compare with: there is no answer."
    assert text.ranking_rows(results)[0][0] == "other"


def test_of_many_arms_the_sentence_says_how_many(training, found):
    rng = np.random.default_rng(4)
    values = rng.normal(0.2, 0.03, 12)

    def arms(shift, noise):
        return {
            f"arm {n}": [training({"lpips": values + shift + rng.normal(0, noise, 12)}) for _ in range(3)]
            for n in range(5)
        }

    base = {"base": [training({"lpips": values + rng.normal(0, 1e-3, 12)}) for _ in range(3)]}
    even = text.answer_sentence(found(**base, **arms(0, 0.02)))
    assert even == "By lpips (lower is better): none of the 5 other arms is separated from base."
    results = found(**base, **arms(-0.03, 1e-3))
    first, second = results.ranking()[:2]
    assert text.answer_sentence(results) == (
        f"By lpips (lower is better): 5 arms ({first}, {second}, ...) are separated from base, and better."
    )
