"""Registers the checks, each with a stable id, a rule, a fix and its components."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from texprior.errors import ConfigError, suggest_name
from texprior.plugin import HOOK_OF_KIND, KINDS, Component
from texprior.plugin.records import flags_of

if TYPE_CHECKING:
    from texprior.testing.subject import Subject

FLOOR = {
    "degradation": 15,
    "decomposition": 16,
    "encoder": 16,
    "denoiser": 26,
    "predictor": 18,
    "adapter": 19,
    "noise_levels": 16,
    "schedule": 13,
    "augmentation": 16,
    "objective": 17,
    "optimizer": 16,
    "lr_decay": 16,
    "process": 21,
    "sampler": 18,
    "metric": 16,
    "dataset": 14,
    "attention": 16,
    "events": 16,
    "launcher": 11,
    "command": 9,
}
"""The number of checks that must run on every component of a kind, whatever it declares.

The numbers count the checks without a condition, less those that may have nothing to look at. If fewer run,
``any.floor`` fails: otherwise a component that could not be checked would look like one that passed.
"""


@dataclass(frozen=True)
class When:
    """The condition under which a check applies.

    ``words`` states it for readers, and ``test`` decides it for a record.
    """

    words: str
    test: Callable[[Component], bool]


ALWAYS = When("", lambda _record: True)


def declares(field: str) -> When:
    """Returns the condition that the record declares a property.

    Raises ValueError if no record has such a field.
    """
    if not any(field in flags_of(record) for _, record in HOOK_OF_KIND.values()):
        raise ValueError(f"no record has a field '{field}'")
    return When(f"`{field}=True`", lambda record: bool(getattr(record, field, False)))


@dataclass(frozen=True)
class Check:
    """A rule for components. Its ``id`` is public and never changes its meaning."""

    id: str
    kinds: tuple[str, ...]
    when: When
    rule: str
    fix: str
    function: Callable[[Subject], None]
    after: tuple[str, ...] = ()
    """Checks whose failure leaves this one nothing new to say: it is then not run."""

    def applies(self, record: Component) -> bool:
        """Returns True if the rule is for this component.

        This depends on its kind and on what its record declares.
        """
        return record.kind in self.kinds and self.when.test(record)


USABLE = ("any.defaults", "any.builds", "any.contract", "any.space-works")
"""Checks after which a component can be called with its default options."""
CHECKS: dict[str, Check] = {}
"""All checks by id, in the order of the documentation."""


def check(
    id_: str, *kinds: str, when: When = ALWAYS, but: Iterable[str] = (), after: tuple[str, ...] = USABLE
) -> Callable[[Callable[[Subject], None]], Callable[[Subject], None]]:
    """Registers a function as a check.

    If no kind is given, it is for every kind except those in ``but``. By default it says
    nothing about a component that is not usable at all. The docstring of the function is the rule,
    followed by ``Fix:`` and what to do. Raises ValueError if the docstring has no rule or fix, or if the id exists.
    """

    def register(function: Callable[[Subject], None]) -> Callable[[Subject], None]:
        rule, _, fix = " ".join((function.__doc__ or "").replace("``", "`").split()).partition(" Fix: ")
        if not (rule and fix) or id_ in CHECKS:
            raise ValueError(f"check '{id_}' needs a unique id, and a docstring with its rule and its fix")
        fix = fix[:1].upper() + fix[1:]
        chosen = tuple(kind for kind in kinds or KINDS if kind not in but)
        CHECKS[id_] = Check(id_, chosen, when, rule, fix, function, after)
        return function

    return register


def checks_of(record: Component) -> list[Check]:
    """Returns the checks that apply to a component; ``any.floor`` is the last."""
    return [c for c in CHECKS.values() if c.applies(record)]


def find(id_: str, record: Component) -> Check:
    """Returns the check with an id.

    Raises ConfigError if none exists, or if it does not apply to the component.
    """
    if id_ not in CHECKS:
        raise ConfigError(f"there is no conformance check '{id_}'; {suggest_name(id_, CHECKS)}")
    found = CHECKS[id_]
    if not found.applies(record):
        where = f"{', '.join(found.kinds)}{f' with {found.when.words}' if found.when.words else ''}"
        raise ConfigError(f"check '{id_}' does not apply to {record.kind} '{record.name}', but to: {where}")
    return found
