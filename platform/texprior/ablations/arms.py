"""Makes the arms of an ablation.

Resolves the grid and the named arms of an experiment to experiments with names.
"""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml

from texprior.config import with_overrides
from texprior.config.dotted_paths import shortest_suffix
from texprior.config.schema import Experiment, component_paths
from texprior.errors import ConfigError, suggest_name
from texprior.registry import Registry

_ALIKE = (
    *("name", "seed", "device", "threads", "requires_plugins", "events", "sweep", "ablation"),
    *("data.val", "data.test", "metrics", "evaluation"),
)
"""Paths in which arms cannot differ: they name and watch the work, or decide how arms are judged."""

_SAMPLED = "sampling"
"""The only section in which arms that sample one trained model can differ: everything else is the model's."""


@dataclass(frozen=True)
class Arm:
    """One side of the comparison.

    It has a name, what it sets (dotted path -> value), and the resulting experiment.
    """

    name: str
    values: Mapping[str, Any]
    experiment: Experiment
    budgets: Mapping[str, int] = field(default_factory=dict)
    """Path -> budget in images that the arm was given for equal compute; see ``budgets``."""
    alone: bool = False
    """Whether only the arm's predictor is trained, and its estimate is the restored picture."""

    @property
    def all_values(self) -> dict[str, Any]:
        """What the arm sets, with the budgets that it was given."""
        return {**self.values, **self.budgets}

    @property
    def sets(self) -> str:
        """The settings of the arm, in words."""
        settings = [f"{path}: {flow_yaml(value)}" for path, value in self.all_values.items()]
        return ", ".join(["no prior, no adapter"] * self.alone + settings) or "the experiment as it is"


def arms_of(experiment: Experiment, registry: Registry) -> list[Arm]:
    """Returns every arm: those of the grid in its order, then the named ones.

    Raises ConfigError that names each arm that is not possible.
    """
    choice = experiment.ablation
    grid = list(grid_combinations(choice.grid))
    described = [*zip(_names(grid, choice.grid), grid, strict=True), *choice.arms.items()]
    enough = 1 if choice.predictor_alone and choice.model is None else 2
    if len(described) < enough:
        found = f"only '{described[0][0]}'" if described else "nothing"
        raise ConfigError(f"ablation: there is {found} to compare; give two arms or more in ablation.grid or .arms")

    # all complaints are collected, so that a user can correct the file in one pass
    arms, complaints = [], []
    for name, values in described:
        try:
            _refuse(values, choice.model)
            arms.append(Arm(name, values, with_overrides(experiment, values, registry, f"arm '{name}'")))
        except ConfigError as error:
            text = str(error)
            complaints.append(text if text.startswith(f"arm '{name}'") else f"arm '{name}': {text}")
    complaints += _same(arms)
    if complaints:
        raise ConfigError("\n".join(f"ablation: {complaint}" for complaint in complaints))
    return arms


def series_of(arms: Sequence[Arm], grid: Mapping[str, Sequence[Any]]) -> list[list[Arm]]:
    """Groups arms that differ only in the grid's last path.

    A figure joins the arms of a group. Any other arm forms a group.
    """
    last, found = list(grid)[-1] if grid else "", dict[str, list[Arm]]()
    for arm in arms:
        rest = {path: value for path, value in arm.values.items() if path != last}
        of_grid = arm.values.keys() <= grid.keys() and not arm.alone
        key = json.dumps(rest, sort_keys=True, default=str) if of_grid else arm.name
        found.setdefault(key, []).append(arm)
    return list(found.values())


def baseline_of(experiment: Experiment, arms: Sequence[Arm]) -> Arm:
    """Returns the arm that the others are compared with.

    Raises ConfigError if no arm has that name.
    """
    wanted = experiment.ablation.baseline
    named = {arm.name: arm for arm in arms}
    if wanted is None:
        return arms[0]
    if wanted not in named:
        raise ConfigError(f"ablation.baseline: there is no arm '{wanted}'; {suggest_name(wanted, named)}")
    return named[wanted]


def grid_combinations(grid: Mapping[str, Sequence[Any]]) -> Iterator[dict[str, Any]]:
    """Yields every combination once.

    A path below a component is kept only if that component is chosen.
    """
    # components come first, so that an option is set on the component that was chosen
    kinds = component_paths()
    paths = sorted(grid, key=lambda path: path not in kinds)
    seen = set()
    for chosen in itertools.product(*(grid[path] for path in paths)):
        values = dict(zip(paths, chosen, strict=True))
        # without the paths that do not apply, several combinations may be the same arm
        kept = {path: value for path, value in values.items() if _applies(path, values)}
        key = json.dumps(kept, sort_keys=True, default=str)
        if kept and key not in seen:
            seen.add(key)
            yield kept


def _applies(path: str, values: Mapping[str, Any]) -> bool:
    """Whether every component that ``path`` is below is chosen in ``values``."""
    owners = (owner for owner in values if owner in component_paths() and path.startswith(f"{owner}."))
    return all(path.startswith(f"{owner}.{_component(values[owner])}.") for owner in owners)


def _component(value: object) -> object:
    """Returns the component's name from ``name`` or ``{name: options}``."""
    return next(iter(value)) if isinstance(value, Mapping) and len(value) == 1 else value


def _names(arms: Sequence[Mapping[str, Any]], grid: Mapping[str, Sequence[Any]]) -> list[str]:
    """Returns readable names: a component's own name if that tells the arms apart, and ``option=value``."""
    # a path with one value is the same in all arms, so short names leave it out
    telling = [path for path in grid if len(grid[path]) > 1]
    short = [" ".join(_label(p, v, grid, long=False) for p, v in arm.items() if p in telling) for arm in arms]
    if len(set(short)) == len(short) and all(short):
        return short
    return [" ".join(_label(path, value, grid, long=True) for path, value in arm.items()) for arm in arms]


def _label(path: str, value: object, grid: Mapping[str, Sequence[Any]], long: bool) -> str:
    """Returns the words for one value in an arm's name; options of a component only if its name is not enough."""
    if path not in component_paths():
        return f"{path if long else shortest_suffix(path, grid)}={_text(value)}"
    name = _text(_component(value))
    options = value[name] if isinstance(value, Mapping) and name in value else {}
    alone = sum(_text(_component(other)) == name for other in grid[path]) == 1
    shown = {} if alone or not isinstance(options, Mapping) else options
    label = f"{path}={name}" if long or name == "null" else name
    return " ".join([label, *(f"{option}={_text(given)}" for option, given in shown.items())])


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, default=str)


def flow_yaml(value: object) -> str:
    """Returns a value as YAML on one line."""
    # yaml ends a document of one scalar with dots
    return yaml.safe_dump(value, default_flow_style=True, width=math.inf).removesuffix("...\n").strip()


def _refuse(values: Mapping[str, Any], model: str | None) -> None:
    """Raises ConfigError if an arm sets a path that it may not set, or a section that contains such a path."""
    for path in values:
        if model is not None and path.partition(".")[0] != _SAMPLED:
            raise ConfigError(f"{path}: ablation.model is sampled and not trained: arms can differ only in {_SAMPLED}")
        for fixed in _ALIKE:
            if f"{path}.".startswith(f"{fixed}.") or f"{fixed}.".startswith(f"{path}."):
                raise ConfigError(f"{path}: arms cannot differ in {fixed}, so that they are judged alike")


def _same(arms: Sequence[Arm]) -> Iterator[str]:
    """Yields complaints about arms of the same name, and about arms that are the same experiment."""
    names = [arm.name for arm in arms]
    yield from (f"there are two arms '{name}'; rename one" for name in dict.fromkeys(names) if names.count(name) > 1)
    earlier: dict[str, str] = {}
    for arm in arms:
        other = earlier.setdefault(arm.experiment.hash(), arm.name)
        if other != arm.name:
            yield f"arm '{arm.name}' is the same experiment as arm '{other}'"
