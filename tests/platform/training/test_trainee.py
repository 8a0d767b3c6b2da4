"""What a checkpoint keeps, to the bit: every optimizer's state, and an objective's own parts."""

import importlib.util

import pytest
import torch
from torch import nn

from texprior.config import Budget, Training
from texprior.diffusion.keys import normal
from texprior.flow.objective import Learned, objective_loss
from texprior.plugin import Ref
from texprior.registry import Registry
from texprior.store import load_tensors, save_tensors
from texprior.training.loop import Step, train_steps
from texprior.training.recipe import Recipe
from texprior.training.trainee import Trainee

needs_schedulefree = pytest.mark.skipif(
    importlib.util.find_spec("schedulefree") is None, reason="the extra schedulefree is not installed"
)
OPTIMIZERS = {
    "adamw": ("adamw", {}),
    "schedule-free": ("schedule-free", {}),
    "sgd": ("torch", {"name": "SGD", "arguments": {"momentum": 0.9}}),
    **{
        n.lower(): ("torch", {"name": n})
        for n in ("ASGD", "Adafactor", "Adagrad", "NAdam", "RAdam", "RMSprop", "Adamax")
    },
}
EACH = [pytest.param(n, marks=[needs_schedulefree] * (n == "schedule-free")) for n in OPTIMIZERS]
ADVERSARIAL = {
    "combined": {"terms": ["l1", {"adversarial": {"width": 4, "layers": 2, "own_lr": 0.5}}], "weights": [1, 0.1]}
}


@pytest.fixture(scope="module")
def trainee():
    """trainee(images, optimizer, objective) -> a small network, to be trained by what the registry builds."""
    registry = Registry.discover()

    def make(images=96, optimizer="adamw", objective=None, **changes):
        torch.manual_seed(0)
        network = nn.Sequential(nn.Conv2d(3, 6, 3, padding=1), nn.GroupNorm(2, 6), nn.GELU(), nn.Conv2d(6, 3, 1))
        chosen = Training(budget=Budget(images=images), batch=8, lr=1e-2, warmup_images=32, weight_decay=0.1, **changes)
        name, options = OPTIMIZERS[optimizer]
        record = registry.find("optimizer", name).component
        recipe = Recipe(
            registry.build("optimizer", Ref(name=name, options=options)),
            registry.build("lr_decay", Ref(name="constant")),
            record.averages,
            objective and registry.build("objective", Ref.model_validate(objective)),
        )
        return Trainee(network.to(memory_format=torch.channels_last), chosen, recipe)

    return make


def loss_of(t):
    """Learn to halve a picture; samples are functions of their number."""

    def loss(numbers):
        x = torch.stack([normal((3, 16, 16), "x", n) for n in numbers])
        if t.recipe.objective is None:
            return (t.network(x) - x / 2).square().mean(dim=(1, 2, 3))
        return objective_loss(t.recipe.objective, Learned(t.network(x), x / 2, torch.zeros_like(x)))

    return loss


def run(t, path):
    return [event for event in train_steps(t, loss_of(t), path, {}) if isinstance(event, Step)]


def state(t):
    """All tensors and numbers that the next step depends on."""
    kept = {f"{n}.{k}": v for n, p in t._trained().items() for k, v in t.optimizer.state[p].items()}
    groups = {
        f"group {i} {k}": v for i, g in enumerate(t.optimizer.param_groups) for k, v in g.items() if k != "params"
    }
    own = {} if t.recipe.objective is None else t.recipe.objective.state_dict()
    return {
        **t.network.state_dict(),
        **{f"objective.{n}": v for n, v in own.items()},
        **t._averages(),
        **kept,
        **groups,
    }


def assert_same(first, second):
    assert first.keys() == second.keys()
    different = [
        name
        for name, value in first.items()
        if not (torch.equal(value, second[name]) if isinstance(value, torch.Tensor) else value == second[name])
    ]
    assert different == []


@pytest.mark.parametrize("stop", [8, 48])
@pytest.mark.parametrize("optimizer", EACH)
def test_a_resumed_run_equals_an_uninterrupted_one_to_the_bit(tmp_path, trainee, optimizer, stop):
    whole = trainee(optimizer=optimizer)
    run(whole, tmp_path / "whole.safetensors")
    run(trainee(stop, optimizer), tmp_path / "c.safetensors")
    second = trainee(optimizer=optimizer)
    assert second.load(tmp_path / "c.safetensors")
    assert len(run(second, tmp_path / "c.safetensors")) == (96 - stop) / 8
    assert_same(state(second), state(whole))


@pytest.mark.parametrize("stop", [8, 48])
def test_a_discriminator_resumes_to_the_bit(tmp_path, trainee, stop):
    whole = trainee(objective=ADVERSARIAL)
    start = {name: p.detach().clone() for name, p in whole.recipe.own_parameters().items()}
    run(whole, tmp_path / "whole.safetensors")
    assert all(not torch.equal(p, start[name]) for name, p in whole.recipe.own_parameters().items())
    run(trainee(stop, objective=ADVERSARIAL), tmp_path / "c.safetensors")
    second = trainee(objective=ADVERSARIAL)
    second.load(tmp_path / "c.safetensors")
    run(second, tmp_path / "c.safetensors")
    assert_same(state(second), state(whole))


def test_finished_weights_hold_the_network_alone(tmp_path, trainee):
    t = trainee(objective=ADVERSARIAL)
    run(t, tmp_path / "c.safetensors")
    assert t.averaged().keys() == t.network.state_dict().keys()
    stored = load_tensors(tmp_path / "c.safetensors")[0]
    assert any(name.startswith("objective/terms.1.discriminator.") for name in stored)
    assert any(name.startswith("adam/exp_avg/objective/terms.1.discriminator.") for name in stored)


def test_weights_of_an_adversarial_training_start_another_without_one(tmp_path, trainee):
    first = trainee(objective=ADVERSARIAL)
    run(first, tmp_path / "c.safetensors")
    second = trainee()
    second.start_from(tmp_path / "c.safetensors")
    assert_same(dict(second.network.state_dict()), dict(first.network.state_dict()))
    assert second.images_before == 96


def test_a_training_goes_on_with_new_samples_where_the_one_that_it_starts_from_ended(tmp_path, trainee):
    def numbers_of(t):
        seen, loss = [], loss_of(t)

        def told(numbers):
            seen.extend(numbers)
            return loss(numbers)

        expected = []
        list(train_steps(t, told, tmp_path / "c.safetensors", {}, expect=expected.extend))
        return seen, sorted(set(expected))

    whole, longer = list(range(96)), list(range(96, 192))
    assert numbers_of(trainee()) == (whole, whole)
    second = trainee()
    second.start_from(tmp_path / "c.safetensors")
    assert numbers_of(second) == (longer, longer)
    third = trainee()
    third.load(tmp_path / "c.safetensors")
    assert (third.next_number, third.images_seen) == (192, 96)


def test_the_discriminator_has_its_own_learning_rate_and_no_weight_decay(trainee):
    t = trainee(objective=ADVERSARIAL)
    t.step(0.02)
    assert [g["lr"] for g in t.optimizer.param_groups] == [0.02, 0.02, 0.01]
    assert [g["weight_decay"] for g in t.optimizer.param_groups] == [0.1, 0.0, 0.0]


def test_a_step_whose_discriminator_has_no_finite_gradient_is_skipped(tmp_path, trainee):
    t = trainee(16, objective=ADVERSARIAL)
    before = {name: tensor.clone() for name, tensor in t.network.state_dict().items()}
    own_loss, calls = t.recipe.objective.own_loss, []

    def spoilt(learned):
        calls.append(len(calls))
        return own_loss(learned) * (torch.nan if calls[-1] == 0 else 1)

    t.recipe.objective.own_loss = spoilt
    first, second = run(t, tmp_path / "c.safetensors")
    assert (first.skipped, second.skipped, t.skipped_steps) == (True, False, 1)
    assert all(torch.isfinite(p).all() for p in t.recipe.own_parameters().values())
    assert not torch.equal(t.network[0].weight, before["0.weight"])


@needs_schedulefree
def test_schedule_frees_own_average_is_what_is_stored(tmp_path, trainee):
    """As the package makes it: z is in the state, and x = y + (z - y) (1 - 1 / beta1)."""
    t = trainee(optimizer="schedule-free")
    run(t, tmp_path / "c.safetensors")
    for name, p in t.parameters().items():
        expected = p.detach().lerp(t.optimizer.state[p]["z"], 1 - 1 / 0.9)
        assert torch.allclose(t.averaged()[name], expected, atol=1e-7)
        assert not torch.equal(t.averaged()[name], p)


@needs_schedulefree
def test_a_checkpoint_of_averages_changes_no_weight(tmp_path, trainee):
    """Going to the averages and back rounds, so that one checkpoint more would be another training."""
    t = trainee(optimizer="schedule-free")
    for event in train_steps(t, loss_of(t), tmp_path / "c.safetensors", {}):
        if isinstance(event, Step):
            last = {name: tensor.clone() for name, tensor in t.network.state_dict().items()}
    assert_same(dict(t.network.state_dict()), last)


def test_a_checkpoint_of_earlier_versions_still_loads(tmp_path, trainee):
    """They had one group, wrote Adam's tensors alone, and no numbers of the optimizer."""
    whole = trainee()
    run(whole, tmp_path / "whole.safetensors")
    run(trainee(48), tmp_path / "c.safetensors")
    tensors, about = load_tensors(tmp_path / "c.safetensors")
    assert {name.split("/")[0] for name in tensors} == {"model", "ema", "adam"}
    assert {name.split("/")[1] for name in tensors if name.startswith("adam/")} == {"exp_avg", "exp_avg_sq", "step"}
    assert "optimizer" not in about
    save_tensors(tmp_path / "old.safetensors", tensors, {"images_seen": 48, "elapsed_s": 1.0})
    second = trainee()
    second.load(tmp_path / "old.safetensors")
    run(second, tmp_path / "c.safetensors")
    assert_same(state(second), state(whole))
