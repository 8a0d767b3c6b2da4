"""Turns the filters of ``runs list`` into MLflow's language."""

from __future__ import annotations

import datetime
import math
import operator
import re
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from texprior.cli.commands.runs.recorded import STAGE, STATUS, Recorded
from texprior.errors import ConfigError

_COMPARE: dict[str, Callable[[float, float], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "!=": operator.ne,
    "<": operator.lt,
    ">": operator.gt,
    "=": operator.eq,
}
_UNITS_S = {"m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
FORMS = ("{}", "mean/{}", "winner/{}", "best.{}")
"""Names that a metric has in runs of trials, cells and trainings, of arms, of ablations, and of sweeps."""
JUDGED = ("evaluation", "demo")
"""The kinds of runs that hold a metric for each method, such as ``restored 4 calls/psnr_rgb``."""
STATUSES = ("running", "finished", "failed", "pruned", "interrupted")


@dataclass(frozen=True)
class Where:
    """A condition on a metric."""

    metric: str
    sign: str
    value: float

    def fits(self, run: Recorded, form: str) -> bool:
        """Returns whether a run's metric fits, on a form of the metric's name."""
        value = run.metrics.get(form.format(self.metric))
        return value is not None and _COMPARE[self.sign](value, self.value)

    def query(self, form: str) -> str:
        """Returns the condition in MLflow's language, on a form of the metric's name."""
        return f"metrics.`{form.format(self.metric)}` {self.sign} {self.value!r}"


def restored_forms(names: Iterable[str]) -> list[str]:
    """Returns the forms of a metric's name in the rows of restored pictures, of which these are the metrics."""
    methods = (name.rpartition("/")[0] for name in names if name.startswith("restored"))
    return [f"{method.replace('{', '{{').replace('}', '}}')}/{{}}" for method in dict.fromkeys(methods) if method]


def parse_where(text: str) -> Where:
    """Parses ``METRIC<VALUE``, with ``<``, ``<=``, ``>``, ``>=``, ``=`` or ``!=``. Raises ConfigError."""
    match = re.fullmatch(r"\s*([^<>=!`]+?)\s*(<=|>=|!=|<|>|=)\s*(\S+)\s*", text)
    try:
        if match and math.isfinite(value := float(match[3])):
            return Where(match[1], match[2], value)
    except ValueError:
        pass
    raise ConfigError(f"--where {text}: expected a metric, a sign and a number, such as 'lpips_alex<0.2'")


def since_ms(text: str, now_s: float | None = None) -> int:
    """Returns the time, ms since 1970, of an age such as ``3d`` or of a day such as ``2026-11-01`` (UTC).

    Raises ConfigError if the text is neither.
    """
    if age := re.fullmatch(r"(\d{1,6}(?:\.\d+)?)([mhdw])", text):
        return int(((time.time() if now_s is None else now_s) - float(age[1]) * _UNITS_S[age[2]]) * 1000)
    try:
        day = datetime.datetime.fromisoformat(text)
    except ValueError:
        raise ConfigError(
            f"--since {text}: expected an age such as 30m, 12h, 3d or 2w, or a day such as 2026-11-01"
        ) from None
    return int((day if day.tzinfo else day.replace(tzinfo=datetime.UTC)).timestamp() * 1000)


def tag_query(text: str) -> str:
    """Returns ``K=V`` as a condition in MLflow's language. Raises ConfigError."""
    key, sign, value = text.partition("=")
    if not sign or not key or "`" in key:
        raise ConfigError(f"--tag {text}: expected KEY=VALUE")
    return f"tags.`{key}` = {quoted(value)}"


def quoted(text: str) -> str:
    """Returns a text in quotes, as MLflow reads it, which knows no escape. Raises ConfigError."""
    for mark in "'\"":
        if mark not in text:
            return f"{mark}{text}{mark}"
    raise ConfigError(f"{text}: MLflow cannot search for a text with both kinds of quotes")


def base_query(kind: str | None, status: str | None, since: str | None, tags: Sequence[str]) -> list[str]:
    """Returns the conditions of everything but metrics. Raises ConfigError."""
    conditions = [tag_query(tag) for tag in tags]
    if kind:
        conditions.append(f"tags.`{STAGE}` = {quoted(kind)}")
    # MLflow has one word for pruned and interrupted runs; runs of other programs have no word of texprior's
    if status in ("pruned", "interrupted"):
        conditions.append(f"tags.`{STATUS}` = '{status}'")
    elif status:
        conditions.append(f"attributes.status = '{status.upper()}'")
    if since:
        conditions.append(f"attributes.start_time >= {since_ms(since)}")
    return conditions
