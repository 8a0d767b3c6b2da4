"""Builds the search space of a sweep and asks Optuna for a trial's values.

The space is built from options. It maps dotted paths, as in the experiment file, to dimensions.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from types import NoneType
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from texprior.config.dotted_paths import get_path
from texprior.config.schema import Experiment, component_paths
from texprior.config.schema_studies import Range, Sweep
from texprior.config.search_dimension import (
    Dimension,
    checked_dimension,
    choice_label,
    contains_value,
    count_values,
    distinct_choices,
    first_reason,
    tuned_dimensions,
    unwrap_annotation,
)
from texprior.config.validation import Complaint
from texprior.digests import digest
from texprior.errors import PluginError, suggest_name
from texprior.plugin.references import kind_of
from texprior.registry import Registry

if TYPE_CHECKING:
    import optuna

_FIXED = frozenset(
    {"name", "sweep", "ablation", "requires_plugins", "metrics", "events", "seed", "evaluation", "device"}
)
"""Top-level keys that no sweep may search: how the work is named, seeded, placed, observed and judged."""
_SHARED = (
    *("prior", "decomposition", "match_texture_std", "encoder", "denoiser", "predictor", "degradation", "data"),
    *("training.prior", "training.predictor"),
    *("diffusion.condition_noise", "diffusion.condition_noise_max", "diffusion.condition_blur", "diffusion.alpha_max"),
    *("diffusion.code_dropout", "diffusion.process"),
)
"""Parts of the prior and the predictor, which are trained once for all trials of a sweep.

A trial that changed one of them would still score the same prior and predictor."""
LEARNING_RATES = Range(low=1e-4, high=4e-3, log=True)
"""The range of the adapter's learning rate, if ``sweep.space`` is empty. The default of 1e-3 is inside."""


def write_out_space(experiment: Experiment, registry: Registry, complaints: list[Complaint]) -> Sweep:
    """Returns the sweep with every dimension explicit.

    A plugin that is installed later then does not change the study. An empty space becomes the experiment's own adapter
    and its learning rate. Errors go to ``complaints``.
    """
    space: dict[str, Dimension] = {}
    given = experiment.sweep.space or {"adapter": [experiment.adapter.name], "training.adapter.lr": LEARNING_RATES}
    for path, dimension in given.items():
        try:
            info = _find(path, experiment, given, registry)
            space[path] = (
                _components(path, info, dimension) if path in component_paths() else checked_dimension(dimension, info)
            )
            brought = _brought(path, space[path], experiment, registry)
            # A dimension that the user gave has priority over one that comes from ``Tune``.
            space.update({below: dimension for below, dimension in brought.items() if below not in given})
        except (PluginError, ValueError) as error:
            complaints.append(Complaint(f"sweep.space.{path}", first_reason(error)))
    return experiment.sweep.model_copy(update={"space": space})


def suggest_values(trial: optuna.trial.BaseTrial, sweep: Sweep) -> dict[str, Any]:
    """Returns one trial's values by dotted path.

    The options of a component have values only if the trial chose this component.
    """
    values: dict[str, Any] = {}
    for path, dimension in _applying(sweep.space, values):
        values[path] = _suggest(trial, path, dimension)
    return values


def default_values(experiment: Experiment) -> dict[str, Any]:
    """Returns the experiment's own values of the dimensions that apply to it.

    The result is empty if one of the values is outside the space.
    """
    data = experiment.model_dump(mode="json")
    kinds, values = component_paths(), dict[str, Any]()
    for path, dimension in _applying(experiment.sweep.space, values):
        value = get_path(data, path)
        values[path] = next(iter(value)) if path in kinds and value is not None else value
        # Optuna stores a parameter of a continuous dimension as float: 1 and 1.0 must be the same configuration.
        if isinstance(dimension, Range) and not dimension.integer and isinstance(value, int):
            values[path] = float(value)
        if not contains_value(dimension, values[path]):
            return {}
    return values


def params_of(values: Mapping[str, Any]) -> dict[str, Any]:
    """Returns values in the form of Optuna's parameters, such as for ``enqueue_trial``."""
    return {path: choice_label(value) for path, value in values.items()}


def space_hash(sweep: Sweep) -> str:
    """Hashes the dimensions to ten hex digits, which keep studies of different spaces apart."""
    # Optuna raises when a categorical parameter of a stored study gets other choices.
    dumped = sweep.model_dump(mode="json")["space"]
    return digest(dumped, sort_keys=True)


def count_configurations(sweep: Sweep) -> int | None:
    """Returns the number of different configurations; None if a dimension is continuous."""
    total, space = 1.0, sweep.space
    owners = [path for path in component_paths() if path in space]
    for path, dimension in space.items():
        if any(path.startswith(f"{owner}.") for owner in owners):
            continue
        # A trial has the options of the one component that it chose: sizes add up over components.
        if path in owners and isinstance(dimension, list):
            total *= sum(math.prod(_sizes(space, f"{path}.{name}.")) for name in dimension)
        else:
            total *= count_values(dimension)
    return int(total) if math.isfinite(total) else None


def _suggest(trial: optuna.trial.BaseTrial, path: str, dimension: Dimension) -> Any:
    if isinstance(dimension, list):
        labels = [choice_label(choice) for choice in dimension]
        return dimension[labels.index(trial.suggest_categorical(path, labels))]
    low, high, step, log = dimension.low, dimension.high, dimension.step, dimension.log
    if dimension.integer:
        return trial.suggest_int(path, low, high, step=step or 1, log=log)
    return trial.suggest_float(path, low, high, step=step, log=log)


def _applying(space: Mapping[str, Dimension], values: Mapping[str, Any]) -> Iterator[tuple[str, Dimension]]:
    """Yields the dimensions that apply: components first, then the other paths.

    A path below a component is left out if ``values`` holds another component there. The caller fills ``values`` while
    it iterates.
    """
    owners = component_paths()
    for path, dimension in sorted(space.items(), key=lambda item: item[0] not in owners):
        owner = next((o for o in owners if o in values and path.startswith(f"{o}.")), None)
        if owner is None or path.startswith(f"{owner}.{values[owner]}."):
            yield path, dimension


def _brought(path: str, dimension: Dimension, experiment: Experiment, registry: Registry) -> dict[str, Dimension]:
    """Returns the ``Tune`` options of the components that a dimension chooses from.

    If the experiment's own component is among them, the components that its options name are included.
    """
    kind, found = component_paths().get(path), dict[str, Dimension]()
    own = get_path(experiment.model_dump(mode="json"), path) or {}
    for name in dimension if kind and isinstance(dimension, list) else []:
        if name is not None:
            options = registry.find(str(kind), name).component.options
            brought = {f"{path}.{name}": options}
            if name in own:
                used = registry.components_of(options.model_validate(own[name]), f"{path}.{name}.")
                brought |= {f"{p}.{ref.name}": registry.find(k, ref.name).component.options for p, k, ref in used}
            found.update(
                {
                    f"{p}.{option}": below
                    for p, model in brought.items()
                    for option, below in tuned_dimensions(model).items()
                }
            )
    return found


def _find(path: str, experiment: Experiment, space: Mapping[str, Dimension], registry: Registry) -> FieldInfo:
    """Returns the field at a dotted path.

    Raises ValueError or PluginError with the reason if it cannot be searched.
    """
    model: type[BaseModel] = Experiment
    walked, rest = "", path
    if path.partition(".")[0] in _FIXED:
        raise ValueError(f"'{path.partition('.')[0]}' cannot be searched")
    if any(path == part or path.startswith(f"{part}.") for part in _SHARED):
        raise ValueError(
            "this belongs to the prior or the predictor, which all trials share; compare experiments instead"
        )

    # Walks down key by key: sections are followed by their fields, components by their name and then their options.
    while True:
        key, _, rest = rest.partition(".")
        info = model.model_fields.get(key)
        if info is None:
            raise ValueError(
                f"there is no '{key}' in '{walked or 'the experiment'}'; {suggest_name(key, model.model_fields)}"
            )
        walked = f"{walked}.{key}" if walked else key
        inner = [
            t for t in unwrap_annotation(info.annotation, [])[0] if isinstance(t, type) and issubclass(t, BaseModel)
        ]
        if kind := kind_of(info):
            if rest.partition(".")[0].isdigit():
                key, _, rest = rest.partition(".")
                walked = f"{walked}.{key}"
            if not rest and walked in component_paths():
                return info
            if not rest:
                raise ValueError(
                    "this component is in another component's options; search the options of the component itself"
                )
            name, rest = _chosen(walked, rest, experiment, space)
            model, walked = registry.find(kind, name).component.options, f"{walked}.{name}"
        elif inner and rest:
            model = inner[0]
        elif inner:
            raise ValueError(f"this is a section; search the values in it: {', '.join(inner[0].model_fields)}")
        elif rest:
            raise ValueError(f"'{walked}' is a value: there is nothing below it")
        else:
            return info


def _chosen(path: str, rest: str, experiment: Experiment, space: Mapping[str, Dimension]) -> tuple[str, str]:
    """Splits ``cga.width`` into the component's name and the option below it.

    Raises ValueError if neither the sweep nor the experiment can have that component.
    """
    searched = space.get(path, get_path(experiment.model_dump(mode="json"), path) or [])
    names = [] if isinstance(searched, Range) else [str(name) for name in searched if name is not None]
    # The longest name first: if one name is the beginning of another, the shorter one must not match.
    for name in sorted(names, key=len, reverse=True):
        if rest == name:
            raise ValueError(f"name an option of '{name}', such as {path}.{name}.OPTION")
        if rest.startswith(f"{name}."):
            return name, rest.removeprefix(f"{name}.")
    name = rest.partition(".")[0]
    raise ValueError(f"'{path}' is never '{name}' here; {suggest_name(name, names)}")


def _components(path: str, info: FieldInfo, dimension: Dimension) -> list[Any]:
    optional = NoneType in unwrap_annotation(info.annotation, [])[0]
    if not isinstance(dimension, list) or not all(isinstance(n, str) or (optional and n is None) for n in dimension):
        raise ValueError(f"a component is searched over a list of names; its options are paths: {path}.NAME.OPTION")
    return distinct_choices(dimension)


def _sizes(space: Mapping[str, Dimension], prefix: str) -> list[float]:
    return [count_values(dimension) for path, dimension in space.items() if path.startswith(prefix)]
