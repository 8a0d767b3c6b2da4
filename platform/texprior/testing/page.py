"""Prints all checks as Markdown tables: ``python -m texprior.testing.page`` makes those of docs/conformance.md."""

from __future__ import annotations

from texprior.plugin import KINDS
from texprior.testing.catalogue import CHECKS, FLOOR, Check


def catalogue() -> str:
    """Returns one table for each kind.

    It has the id, conditions, rule and fix of every check.
    """
    families = ["any", *KINDS]
    return "\n\n".join(_family(family) for family in families) + "\n"


def _family(family: str) -> str:
    title = "Every kind" if family == "any" else f"{family}, at least {FLOOR[family]} checks"
    rows = [_row(check) for check in CHECKS.values() if check.id.partition(".")[0] == family]
    return "\n".join([f"### {title}", "", "| check | rule | fix |", "|---|---|---|", *rows])


def _row(check: Check) -> str:
    without = [kind for kind in KINDS if kind not in check.kinds]
    where = [check.when.words] if check.when.words else []
    if check.id.startswith("any.") and without:
        # name the shorter of the two lists
        few = len(check.kinds) <= len(without)
        where.append(f"only {', '.join(check.kinds)}" if few else f"not {', '.join(without)}")
    applies = f" ({'; '.join(where)})" if where else ""
    cells = [cell.replace("|", "\\|") for cell in (check.rule, check.fix)]
    return f"| `{check.id}`{applies} | {' | '.join(cells)} |"


if __name__ == "__main__":
    print(catalogue(), end="")  # noqa: T201 (printing is the purpose)
