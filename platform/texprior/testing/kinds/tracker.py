"""Checks the rule of observers that lose nothing: what they say of values that they have not written yet."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from texprior.testing.catalogue import check, declares
from texprior.testing.kinds.events import empty_folder
from texprior.testing.outcomes import Broken, NotRun, require
from texprior.testing.subject import Subject
from texprior.track import RunInfo
from texprior.track.observer import pending_of

TOLD = [(16, {"loss": 0.5, "lr": 1e-3}), (32, {"loss": 0.25})]


@check("events.pending", "events", when=declares("tracker"))
def pending(subject: Subject) -> None:
    """With ``tracker=True``, an observer that buffers values returns those that it has not written from ``pending``, as
    (images seen, name -> value): only values of this run's ``step``, and none after the end of the run.

    Fix: keep the values of ``step`` until they are written, and write the rest in ``run_finished``.
    """
    with empty_folder():
        observer = subject.registry.build("events", subject.ref())
        if not hasattr(observer, "pending"):
            raise NotRun("it has no `pending`, so it buffers nothing")
        for run_id in ("buffered", "other"):
            observer.run_started(RunInfo(run_id, "conformance", f"run {run_id}", "adapter"))
        for images_seen, values in TOLD:
            observer.step("buffered", images_seen, values)
        held, none = _flat(pending_of(observer, "buffered")), _flat(pending_of(observer, "other"))
        for run_id in ("buffered", "other"):
            observer.run_finished(run_id, "finished", {}, "")
        left = _flat(pending_of(observer, "buffered"))
    foreign = [value for value in held if value not in _flat(TOLD)] + none
    require(not foreign, f"it returns {foreign[0] if foreign else ''}, which this run's `step` was not told")
    require(not left, f"after the end of the run it still returns {left[:1]}")


def _flat(values: Iterable[object]) -> list[tuple[int, str, float]]:
    """Returns (images seen, name, value) of each value. Raises Broken for another form."""
    found = list[tuple[int, str, float]]()
    for item in values:
        if not (isinstance(item, tuple | list) and len(item) == 2 and isinstance(item[1], Mapping)):
            raise Broken(f"it returns {item!r} instead of (images seen, name -> value)")
        found += [(int(item[0]), str(name), float(value)) for name, value in item[1].items()]
    return found
