"""Equal compute: the budgets that arms get, the predictor alone, and what is refused."""

import pytest

from texprior.ablations.arms import arms_of, baseline_of
from texprior.ablations.budgets import missing_rival, with_equal_compute
from texprior.config import resolve
from texprior.config.schema_studies import Ablation
from texprior.errors import ConfigError
from texprior.plugin.added import DIGEST
from texprior.registry import Registry
from texprior.runtime.session import Session
from texprior.training.compute import flops_per_image, training_costs

LENGTH = {"batch": 8, "patch": 16}
SMALL = {
    "name": "small",
    "device": "cpu",
    "encoder": "none",
    "denoiser": {"unet": {"width": 8, "levels": 1, "blocks": 1, "heads": 1}},
    "predictor": {"unet": {"width": 8, "levels": 1, "blocks": 1}},
    "training": {
        "prior": {"budget": {"images": 64}, **LENGTH},
        "predictor": {"budget": {"images": 64}, **LENGTH},
        "adapter": {"budget": {"images": 30}, **LENGTH},
    },
}
PRIOR, ADAPTER = "training.prior.budget.images", "training.adapter.budget.images"


@pytest.fixture(scope="module")
def registry():
    return Registry.discover()


@pytest.fixture
def equalled(registry, tmp_path):
    """equalled(ARMS, SETTING=value): the session, and name -> arm with its budgets."""

    def equalled(arms, predictor="unet", **ablation):
        described = {**SMALL, "ablation": {"arms": arms, **ablation}}
        if predictor != "unet":
            described["predictor"] = predictor
        session = Session(resolve(described, registry), registry, root=tmp_path)
        written = arms_of(session.experiment, registry)
        found = with_equal_compute(session, written, baseline_of(session.experiment, written))
        return session, {arm.name: arm for arm in found}

    return equalled


def total(session, arm):
    """FLOPs of an arm's trainings."""
    per_image = flops_per_image(session.with_(experiment=arm.experiment))
    return sum(training_costs(arm.experiment, per_image).values())


def test_as_many_images(equalled):
    arms = {
        "own": {},
        "short prior": {PRIOR: 40},
        "scratch": {"adapter": "scratch"},
        "rate": {"training.adapter.lr": 2},
    }
    _, found = equalled(arms, equal="images")
    # 64 + 64 + 32, which 30 images in batches of 8 are; a network from initial weights owes nothing to the prior
    assert {name: arm.budgets for name, arm in found.items()} == {
        "own": {},
        "short prior": {ADAPTER: 160 - 40 - 64},
        "scratch": {ADAPTER: 160 - 64},
        "rate": {},
        "predictor alone": {"training.predictor.budget.images": 160},
    }
    assert found["short prior"].experiment.training.adapter.budget.images == 56
    assert found["short prior"].sets == f"{PRIOR}: 40, {ADAPTER}: 56"
    # what costs as much anyway keeps the budget that its stored cells have
    assert found["rate"].experiment.training.adapter.budget.images == 30
    alone = found["predictor alone"]
    assert alone.sets == "no prior, no adapter, training.predictor.budget.images: 160"
    assert alone.experiment.training.predictor.budget.images == 160


def test_as_many_flops_to_half_a_batch(equalled):
    session, found = equalled(
        {"own": {}, "small": {"adapter": {"lora": {"rank": 1}}}, "short": {PRIOR: 16}}, equal="flops"
    )
    wanted = total(session, found["own"])
    for name in ("small", "short"):
        batch = 8 * flops_per_image(session.with_(experiment=found[name].experiment))["adapter"]
        assert total(session, found[name]) == pytest.approx(wanted, abs=batch / 2)
    alone = found["predictor alone"].experiment
    per_image = flops_per_image(session)["predictor"]
    assert alone.training.predictor.budget.images * per_image == pytest.approx(wanted, abs=4 * per_image)


@pytest.mark.parametrize("equal", ["images", "flops"])
def test_the_predictor_alone_is_given_the_predictors_of_the_folds(equalled, equal):
    """Its own training has no folds: nothing would learn from them."""
    alone = {folds: equalled({"own": {"training.folds": folds}}, equal=equal)[1]["predictor alone"] for folds in (1, 3)}
    assert alone[3].experiment.training.folds == 1
    budgets = {folds: arm.budgets["training.predictor.budget.images"] for folds, arm in alone.items()}
    assert budgets[3] - budgets[1] == 3 * 64  # three more predictors


def test_as_written_nothing_changes_and_nothing_is_counted(equalled):
    session, found = equalled({"own": {}, "short": {PRIOR: 16}}, predictor_alone=False)
    assert [arm.budgets for arm in found.values()] == [{}, {}]
    assert session.caches.step_costs == {}
    # the predictor alone changes no other arm
    _, more = equalled({"own": {}, "short": {PRIOR: 16}})
    assert {name: more[name] for name in found} == found
    assert list(more)[2:] == ["predictor alone"]


def test_a_digest_leaves_out_what_earlier_versions_did_not_have():
    dumped = Ablation(predictor_alone=False).model_dump(context=dict(DIGEST))
    assert not {"equal", "predictor_alone"} & set(dumped)
    assert Ablation.model_validate({}, context={"stored": True}).predictor_alone is False


def test_one_arm_and_the_predictor_alone_are_a_comparison(equalled):
    _, found = equalled({"own": {}})
    assert list(found) == ["own", "predictor alone"]


def test_a_predictor_without_training_is_no_rival(equalled):
    session, found = equalled({"own": {}, "short": {PRIOR: 16}}, predictor="identity")
    assert list(found) == ["own", "short"]
    assert missing_rival(session, list(found.values())).startswith("there is no arm 'predictor alone': the baseline's")
    with pytest.raises(ConfigError, match="there is only 'own' to compare: its predictor has nothing to train"):
        equalled({"own": {}}, predictor="identity")


@pytest.mark.parametrize(
    ("arm", "said"),
    [
        ({ADAPTER: 64}, "arm 'x': training.adapter.budget.images: ablation.equal sets it"),
        ({"training.adapter": {"budget": {"images": 24}}}, "arm 'x': training.adapter.budget.images: ablation.equal"),
        ({"adapter": "frozen"}, "arm 'x': its adapter has nothing to train, so no budget makes it cost as much"),
        ({PRIOR: 96}, "arm 'x': its prior and predictor cost 100% of what the baseline's trainings cost"),
        ({"training.adapter.budget.seconds": 5}, "arm 'x': training.adapter.budget.seconds: a time limit may stop"),
    ],
)
def test_what_cannot_cost_the_same_is_refused_by_name(equalled, arm, said):
    with pytest.raises(ConfigError, match=f"^ablation: {said}"):
        equalled({"own": {}, "x": arm}, equal="images")


def test_the_name_of_the_predictor_alone_is_taken(equalled):
    with pytest.raises(ConfigError, match="there are two arms 'predictor alone'; rename yours, or set"):
        equalled({"own": {}, "predictor alone": {PRIOR: 16}})
