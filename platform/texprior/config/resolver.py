"""Loads an experiment from a file, applies overrides, validates it and resolves its components.

All validation happens before anything heavy is imported. An error message names file, line and dotted path.
"""

from __future__ import annotations

import copy
from collections.abc import Container, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from texprior.config.combinations import base_is_own, check_learning
from texprior.config.dotted_paths import inner_paths, merge, nest_value
from texprior.config.said import Said
from texprior.config.schema import (
    NAMED,
    Experiment,
)
from texprior.config.schema_studies import Section
from texprior.config.search_space import write_out_space
from texprior.config.validation import OVERRIDE, Complaint, complaints_from, raise_complaints
from texprior.config.yaml_reader import parse_override, read_experiment, shorten_text
from texprior.errors import PluginError
from texprior.plugin.added import all_before_values
from texprior.plugin.references import Ref, kind_of, kinds_of
from texprior.registry import Registry
from texprior.registry.origins import origin_of

TRAINED = "config.yaml"
"""The name of the experiment in the folder of a prior or a model."""
_Model = TypeVar("_Model", bound=BaseModel)


def load(path: str | Path, registry: Registry, overrides: Sequence[str] = (), stored: bool = False) -> Experiment:
    """Reads an experiment file with its ``extends``, applies ``a.b=c`` overrides, validates and resolves it.

    ``stored`` says that a training wrote the file, perhaps one of an earlier version; see ``resolve``. Raises
    ConfigError. Its message names file, line and dotted path of every error.
    """
    data, lines = read_experiment(Path(path), ComponentPaths(registry))
    return resolve(data, registry, overrides, source=str(path), lines=lines, stored=stored)


def written(path: str | Path, registry: Registry) -> dict[str, Any]:
    """Reads an experiment file with its ``extends`` and returns it unresolved. Raises ConfigError."""
    return read_experiment(Path(path), ComponentPaths(registry))[0]


def load_said(path: str | Path, registry: Registry, overrides: Sequence[str] = ()) -> Said:
    """Returns which settings an experiment file, its parents and overrides state. Raises ConfigError."""
    return said_in(written(path, registry), registry, overrides)


def said_in(data: Mapping[str, Any], registry: Registry, overrides: Sequence[str] = ()) -> Said:
    """Returns which settings a mapping and overrides state. Raises ConfigError."""
    components, merged = ComponentPaths(registry), copy.deepcopy(dict(data))
    for override in overrides:
        dotted, value = parse_override(override)
        merged = merge(merged, nest_value(dotted, value), components)
    return Said.of(merged)


def resolve(
    data: Mapping[str, Any],
    registry: Registry,
    overrides: Sequence[str] = (),
    source: str = "experiment",
    lines: Mapping[str, str] | None = None,
    stored: bool = False,
) -> Experiment:
    """Validates a mapping and fills in every component's options and every dimension of the sweep.

    ``lines`` maps a dotted path to its "file:line", for error messages. ``stored`` says that the mapping is a resolved
    experiment that a training wrote: a setting that it lacks did not exist then, and gets the value of its ``Before``
    mark instead of today's default. Raises ConfigError.
    """
    # Later sources win: defaults, then the file, then overrides.
    where, components = dict(lines or {}), ComponentPaths(registry)
    defaults = merge(_defaults(), all_before_values(Experiment), ()) if stored else _defaults()
    merged = merge(defaults, copy.deepcopy(dict(data)), components)
    for override in overrides:
        dotted, value = parse_override(override)
        merged = merge(merged, nest_value(dotted, value), components)
        # an override also decides what is below its path, so an error there is not one of the file
        where |= dict.fromkeys(inner_paths(value, dotted), f"{OVERRIDE}{shorten_text(override)}")

    # Each phase reports all of its errors at once, and a later phase can rely on what an earlier one checked.
    try:
        experiment = Experiment.model_validate(merged)
    except ValidationError as error:
        raise_complaints(complaints_from(error, Experiment), source, where)

    complaints: list[Complaint] = []
    resolved = _resolve_refs(experiment, registry, "", complaints, stored)
    raise_complaints([_with_origin(complaint, Path(source)) for complaint in complaints], source, where)

    resolved = resolved.model_copy(update={"sweep": write_out_space(resolved, registry, complaints)})
    _check_requirements(resolved, registry, complaints)
    _check_strength(resolved, registry, complaints)
    check_learning(resolved, registry, complaints)
    # A stored model may hold a warm start that did nothing; it stays readable as long as nobody asks for another one.
    if overrides or not stored:
        _check_start(resolved, registry, complaints)
    raise_complaints(complaints, source, where)
    return resolved


def _with_origin(complaint: Complaint, source: Path) -> Complaint:
    """Returns a complaint about a component with what it came from, if the file is that of a prior or a model."""
    found = origin_of(complaint.path, source.parent) if source.name == TRAINED else ""
    return replace(complaint, message=f"{complaint.message}; {found}") if found else complaint


class ComponentPaths(Container[str]):
    """The set of dotted paths at which an experiment names a component.

    It includes paths inside other components' options. At these paths, and at those in ``NAMED``, a component with
    another name replaces the old one and its options. The set is not a list, because it depends on the components that
    are installed: ``in`` walks the path.
    """

    def __init__(self, registry: Registry) -> None:
        self.registry = registry

    def __contains__(self, path: object) -> bool:
        if path in NAMED:
            return True
        model: type[BaseModel] = Experiment
        rest = str(path)
        while True:
            key, _, rest = rest.partition(".")
            info = model.model_fields.get(key)
            kind = kind_of(info)
            # In a list of components, the element number comes before the component's name.
            if kind and rest.partition(".")[0].isdigit():
                rest = rest.partition(".")[2]
            if info is None or not rest:
                return bool(kind)
            below = self._options(kind, rest.partition(".")[0]) if kind else info.annotation
            if not (isinstance(below, type) and issubclass(below, BaseModel)):
                return False
            model, rest = below, rest.partition(".")[2] if kind else rest

    def _options(self, kind: str, name: str) -> type[BaseModel] | None:
        try:
            return self.registry.find(kind, name).component.options
        except PluginError:
            return None


def _defaults() -> dict[str, Any]:
    """Returns the default of every field that a file may leave out: all but ``name``."""
    return Experiment(name="x").model_dump(mode="json", exclude={"name"})


def with_overrides(
    experiment: Experiment, values: Mapping[str, Any], registry: Registry, source: str = "trial"
) -> Experiment:
    """Sets dotted paths and resolves the experiment again.

    The paths and values are those of a sweep's trial or of an ablation's arm. The result has no ``sweep`` and no
    ``ablation`` section. Raises ConfigError.
    """
    data = experiment.model_dump(mode="json", exclude={"sweep", "ablation"})
    for dotted, value in values.items():
        data = merge(data, nest_value(dotted, value), ComponentPaths(registry))
    return resolve(data, registry, source=source)


def resolve_ref(
    ref: Ref, kind: str, path: str, registry: Registry, complaints: list[Complaint], stored: bool = False
) -> Ref:
    """Validates a component's options and fills in defaults.

    Does the same for the components that its options name. Adds errors to ``complaints`` and then returns ``ref``
    unchanged.
    """
    try:
        options = registry.options_of(kind, ref, stored)
        resolved = _resolve_refs(options, registry, f"{path}.{ref.name}.", complaints, stored)
        return Ref.resolved(ref.name, resolved)
    except PluginError as error:
        complaints.append(Complaint(path, str(error)))
    except ValidationError as error:
        model = registry.find(kind, ref.name).component.options
        complaints.extend(c.below(f"{path}.{ref.name}") for c in complaints_from(error, model))
    return ref


def _resolve_refs(
    section: _Model, registry: Registry, prefix: str, complaints: list[Complaint], stored: bool = False
) -> _Model:
    """Returns a section of the experiment, or a component's options, with every component in it resolved."""
    kinds, update = kinds_of(type(section)), dict[str, Any]()
    for name in type(section).model_fields:
        value, path = getattr(section, name), f"{prefix}{name}"
        if isinstance(value, list) and name in kinds:
            update[name] = [
                resolve_ref(r, kinds[name], f"{path}.{i}", registry, complaints, stored) for i, r in enumerate(value)
            ]
        elif isinstance(value, Ref) and name in kinds:
            update[name] = resolve_ref(value, kinds[name], path, registry, complaints, stored)
        elif isinstance(value, Section):
            update[name] = _resolve_refs(value, registry, f"{path}.", complaints, stored)
    return section.model_copy(update=update)


def _check_requirements(experiment: Experiment, registry: Registry, complaints: list[Complaint]) -> None:
    from packaging.requirements import InvalidRequirement, Requirement

    from texprior.registry import canonical

    # Distribution names compare in canonical form: ``Acme_Rain`` and ``acme-rain`` are the same package.
    known = {p.distribution: p for p in registry.plugins}
    for i, text in enumerate(experiment.requires_plugins):
        path = f"requires_plugins.{i}"
        try:
            requirement = Requirement(text)
        except InvalidRequirement:
            complaints.append(Complaint(path, f"'{text}' is not a valid requirement; write it as 'acme-rain>=0.1'"))
            continue
        plugin, wanted = known.get(canonical(requirement.name)), requirement.specifier
        if plugin is None:
            complaints.append(Complaint(path, f"plugin '{requirement.name}' is not loaded; pip install '{text}'"))
        elif plugin.status != "loaded":
            complaints.append(Complaint(path, f"plugin '{requirement.name}' is {plugin.status}: {plugin.reason}"))
        # Without ``prereleases=True``, ``packaging`` rejects a development version of a plugin that is new enough.
        elif wanted and not (plugin.installed and wanted.contains(plugin.version, prereleases=True)):
            complaints.append(
                Complaint(path, f"plugin '{requirement.name}' is {plugin.version}, but '{text}' is required")
            )


def _check_strength(experiment: Experiment, registry: Registry, complaints: list[Complaint]) -> None:
    record = registry.find("decomposition", experiment.decomposition.name).component
    if experiment.match_texture_std is not None and not getattr(record, "strength", ""):
        reason = f"decomposition '{record.name}' declares no option as its strength, so its texture cannot be matched"
        complaints.append(Complaint("match_texture_std", reason, also=("decomposition",)))


def _check_start(experiment: Experiment, registry: Registry, complaints: list[Complaint]) -> None:
    of_estimate = experiment.process.base == "estimate" and not base_is_own(registry, experiment)
    if experiment.sampling.start == "estimate" and of_estimate:
        reason = (
            "'estimate' starts at the layer of y_eps, which is 0 with 'process.base: estimate', so that it does the "
            "same as 'noise'; set 'process.base: estimate-structure', or 'sampling.start: noise'"
        )
        complaints.append(Complaint("sampling.start", reason, also=("process.base",)))
