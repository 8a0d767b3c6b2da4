"""Checks components against the rules of their kind: the conformance kit.

What a component declares adds further rules. In pytest, use ``@conformance("degradation", "rain")``. On the command
line, use ``texprior plugins check``. See docs/conformance.md.
"""

from texprior.testing import kinds
from texprior.testing.catalogue import CHECKS, FLOOR, Check, checks_of
from texprior.testing.run import Outcome, Report, check_component, validated
from texprior.testing.subject import Subject
from texprior.testing.suite import conformance, entries_of

__all__ = [
    "CHECKS",
    "FLOOR",
    "Check",
    "Outcome",
    "Report",
    "Subject",
    "check_component",
    "checks_of",
    "conformance",
    "entries_of",
    "kinds",
    "validated",
]
