"""A sweep in words."""

from dataclasses import replace
from pathlib import Path

import pytest

from texprior.evaluation.scores import Scores
from texprior.sweeps.records import Confirmed, StudyDone, TrialRecord
from texprior.sweeps.report import method_rows, predictor_warning, short_configuration, sweep_note


def test_a_configuration_in_short_names_components_and_the_ends_of_paths():
    params = {"adapter": "spade", "adapter.spade.width": 42, "training.adapter.lr": 0.001213}
    assert short_configuration(params) == "spade width=42 lr=0.00121"
    rates = {"training.prior.lr": 0.1, "training.adapter.lr": 0.2}
    assert short_configuration(rates) == "prior.lr=0.1 adapter.lr=0.2"


@pytest.fixture
def done():
    """A study whose best trial was trained again: its own value flatters it, the confirmed mean counts."""

    def done(better, predictor, confirmed):
        best = TrialRecord(4, {"adapter": "cga"}, {"m": 0.1, "calls": 4.0}, "finished")
        seeds = [Confirmed(4, [1, 2], [confirmed, confirmed], confirmed, 0.0, {"m": confirmed, "calls": 4.0})]
        places = {"model": Path("m"), "prior": Path("p"), "predictor": Path("e")}
        return StudyDone(
            study="s",
            storage="x",
            objectives={"m": better},
            parent_run={},
            best=best,
            trials=[best],
            front=[],
            confirmed=seeds,
            importance={},
            scores=Scores((), {"m": better}),
            metrics={"degraded": {"m": 0.9}, "predictor": {"m": predictor}, "restored 4 calls": {"m": confirmed}},
            **places,
        )

    return done


def test_the_best_trial_is_shown_beside_what_it_started_from(done):
    rows = {"degraded": {"m": 0.9}, "predictor": {"m": 0.6335}, "trial 4": {"m": 0.6445}}
    assert method_rows(done("lower", 0.6335, 0.6445)) == rows
    note = sweep_note(done("lower", 0.6335, 0.6445))
    assert "| degraded | 0.9 |\n| predictor | 0.6335 |\n| trial 4 | 0.6445 |" in note


@pytest.mark.parametrize(
    ("better", "predictor", "confirmed", "worse"),
    [
        ("lower", 0.6335, 0.6445, True),
        ("lower", 0.6335, 0.6335, False),
        ("higher", 28.7, 28.6, True),
        ("higher", 28.6, 28.7, False),
        ("one", 0.9, 1.2, True),
        ("one", 0.8, 1.1, False),
    ],
)
def test_a_winner_that_is_worse_than_its_predictor_gets_a_sentence(done, better, predictor, confirmed, worse):
    found = done(better, predictor, confirmed)
    text = predictor_warning(found)
    assert bool(text) == worse
    if worse:
        assert f"worse than its own predictor: m {confirmed:.4g} against {predictor:.4g}" in text
        assert text in sweep_note(found)


def test_a_study_is_a_table_and_a_frame_in_a_notebook(done):
    study = done("lower", 0.5, 0.4)
    pruned = TrialRecord(5, {"adapter": "sft", "adapter.sft.width": 16}, {}, "pruned", seconds=2.0)
    study = replace(study, trials=[study.best, pruned])
    frame = study.to_pandas()
    assert list(frame.columns) == ["number", "state", "seconds", "adapter", "adapter.sft.width", "m", "calls"]
    assert frame["number"].tolist() == [4, 5]
    assert frame["m"].isna().tolist() == [False, True]
    html = study._repr_html_()
    assert "<td>pruned</td>" in html
    assert "<th>m</th>" in html
    assert "calls" not in html
