"""What a report says of the arms' compute."""

from types import SimpleNamespace

import pytest

from texprior import config
from texprior.ablations.cells import Outcome
from texprior.ablations.report.compute import (
    _prepared_anew,
    _stages_of,
    _unequal,
    compute_numbers,
    compute_rows,
    flops_of,
    format_flops,
)
from texprior.registry import Registry

PER_IMAGE = {"prior": 3_000_000, "predictor": 1_000_000, "adapter": 4_000_000}
WHOLE = Outcome("finished", images={"prior": 1000, "predictor": 500, "adapter": 250}, flops=PER_IMAGE)
ALONE = Outcome("finished", images={"predictor": 4500}, flops=PER_IMAGE)


def test_flops_are_those_of_the_images_that_were_seen():
    assert flops_of([WHOLE]) == {"prior": 3e9, "predictor": 5e8, "adapter": 1e9}
    assert flops_of([Outcome("failed"), ALONE]) == {"prior": 0, "predictor": 4.5e9, "adapter": 0}
    assert flops_of([Outcome("finished", images={"predictor": 4500})]) == {}  # a cell of an earlier version
    assert compute_numbers([WHOLE]) == {"compute/flops": 4.5e9, "compute/flops_without_prior": 1.5e9}
    assert compute_rows({"own": flops_of([WHOLE]), "alone": flops_of([ALONE])}) == [
        ["own", "3.00 GFLOP", "500 MFLOP", "1.00 GFLOP", "4.50 GFLOP", "1.50 GFLOP"],
        ["alone", "-", "4.50 GFLOP", "-", "4.50 GFLOP", "4.50 GFLOP"],
    ]


@pytest.mark.parametrize(("flops", "said"), [(0, "-"), (12, "12 FLOP"), (1.57e9, "1.57 GFLOP"), (2.5e16, "25.0 PFLOP")])
def test_flops_have_a_prefix(flops, said):
    assert format_flops(flops) == said


def test_the_predictor_alone_starts_from_what_its_predictor_starts_from():
    """The folder that the baseline's adapter starts from is none of its."""
    starts = {"adapter": {"start_from": "a"}, "predictor": {"start_from": "p"}}
    experiment = config.resolve({"name": "x", "training": starts}, Registry.discover())
    for alone, expected in ((False, {None, "p", "a"}), (True, {"p"})):
        found = _stages_of(SimpleNamespace(experiment=experiment, alone=alone))
        assert {settings.start_from for settings in found} == expected


def test_arms_of_unequal_compute_are_named():
    assert _unequal([1e9, 1.01e9], None) == []
    (said,) = _unequal([1e9, 2e9], None)
    assert said == (
        "The arms' trainings cost from 1.00 GFLOP to 2.00 GFLOP; ablation.equal gives all arms the compute of the "
        "baseline."
    )
    assert _unequal([1e9, 2e9], "images")[0].endswith("as many images, but not the same compute.")


def test_what_is_prepared_at_each_visit_is_said():
    def arm(**data):
        described = {"name": "x", "degradation": "defocus", "data": {"train": "bundled", **data}}
        return SimpleNamespace(name=str(data), experiment=config.resolve(described, Registry.discover()))

    assert _prepared_anew([arm()]) == []
    (said,) = _prepared_anew([arm(), arm(variants=None)])
    assert said.startswith(
        "{'variants': None}: with data.variants: null, the predictor's estimate and the semantic code"
    )
