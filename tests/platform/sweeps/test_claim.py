"""Taking a trial: while one worker has counted and has not asked yet, no other asks for the same place."""

import threading

from texprior.sweeps import claim
from texprior.sweeps.claim import Claims
from texprior.sweeps.study import open_study

CURVE = {"sampling.texture_strength": {"low": 0, "high": 2}, "sampling.steps": {"low": 1, "high": 20}}


def test_of_two_workers_that_want_the_last_trial_one_gets_it(registry, storage, made, setup, monkeypatch, tmp_path):
    """The second comes at the worst moment: the first has counted and would ask next."""
    monkeypatch.setenv("TEXPRIOR_RUNS", str(tmp_path / "runs"))
    wanted = setup(made(registry, CURVE), registry, storage, 1)
    first, second = (Claims(open_study(wanted), wanted, lambda _: None, lambda _: None) for _ in range(2))
    real, got, has_asked = claim.count_trials, [], threading.Event()
    monkeypatch.setattr(second, "_ask", lambda repeats: has_asked.set() or Claims._ask(second, repeats))
    other = threading.Thread(target=lambda: got.append(second.take(0)))

    def count(trials):
        counted = real(trials)
        if threading.current_thread() is not other and not other.ident:
            other.start()
            # with the lock it waits at this point, whatever the time; without it asks at once
            has_asked.wait(2)
        return counted

    monkeypatch.setattr(claim, "count_trials", count)
    # a trial of this process counts as dead when this process asks again: here its worker lives
    monkeypatch.setattr(claim.Watch, "is_dead", lambda _watch, _trial: False)
    trial, _ = first.take(0)
    first.study.tell(trial, 1.0)
    other.join(60)
    assert got == [None]
    assert len(first.study.get_trials()) == 1
