"""Defines the exceptions that end a check.

Either the component breaks the rule, or the check could not be run.
"""

from __future__ import annotations


class Broken(AssertionError):
    """Raised if the component breaks the rule. The message says by how much."""


class NotRun(Exception):
    """Raised if a check could not be run.

    ``lacking`` is True if the reason is that this machine lacks something that the component declares to need.
    ``caused`` is True if the reason is that another check failed.
    """

    def __init__(self, reason: str, *, lacking: bool = False, caused: bool = False) -> None:
        super().__init__(reason)
        self.lacking, self.caused = lacking, caused


def require(holds: object, sentence: str) -> None:
    """Raises Broken with the sentence if the rule does not hold."""
    if not holds:
        raise Broken(sentence)
