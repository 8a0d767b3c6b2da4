"""A training takes the fewest threads with which its own step is nearly as fast as with any."""

import json
from dataclasses import replace

import pytest
import torch
from torch import nn

from texprior import config
from texprior.registry import Registry
from texprior.runtime.session import Session
from texprior.store import save_tensors
from texprior.training import threads
from texprior.training.threads import choose_threads, own_threads

others_s = threads._others_s


class Clock:
    """A clock that only networks move."""

    now = 0.0

    @classmethod
    def monotonic(cls):
        return cls.now

    @staticmethod
    def process_time():
        return 2.0


@pytest.fixture(autouse=True)
def four_threads(monkeypatch):
    """Four threads of torch, chosen by nobody, on a machine without other programs."""
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.delenv("TEXPRIOR_CACHE", raising=False)
    monkeypatch.setattr(threads, "_others_s", lambda: 0.0)
    monkeypatch.setattr(threads, "time", Clock)
    with own_threads():
        torch.set_num_threads(4)
        yield


@pytest.fixture
def session(tmp_path):
    registry, said = Registry.discover(), []

    def start(**changes):
        settings = {"name": "x", "events": [], "device": "cpu", "encoder": "none"} | changes
        return Session(config.resolve(settings, registry), registry, root=tmp_path, say=said.append)

    start.said = said
    return start


class Network(nn.Module):
    """Takes a number of seconds that depends on the number of threads."""

    def __init__(self, seconds):
        super().__init__()
        self.weight, self.seconds, self.used = nn.Parameter(torch.ones(3)), seconds, []
        self.register_buffer("steps", torch.zeros(()))

    def forward(self, numbers):
        self.used.append(torch.get_num_threads())
        self.steps += 1
        torch.rand(())
        Clock.now += self.seconds[torch.get_num_threads()]
        return (self.weight.sum() * torch.ones(len(numbers))) ** 2


def choose(session, network, images=10**6):
    settings = session.experiment.training.prior
    settings = settings.model_copy(update={"budget": settings.budget.model_copy(update={"images": images})})
    return choose_threads(session, "prior", settings, lambda _chosen: network, network)


SLOWER = {4: 0.02, 2: 0.01, 1: 0.005}
FASTER = {4: 0.01, 2: 0.02, 1: 0.04}
LEVEL = {4: 0.02, 2: 0.02, 1: 0.04}


@pytest.mark.parametrize(("seconds", "expected"), [(SLOWER, 1), (FASTER, 4), (LEVEL, 2)])
def test_the_fewest_threads_that_are_nearly_as_fast_are_set(session, seconds, expected):
    started = session()
    assert choose(started, Network(seconds)) == expected == torch.get_num_threads()
    assert session.said == [f"prior: computes with {expected} of 4 threads, by a trial ('threads' sets the number)"]


def test_a_trial_changes_neither_network_nor_random_numbers(session):
    network = Network(SLOWER)
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    choose(session(), network)
    assert torch.equal(torch.rand(3), expected)
    assert network.steps == 0
    assert network.weight.grad is None


def test_later_trainings_of_such_a_network_take_the_same_number_without_a_trial(session):
    choose(session(), Network(SLOWER))
    torch.set_num_threads(4)
    again = Network(FASTER)
    assert choose(session(), again) == 1
    assert again.used == []
    assert len(session.said) == 1


def test_another_network_is_tried_and_a_damaged_file_is_no_answer(session, tmp_path):
    choose(session(), Network(SLOWER))
    torch.set_num_threads(4)
    other = Network(FASTER)
    other.weight = nn.Parameter(torch.ones(4))
    assert choose(session(), other) == 4
    file = tmp_path / "cache" / "threads.json"
    assert sorted(json.loads(file.read_text()).values()) == [1, 4]
    file.write_text("[1")
    assert choose(session(), other) == 4
    assert list(json.loads(file.read_text()).values()) == [4]


def test_a_choice_on_a_busy_machine_is_for_this_training_alone(session, monkeypatch, tmp_path):
    monkeypatch.setattr(threads, "_others_s", lambda: 2 * Clock.now)  # two of four processors
    assert choose(session(), Network(SLOWER)) == 1
    assert "beside other programs" in session.said[0]
    assert not (tmp_path / "cache" / "threads.json").exists()


def test_a_resume_computes_with_the_threads_of_before(session, tmp_path):
    """A busy machine keeps no answer, and another number of threads sums otherwise."""
    save_tensors(tmp_path / "c.safetensors", {}, {"threads": 2})
    network, settings = Network(SLOWER), session().experiment.training.prior
    given = "prior", settings, lambda _chosen: network, network
    assert choose_threads(session(), *given, checkpoint=tmp_path / "c.safetensors") == 2 == torch.get_num_threads()
    assert network.used == []
    torch.set_num_threads(4)
    fresh = replace(session(), fresh=True)
    assert choose_threads(fresh, *given, checkpoint=tmp_path / "c.safetensors") != 2


def test_nothing_is_tried_if_the_user_chose_or_it_is_not_worth_it(session, monkeypatch):
    network = Network(SLOWER)
    assert choose(session(threads=3), network) == 4  # its session has set it; this one was only built
    assert network.used == []
    assert choose(session(), network, images=16) == 4
    assert set(network.used) == {4}
    monkeypatch.setenv("OMP_NUM_THREADS", "4")
    before = len(network.used)
    assert choose(session(), network) == 4
    assert len(network.used) == before
    assert session.said == []


def test_a_training_leaves_the_number_of_its_process_as_it_was():
    with own_threads():
        torch.set_num_threads(2)
    assert torch.get_num_threads() == 4


def test_others_are_what_the_usable_processors_did_less_this_program(monkeypatch, tmp_path):
    monkeypatch.setattr(threads.os, "sched_getaffinity", lambda _pid: {1}, raising=False)
    monkeypatch.setattr(threads.os, "sysconf", lambda _name: 100, raising=False)
    (tmp_path / "stat").write_text(
        "cpu  9 9 9 9 9 9 9 9 0 0\ncpu0 900 0 0 0 0 0 0 0 0 0\ncpu1 100 200 300 9999 9999 10 20 70 50 0\nintr 5\n"
    )
    assert others_s(tmp_path / "stat") == 7.0 - 2.0
    assert others_s(tmp_path / "none") == -2.0
