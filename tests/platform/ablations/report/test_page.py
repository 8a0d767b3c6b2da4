"""The tables of a report."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from texprior import config
from texprior.ablations.cells import Outcome
from texprior.ablations.report.page import _costs, _summary_rows
from texprior.ablations.statistics import difference_p, two_way_interval, wilcoxon_p
from texprior.registry import Registry
from texprior.training.folders import Place


def test_the_summary_has_interval_and_p_in_the_metrics_own_direction(training, found):
    rng = np.random.default_rng(0)
    pictures = rng.normal(30, 2, 12)
    base, other = (pictures + rng.normal(shift, 0.5, (3, 12)) for shift in (0, 1))
    results = found(
        "psnr", base=[training({"psnr": row}) for row in base], other=[training({"psnr": row}) for row in other]
    )
    head, *rows = _summary_rows(results)
    (row,) = (dict(zip(head, row, strict=True)) for row in rows if (row[0], row[2]) == ("other", "psnr"))

    # as losses, higher scores are lower: the ends change sides
    low, high = two_way_interval(-other, -base)
    differences = other.mean(0) - base.mean(0)
    p = difference_p(other, base)
    expected = [differences.mean(), -high, -low, p, p, wilcoxon_p(differences)]
    names = ("difference", "low", "high", "p", "p_holm", "p_pictures")
    assert [float(row[name]) for name in names] == pytest.approx(expected, rel=1e-5)
    assert 0 < -high < -low
    assert (row["separated"], row["not_tested"]) == ("true", "")
    assert row["wins"] == (differences > 0).sum()


def test_the_trainings_of_folds_are_counted():
    """Two arms share a predictor, one of them with three folds: four predictors were trained."""

    def cell(folds, name):
        experiment = config.resolve({"name": "x", "training": {"folds": folds}}, Registry.discover())
        predictor, prior = Place("", Path("predictor")), Place("", Path("prior"))
        return SimpleNamespace(experiment=experiment, predictor=predictor, prior=prior, folder=Path("cell") / name)

    cells = [cell(1, "a"), cell(3, "b")]
    done = Outcome("finished", images={"prior": 64, "predictor": 32, "adapter": 16}, model="model")
    rows = {row[0]: row[1:] for row in _costs(SimpleNamespace(cells=cells), [(each, done) for each in cells])}
    assert rows["predictor"] == ["4", "32", "64x64", "128"]
    assert rows["prior"][0] == "1"


def test_a_training_that_a_longer_one_goes_on_with_is_counted_once_and_patches_are_those_of_all():
    """The predictor alone continues the baseline's predictor, as a constant learning rate allows."""

    def cell(name, patch):
        training = {"adapter": {"patch": patch}}
        experiment = config.resolve({"name": "x", "training": training}, Registry.discover())
        prior, predictor = Place("a", Path("prior")), Place("b", Path(f"predictor-{name}"))
        return SimpleNamespace(experiment=experiment, predictor=predictor, prior=prior, folder=Path("cell") / str(name))

    images = {"prior": 64, "predictor": 32, "adapter": 16}
    ended = [
        (cell(n, patch), Outcome("finished", images=images, model=f"model-{n}-16")) for n, patch in ((1, 32), (2, 64))
    ]
    alone = cell(3, 64)
    alone.prior = None
    ended.append((alone, Outcome("finished", images={"predictor": 112}, model="predictor-b-112")))
    rows = {row[0]: row[1:] for row in _costs(SimpleNamespace(cells=[]), ended)}
    assert rows == {
        "prior": ["1", "64", "64x64", "64"],
        "predictor": ["1", "112", "64x64", "112"],
        "adapter": ["2", "16", "32x32, 64x64", "32"],
    }
