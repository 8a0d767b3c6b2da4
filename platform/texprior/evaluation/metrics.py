"""Builds the metrics that an experiment names.

Also fills in the scores of metrics that score sets.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

from torch import Tensor

from texprior.errors import ConfigError
from texprior.evaluation.scores import Score
from texprior.flow.kinds import METRIC
from texprior.flow.measure import Gathered, ImageMetric, SetMetric, direction
from texprior.plugin import Metric
from texprior.runtime.session import Session


class Metrics(NamedTuple):
    """The metrics by their keys.

    They are those that score pictures, those that score sets, and the direction of all.
    """

    images: dict[str, ImageMetric]
    sets: dict[str, SetMetric]
    better: dict[str, str]
    named: dict[str, list[str]]
    """Component, as the experiment names it -> the keys of its variants."""

    def key_of(self, name: str, path: str) -> str:
        """Returns the key that a setting means: its text, or the one key of the component with this name.

        A name that is neither is returned as it is. Raises ConfigError if it stands for several keys.
        """
        keys = [name] if name in self.better else self.named.get(name, [name])
        if len(keys) > 1:
            raise ConfigError(f"{path}: '{name}' stands for {' and for '.join(keys)} here; name one of them")
        return keys[0]


def build_metrics(session: Session) -> Metrics:
    """Builds the experiment's metrics.

    Raises ConfigError if two have one key: their scores would be mixed up.
    """
    metrics = Metrics({}, {}, {}, {})
    for number, ref in enumerate(session.experiment.metrics):
        record = session.registry.find("metric", ref.name).component
        assert isinstance(record, Metric)
        metric = session.registry.build(METRIC, ref)
        if metric.key in metrics.better:
            raise ConfigError(f"metrics.{number}: {metric.key} is named twice; variants of a metric differ in options")
        among = metrics.sets if record.scope == "set" else metrics.images
        among[metric.key] = metric  # type: ignore[assignment]
        metrics.better[metric.key] = direction(metric, record)
        for name in {ref.name, ref.name.rpartition("/")[2]}:
            metrics.named.setdefault(name, []).append(metric.key)
    return metrics


def with_metric_keys(session: Session) -> Session:
    """Returns the session with keys where its sweep and its ablation name a metric by its component.

    So both forms are one study and one ablation. Raises ConfigError if a name stands for several keys, or if two
    objectives of the sweep are one.
    """
    experiment, measured = session.experiment, build_metrics(session)
    sweep, ablation = experiment.sweep, experiment.ablation
    also = [measured.key_of(name, "sweep.also") for name in sweep.also]
    metric = measured.key_of(sweep.metric, "sweep.metric")
    if metric in also or len(set(also)) < len(also):
        raise ConfigError(f"sweep: metric and also name an objective twice, as {', '.join([metric, *also])}")
    judged = {
        name: value and measured.key_of(value, f"ablation.{name}")
        for name, value in (("metric", ablation.metric), ("against", ablation.against))
    }
    keyed = {
        "sweep": sweep.model_copy(update={"metric": metric, "also": also}),
        "ablation": ablation.model_copy(update=judged),
    }
    return session.with_(experiment=experiment.model_copy(update=keyed))


def scored_as_sets(
    scores: Sequence[Score], gathered: Gathered, seen_as: Callable[[Score], str] = lambda score: score.method
) -> list[Score]:
    """Returns the scores with the values of set metrics filled in.

    The pictures of a method are a set. The value of a picture is its contribution, and the set's score is the mean of
    them; NaN if the metric could not use the picture. ``seen_as`` returns the method under which the picture of a score
    was gathered.
    """
    sets: dict[tuple[str, str], dict[str, tuple[Tensor, Tensor | None]]] = {}
    for s in scores:
        features = gathered.seen.get((seen_as(s), s.metric), {}).get(s.picture)
        if features is not None:
            sets.setdefault((s.method, s.metric), {})[s.picture] = features
    values = {key: gathered.score(key[1], rows) for key, rows in sets.items()}
    return [
        replace(s, value=values.get((s.method, s.metric), {}).get(s.picture, math.nan))
        if s.metric in gathered.metrics
        else s
        for s in scores
    ]
