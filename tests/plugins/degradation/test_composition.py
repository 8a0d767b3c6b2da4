"""Sequence and choice: of any degradations, nested, with random numbers of their own."""

import numpy as np
import pytest
import torch

from texprior.diffusion.keys import generator
from texprior.errors import ConfigError
from texprior.flow.degrade import draw, replay, spawn
from texprior.plugin import Ref
from texprior.registry import Registry
from texprior_plugins.degradation import ChoiceOptions, SequenceOptions
from texprior_plugins.degradation.choice import Choice
from texprior_plugins.degradation.sequence import Sequence


class Add:
    """A stranger's degradation that knows no recipes: adds a random number, of which it draws several."""

    def __init__(self, draws=1):
        self.draws = draws

    def __call__(self, image_CHW, rng):
        return (image_CHW + 0.1 * torch.rand(self.draws, generator=rng)[0]).clamp(0, 1)


class Halve:
    def __call__(self, image_CHW, rng):
        return image_CHW / 2


def in_a_row(*steps):
    return Sequence(SequenceOptions(steps=["jpeg"]), steps)


def one_of(*of, weights=None):
    return Choice(ChoiceOptions(of=["jpeg"] * len(of), weights=weights), of)


BLACK = torch.zeros(3, 4, 5)


def test_steps_follow_each_other():
    white = torch.ones(3, 4, 5)
    after = in_a_row(Halve(), Add(), Halve())(white, generator(1))
    added = 4 * after - 1
    assert 0 <= added.min() == added.max() <= 0.2
    assert torch.equal(in_a_row(Halve(), Halve())(white, generator(0)), white / 4)


def test_a_steps_numbers_do_not_depend_on_how_many_another_draws():
    few, many = (in_a_row(Add(draws), Add())(BLACK, generator(3)) for draws in (1, 500))
    first = [in_a_row(Add(draws), Halve())(BLACK, generator(3)) * 2 for draws in (1, 500)]
    torch.testing.assert_close(few - first[0], many - first[1], atol=1e-7, rtol=0)
    rng = generator(3)
    rngs = [spawn(rng), spawn(rng)]
    assert torch.equal(few, Add()(Add()(BLACK, rngs[0]), rngs[1]))


def test_what_knows_no_recipes_is_replayed_from_a_seed():
    degradation = in_a_row(Add(), one_of(Add(3), Add(4)))
    recipe = draw(degradation, generator(8), (4, 5))
    assert set(recipe["steps"][0]) == {"seed"}
    assert torch.equal(replay(degradation, BLACK, recipe), degradation(BLACK, generator(8)))
    alone = draw(Add(), generator(8), (4, 5))
    assert torch.equal(replay(Add(), BLACK, alone), Add()(BLACK, generator(8)))


def test_weights_say_how_often_each_is_chosen():
    degradation = one_of(Add(), Halve(), Add(), weights=[1.0, 0.0, 3.0])
    chosen = np.bincount([degradation.draw(generator(i), (4, 5))["chosen"] for i in range(800)], minlength=3)
    assert chosen[1] == 0
    assert chosen[0] / 800 == pytest.approx(0.25, abs=0.046)  # 3 standard errors
    evenly = np.bincount([one_of(*[Add()] * 4).draw(generator(i), (4, 5))["chosen"] for i in range(800)], minlength=4)
    assert evenly / 800 == pytest.approx([0.25] * 4, abs=0.05)


def test_an_experiment_puts_them_together(photographs):
    registry = Registry.discover()
    ref = Ref.model_validate(
        {"sequence": {"steps": [{"defocus": {"radius": 2}}, {"choice": {"of": [{"jpeg": {"quality_min": 40}}]}}]}}
    )
    both = registry.build("degradation", ref)
    recipe = draw(both, generator(0), (96, 128))
    defocus = registry.build("degradation", Ref(name="defocus", options={"radius": 2}))
    jpeg = registry.build("degradation", Ref(name="jpeg", options={"quality_min": 40}))
    step, choice = recipe["steps"]
    by_hand = jpeg.apply(defocus.apply(photographs[0], step), choice["recipe"])
    assert torch.equal(replay(both, photographs[0], recipe), by_hand)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"of": ["jpeg", "rain"], "weights": [1.0]}, "there are 1 weights for 2 degradations; give one weight each"),
        ({"of": ["jpeg"], "weights": [0.0]}, "all weights are 0; set at least one of them above 0"),
        ({"of": []}, "at least 1 item"),
    ],
)
def test_a_choice_that_cannot_be_made_is_refused(options, sentence):
    with pytest.raises(ValueError, match=sentence):
        ChoiceOptions(**options)


def test_a_wrong_step_is_an_error_before_anything_starts():
    from texprior.config import resolve

    with pytest.raises(ConfigError, match=r"degradation\.sequence\.steps\.1\.jpeg\.quality: unknown key"):
        resolve(
            {"name": "x", "degradation": {"sequence": {"steps": ["rain", {"jpeg": {"quality": 40}}]}}},
            Registry.discover(),
        )
