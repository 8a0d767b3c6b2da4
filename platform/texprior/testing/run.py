"""Runs one check on a component, or all that apply.

It also marks failures that were expected.
"""

from __future__ import annotations

import traceback
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from texprior.errors import ConfigError, ContractError
from texprior.plugin import Component
from texprior.registry.author_line import author_line, frames_of
from texprior.testing.catalogue import CHECKS, FLOOR, Check, check, checks_of, find
from texprior.testing.material import seed_globals, undisturbed
from texprior.testing.outcomes import Broken, NotRun
from texprior.testing.subject import Subject

Status = Literal["passed", "failed", "expected", "not run"]


@dataclass(frozen=True)
class Outcome:
    """The result of a check.

    Status ``expected`` means that it failed, and that the author of the component declared this.
    """

    check: Check
    status: Status
    message: str = ""
    lacking: bool = False
    """True if the check was not run because this machine lacks something that the component declares to need."""
    caused: bool = False
    """True if the check was not run because another one failed, which tells the cause."""
    details: str = ""
    """The traceback, if the component raised an exception."""
    place: str = ""
    """The author's code that a failure leads to: ``file:line`` and the source line."""


@dataclass(frozen=True)
class Report:
    """The outcomes of all checks of one component."""

    subject: Subject
    outcomes: tuple[Outcome, ...]

    @property
    def run(self) -> int:
        """The number of checks that ran."""
        return sum(o.status != "not run" for o in self.outcomes)

    @property
    def failed(self) -> list[Outcome]:
        """The checks that failed unexpectedly, or passed although a failure was expected."""
        return [o for o in self.outcomes if o.status == "failed"]

    def line(self) -> str:
        """Returns the counts of checks, with the notes."""
        return counted(self.subject, self.outcomes)

    def not_run(self) -> dict[str, list[str]]:
        """Returns reason -> ids of the checks that did not run for that reason."""
        return reasons(self.outcomes)


def check_component(subject: Subject, expected_failures: Mapping[str, str] | None = None) -> Report:
    """Runs every check that applies.

    Raises ConfigError for an invalid option or an unknown check id.
    """
    subject.validate()
    expected = validated(expected_failures or {}, subject.record)
    outcomes = [settled(outcome_of(each, subject), expected.get(each.id)) for each in checks_of(subject.record)]
    return Report(subject, tuple(outcomes))


def counted(subject: Subject, outcomes: Collection[Outcome]) -> str:
    """Returns a line with the counts of checks and the notes."""
    ran, record = sum(o.status != "not run" for o in outcomes), subject.record
    counts = f"{ran} checks run, {len(outcomes) - ran} not run, floor {FLOOR[record.kind]}"
    return f"{record.kind} {subject.entry.qualified}: {counts}{''.join(f'; {note}' for note in subject.notes)}"


def reasons(outcomes: Iterable[Outcome]) -> dict[str, list[str]]:
    """Returns reason -> ids of the checks that did not run for that reason."""
    found: dict[str, list[str]] = {}
    for outcome in outcomes:
        if outcome.status == "not run":
            found.setdefault(outcome.message, []).append(outcome.check.id)
    return found


def validated(expected_failures: Mapping[str, str], record: Component) -> dict[str, str]:
    """Returns the expected failures by check id.

    Raises ConfigError if a check does not exist or does not apply to this component, or if a reason is missing.
    """
    for id_, reason in expected_failures.items():
        find(id_, record)
        if not (isinstance(reason, str) and reason.strip()):
            raise ConfigError(f"expected failure '{id_}': say why, in a sentence (got {reason!r})")
    return dict(expected_failures)


def settled(outcome: Outcome, reason: str | None) -> Outcome:
    """Returns the final outcome of a check.

    If there is a reason to expect a failure, a pass becomes a failure.
    """
    if reason is None or outcome.status == "not run":
        return outcome
    if outcome.status == "failed":
        return replace(outcome, status="expected", message=f"{reason} ({outcome.message})")
    return replace(
        outcome, status="failed", message=f"expected to fail ({reason}), but it passes: remove this expectation"
    )


def outcome_of(each: Check, subject: Subject) -> Outcome:
    """Runs a check, once for each subject.

    The global random state is the same at the start of every check, and is restored afterwards.
    """
    # ``any.floor`` needs the outcomes of all other checks: without this memory, each would run twice
    known: dict[str, Outcome] = subject.memory.setdefault("outcomes", {})
    if each.id not in known:
        cause = _cause(each, subject)
        with undisturbed():
            seed_globals(0)
            known[each.id] = Outcome(each, "not run", f"see {cause}", caused=True) if cause else _run(each, subject)
    return known[each.id]


def _cause(each: Check, subject: Subject) -> str:
    """Returns the id of the failed check that leaves another one nothing to say; "" if there is none."""
    for id_ in each.after:
        failed = CHECKS[id_].applies(subject.record) and outcome_of(CHECKS[id_], subject).status == "failed"
        # a failure at other options than the defaults is one of many
        if failed and (id_ != "any.space-works" or subject.memory["unusable"]):
            return id_
    return ""


def _run(each: Check, subject: Subject) -> Outcome:
    try:
        each.function(subject)
    except NotRun as reason:
        return Outcome(each, "not run", str(reason), reason.lacking, caused=reason.caused)
    except (Broken, ContractError) as error:
        sentence = error.breach if isinstance(error, ContractError) else str(error)
        return Outcome(each, "failed", sentence, place=author_line(error, subject.entry))
    except Exception as error:
        # a component that cannot find what it declared is not wrong: this machine only lacks it
        missing = subject.missing()
        if isinstance(error, ConfigError) and missing:
            return Outcome(each, "not run", str(error), lacking=True)
        place = author_line(error, subject.entry)
        # without a line of the author's own, equal errors are told apart by their text
        earlier = _told_at(place if frames_of(error, subject.entry) else str(error), error, each, subject)
        if earlier:
            return Outcome(each, "not run", f"the same error as in {earlier}; see {earlier}", caused=True)
        return Outcome(each, "failed", f"{type(error).__name__}: {error}", details=traceback.format_exc(), place=place)
    return Outcome(each, "passed")


def _told_at(place: str, error: Exception, each: Check, subject: Subject) -> str:
    """Returns the id of an earlier check that failed with the same kind of error at the same line of the author's."""
    told: dict[tuple[str, str], str] = subject.memory.setdefault("told", {})
    earlier = told.setdefault((type(error).__name__, place), each.id)
    return "" if earlier == each.id else earlier


@check("any.floor", after=())
def floor(subject: Subject) -> None:
    """Enough checks run: at least the floor of the kind.

    The report prints a reason for each check that is not run.

    Fix: pass the options that the component requires, such as ``options={"path": ...}`` of a data set; declare the
    packages and parameters that it needs in its record (``requires``, ``weights``).
    """
    outcomes = list(_others(checks_of(subject.record), subject))
    # with this check itself, as the report counts
    ran, least = 1 + sum(o.status != "not run" for o in outcomes), FLOOR[subject.record.kind]
    excused = [o for o in outcomes if o.lacking]
    if ran >= least:
        return
    if caused := next((o for o in outcomes if o.caused), None):
        raise NotRun(f"too few checks run because another one failed; {caused.message}", caused=True)

    not_run = "; ".join(f"{', '.join(ids)} ({reason})" for reason, ids in reasons(outcomes).items())
    sentence = f"checks that ran: {ran}, the floor of kind {subject.record.kind} is {least}; not run: {not_run}"
    # with everything that the machine lacks, enough checks would run: this is not the fault of the component
    if ran + len(excused) >= least:
        raise NotRun(sentence, lacking=True)
    raise Broken(sentence)


def _others(checks: Sequence[Check], subject: Subject) -> Iterator[Outcome]:
    return (outcome_of(each, subject) for each in checks if each.id != "any.floor")
