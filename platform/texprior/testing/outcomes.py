"""How a check ends: the rule is broken, or it could not be run."""

from __future__ import annotations


class Broken(AssertionError):
    """The component breaks the rule; the message says by how much."""


class NotRun(Exception):
    """The rule could not be looked at. ``lacking``: this machine has not what the component declares to need."""

    def __init__(self, reason: str, *, lacking: bool = False) -> None:
        super().__init__(reason)
        self.lacking = lacking


def require(holds: object, sentence: str) -> None:
    """Raises Broken with the sentence where the rule does not hold."""
    if not holds:
        raise Broken(sentence)
