"""The training loop: resume to the bit, accumulation, what a budget and an interrupt do, what divergence says."""

import os
import signal

import pytest
import torch
from torch import nn

from texprior.config import Budget, Training
from texprior.diffusion.keys import normal
from texprior.errors import ConfigError
from texprior.registry import Registry
from texprior.store import load_tensors, save_tensors
from texprior.training.loop import Diverged, Finished, Saved, Step, learning_rate, train_steps
from texprior.training.recipe import Recipe, build_recipe
from texprior.training.trainee import Trainee

REGISTRY = Registry.discover()


def settings(images=160, **changes) -> Training:
    return Training(budget=Budget(images=images), batch=8, lr=1e-2, warmup_images=0, **changes)


def recipe(chosen: Training) -> Recipe:
    return build_recipe(chosen, REGISTRY, torch.device("cpu"))


def trainee(chosen: Training) -> Trainee:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 6, 3, padding=1), nn.GELU(), nn.Conv2d(6, 3, 3, padding=1))
    return Trainee(network.to(memory_format=torch.channels_last), chosen, recipe(chosen))


def loss_of(t: Trainee):
    """Learn to halve a picture: samples are functions of their number."""

    def loss(numbers):
        x = torch.stack([normal((3, 8, 8), "x", n) for n in numbers])
        return (t.network(x) - x / 2).square().mean(dim=(1, 2, 3))

    return loss


def run(t: Trainee, path) -> list:
    return list(train_steps(t, loss_of(t), path, {}))


def state(t: Trainee) -> dict[str, torch.Tensor]:
    adam = {f"{n}.{k}": v for n, p in t.parameters().items() for k, v in t.optimizer.state[p].items()}
    return {**t.network.state_dict(), **{f"ema.{n}": v for n, v in t.ema.shadow.items()}, **adam}


def test_it_learns_and_counts_images(tmp_path):
    t = trainee(settings(800))
    events = run(t, tmp_path / "c.safetensors")
    steps = [e for e in events if isinstance(e, Step)]
    assert [s.images_seen for s in steps] == list(range(8, 801, 8))
    assert steps[-1].loss < 0.1 * steps[0].loss
    assert isinstance(events[-2], Saved)
    assert (events[-1].images_seen, events[-1].why) == (800, "budget")


@pytest.mark.parametrize("stop", [8, 40, 152])
def test_a_resumed_run_equals_an_uninterrupted_one_to_the_bit(tmp_path, stop):
    whole = trainee(settings())
    run(whole, tmp_path / "whole.safetensors")
    first = trainee(settings(stop))
    run(first, tmp_path / "c.safetensors")
    second = trainee(settings())
    second.load(tmp_path / "c.safetensors")
    run(second, tmp_path / "c.safetensors")
    expected = state(whole)
    assert all(torch.equal(value, expected[name]) for name, value in state(second).items())


class Drawing(nn.Module):
    """A network that draws from the global generator in training, and has one weight under two names."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(3, 3, 3, padding=1)
        self.second = nn.Conv2d(3, 3, 3, padding=1)
        self.second.weight = self.first.weight

    def forward(self, x):
        return self.second(nn.functional.dropout(self.first(x), 0.5, self.training))


def drawing(chosen: Training) -> Trainee:
    torch.manual_seed(0)
    return Trainee(Drawing(), chosen, recipe(chosen))


@pytest.mark.parametrize("stop", [8, 40])
def test_a_network_that_draws_resumes_to_the_bit_whatever_the_global_generator_holds(tmp_path, stop):
    whole = drawing(settings(80))
    run(whole, tmp_path / "whole.safetensors")
    run(drawing(settings(stop)), tmp_path / "c.safetensors")
    second = drawing(settings(80))
    second.load(tmp_path / "c.safetensors")
    torch.manual_seed(1234)
    before = torch.get_rng_state()
    run(second, tmp_path / "c.safetensors")
    assert torch.equal(before, torch.get_rng_state())
    expected = state(whole)
    assert all(torch.equal(value, expected[name]) for name, value in state(second).items())


def test_another_seed_draws_otherwise(tmp_path):
    def first_loss(**how):
        t = drawing(settings(8))
        return next(train_steps(t, loss_of(t), tmp_path / "c.safetensors", {}, **how)).loss

    assert first_loss() == first_loss(seed=0)
    assert first_loss() != first_loss(seed=1)


def test_a_tied_weight_has_its_average_under_both_names(tmp_path):
    t = drawing(settings(80))
    run(t, tmp_path / "c.safetensors")
    averages = t.averaged()
    assert torch.equal(averages["second.weight"], averages["first.weight"])
    assert not torch.equal(averages["first.weight"], t.network.first.weight)
    save_tensors(tmp_path / "weights.safetensors", averages)
    stored, _ = load_tensors(tmp_path / "weights.safetensors")
    assert stored.keys() == t.network.state_dict().keys()
    assert all(torch.equal(stored[name], average) for name, average in averages.items())


def test_accumulated_gradients_are_those_of_the_whole_batch(tmp_path):
    whole, parts = trainee(settings(80)), trainee(settings(80, microbatch=2))
    for t in (whole, parts):
        run(t, tmp_path / "c.safetensors")
    for a, b in zip(whole.network.parameters(), parts.network.parameters(), strict=True):
        assert torch.allclose(a, b, atol=2e-5)


def test_the_average_moves_off_the_initial_weights_in_a_short_run(tmp_path):
    t = trainee(settings(800, ema_half_life_images=1e6))
    initial = [p.detach().clone() for p in t.network.parameters()]
    run(t, tmp_path / "c.safetensors")
    for start, trained, average in zip(initial, t.network.parameters(), t.ema.shadow.values(), strict=True):
        assert (average - trained).norm() < 0.3 * (start - trained).norm()


def test_clipping_bounds_the_step_but_reports_the_norm_before(tmp_path):
    t = trainee(settings(8, grad_clip=1e-3))
    (step, *_) = run(t, tmp_path / "c.safetensors")
    assert step.grad_norm > 1e-3
    moments = torch.cat([t.optimizer.state[p]["exp_avg"].flatten() for p in t.network.parameters()])
    assert moments.norm() == pytest.approx(0.1 * 1e-3, rel=1e-2)


def test_ctrl_c_ends_after_the_step_with_a_checkpoint(tmp_path):
    t = trainee(settings(8000))
    path = tmp_path / "c.safetensors"
    events = []
    for event in train_steps(t, loss_of(t), path, {}):
        events.append(event)
        if len(events) == 3:
            os.kill(os.getpid(), signal.SIGINT)
    assert isinstance(events[-1], Finished)
    assert events[-1].why == "interrupted"
    assert load_tensors(path)[1]["images_seen"] == events[-1].images_seen < 100


def test_steps_use_convolutions_that_repeat_on_a_gpu(tmp_path):
    t, seen = trainee(settings(16)), []

    def loss(numbers):
        seen.append((torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark))
        return loss_of(t)(numbers)

    list(train_steps(t, loss, tmp_path / "c.safetensors", {}))
    assert seen == [(True, False)] * 2
    assert torch.backends.cudnn.deterministic is False


def test_a_time_limit_only_stops_early(tmp_path):
    t = trainee(settings(8 * 10**6).model_copy(update={"budget": Budget(images=8 * 10**6, seconds=0.2)}))
    done = run(t, tmp_path / "c.safetensors")[-1]
    assert done.why == "seconds"
    assert 0.2 <= done.elapsed_s < 5


def test_ten_skipped_steps_in_a_row_are_a_sentence_and_the_checkpoint_is_kept(tmp_path):
    t = trainee(settings(16))
    path = tmp_path / "c.safetensors"
    run(t, path)
    kept = path.read_bytes()
    bad = trainee(settings(8000, checkpoint_every_s=1e-9))
    bad.load(path)
    seen = []
    with pytest.raises(Diverged, match=r"10 steps in a row were not finite, up to image 96 \(loss nan, ") as caught:
        seen.extend(train_steps(bad, broken(bad, range(8000)), path, {}))
    assert list(caught.value.numbers) == list(range(88, 96))
    assert [s.skipped for s in seen] == [True] * 10
    assert path.read_bytes() == kept
    assert all(torch.equal(v, state(t)[n]) for n, v in bad.network.state_dict().items())


def test_a_training_without_one_finite_step_is_no_training(tmp_path):
    t = trainee(settings(24))
    with pytest.raises(Diverged, match="3 steps in a row were not finite, up to image 24"):
        list(train_steps(t, broken(t, range(24)), tmp_path / "c.safetensors", {}))
    assert not (tmp_path / "c.safetensors").exists()


def broken(t: Trainee, numbers: range):
    """The loss of ``loss_of``, but NaN for some samples."""
    whole = loss_of(t)
    return lambda n: whole(n) + torch.tensor([torch.nan if i in numbers else 0.0 for i in n])


def test_a_step_that_is_not_finite_is_skipped_and_counted(tmp_path):
    """One picture of the second step of three: only the images count, for weights, averages and Adam it never was."""
    t, path = trainee(settings(24)), tmp_path / "c.safetensors"
    states, steps = [], []
    for event in train_steps(t, broken(t, range(8, 9)), path, {}):
        if isinstance(event, Step):
            steps.append(event)
            states.append({name: value.clone() for name, value in state(t).items()})
    assert [s.skipped for s in steps] == [False, True, False]
    assert all(torch.equal(value, states[0][name]) for name, value in states[1].items())
    assert all(torch.isfinite(value).all() for value in states[2].values())
    assert (t.images_seen, t.skipped_steps, t.optimizer.state[t.network[0].weight]["step"]) == (24, 1, 2)
    again = trainee(settings(24))
    again.load(path)
    assert again.skipped_steps == 1


def test_a_broken_checkpoint_is_a_sentence(tmp_path):
    path = tmp_path / "c.safetensors"
    path.write_bytes(b"not a checkpoint")
    with pytest.raises(ConfigError, match="cannot be read"):
        trainee(settings()).load(path)


def test_learning_rate_follows_images():
    constant = Training(budget=Budget(images=1000), lr=1.0, warmup_images=100)
    assert [learning_rate(constant, n, recipe(constant).decay) for n in (50, 100, 1000)] == [0.5, 1.0, 1.0]
    cosine = Training(budget=Budget(images=1000), lr=1.0, warmup_images=100, decay="cosine")
    assert learning_rate(cosine, 500, recipe(cosine).decay) == pytest.approx(0.5)
    assert learning_rate(cosine, 1000, recipe(cosine).decay) == pytest.approx(0.0)
