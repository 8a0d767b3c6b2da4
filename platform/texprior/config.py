"""An experiment from a file: load, override, validate, resolve. The schema itself is in ``schema``.

Everything is validated before anything heavy is imported; what is wrong is said with file, line and dotted path.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from texprior.complaints import Complaint, complaints_of, raise_complaints
from texprior.documents import get_path, merge, nest, parse_override, read
from texprior.errors import PluginError
from texprior.plugin import Ref
from texprior.registry import Registry
from texprior.schema import (
    NAMED,
    Budget,
    Data,
    Diffusion,
    Evaluation,
    Experiment,
    Kind,
    ProcessChoice,
    Range,
    Sampling,
    Section,
    Sweep,
    Training,
    Trainings,
    component_paths,
    refs_of,
)

__all__ = [
    "Budget",
    "Data",
    "Diffusion",
    "Evaluation",
    "Experiment",
    "Kind",
    "ProcessChoice",
    "Range",
    "Sampling",
    "Section",
    "Sweep",
    "Training",
    "Trainings",
    "component_paths",
    "get_path",
    "load",
    "merge",
    "parse_override",
    "refs_of",
    "resolve",
    "with_overrides",
]


def load(path: str | Path, registry: Registry, overrides: Sequence[str] = ()) -> Experiment:
    """Reads an experiment file with its ``extends``, applies ``a.b=c`` overrides, validates and resolves it.

    Raises ConfigError whose message names file, line and dotted path of everything that is wrong.
    """
    data, lines = read(Path(path), _one_of())
    return resolve(data, registry, overrides, source=str(path), lines=lines)


def resolve(
    data: Mapping[str, Any],
    registry: Registry,
    overrides: Sequence[str] = (),
    source: str = "experiment",
    lines: Mapping[str, str] | None = None,
) -> Experiment:
    """Validates a mapping and writes out every component's options and every dimension of the sweep."""
    from texprior import space

    where = dict(lines or {})
    merged = merge(_defaults(), copy.deepcopy(dict(data)), _one_of())
    for override in overrides:
        dotted, value = parse_override(override)
        merged = merge(merged, nest(dotted, value), _one_of())
        where[dotted] = f"--set {override}"
    try:
        experiment = Experiment.model_validate(merged)
    except ValidationError as error:
        raise_complaints(complaints_of(error, Experiment), source, where)
    complaints: list[Complaint] = []
    resolved: Experiment = _resolve_refs(experiment, registry, "", complaints)
    raise_complaints(complaints, source, where)
    resolved = resolved.model_copy(update={"sweep": space.write_out(resolved, registry, complaints)})
    _check_requirements(resolved, registry, complaints)
    raise_complaints(complaints, source, where)
    return resolved


def _one_of() -> frozenset[str]:
    """The paths where another name replaces the one below, with its options."""
    return NAMED | component_paths().keys()


def _defaults() -> dict[str, Any]:
    """What an experiment's file need not say; its name has no default."""
    return Experiment(name="x").model_dump(mode="json", exclude={"name"})


def with_overrides(experiment: Experiment, values: Mapping[str, Any], registry: Registry) -> Experiment:
    """The experiment with dotted paths set, such as a sweep's trial; resolved again, with its own sweep left out."""
    data = experiment.model_dump(mode="json", exclude={"sweep"})
    for dotted, value in values.items():
        data = merge(data, nest(dotted, value), _one_of())
    return resolve(data, registry, source="trial")


def _resolve_refs(section: Any, registry: Registry, prefix: str, complaints: list[Complaint]) -> Any:
    """The section with the options of every component validated and written out."""
    update: dict[str, Any] = {}
    for name, info in type(section).model_fields.items():
        value, path = getattr(section, name), f"{prefix}{name}"
        kind = next((m.name for m in info.metadata if isinstance(m, Kind)), None)
        if isinstance(value, Ref) and kind:
            update[name] = _resolve_ref(value, kind, path, registry, complaints)
        elif isinstance(value, list) and kind:
            update[name] = [_resolve_ref(r, kind, f"{path}.{i}", registry, complaints) for i, r in enumerate(value)]
        elif isinstance(value, Section):
            update[name] = _resolve_refs(value, registry, f"{path}.", complaints)
    return section.model_copy(update=update)


def _resolve_ref(ref: Ref, kind: str, path: str, registry: Registry, complaints: list[Complaint]) -> Ref:
    try:
        options = registry.options_of(kind, ref)
        return Ref(name=ref.name, options=options.model_dump(mode="json"))
    except PluginError as error:
        complaints.append(Complaint(path, str(error)))
    except ValidationError as error:
        model = registry.find(kind, ref.name).component.options
        complaints.extend(c.below(f"{path}.{ref.name}") for c in complaints_of(error, model))
    return ref


def _check_requirements(experiment: Experiment, registry: Registry, complaints: list[Complaint]) -> None:
    from packaging.requirements import InvalidRequirement, Requirement

    from texprior.registry import canonical

    known = {p.distribution: p for p in registry.plugins}
    for i, text in enumerate(experiment.requires_plugins):
        path = f"requires_plugins.{i}"
        try:
            requirement = Requirement(text)
        except InvalidRequirement:
            complaints.append(Complaint(path, f"'{text}' is no requirement; write it as 'acme-rain>=0.1'"))
            continue
        plugin, wanted = known.get(canonical(requirement.name)), requirement.specifier
        if plugin is None:
            complaints.append(Complaint(path, f"plugin '{requirement.name}' is not loaded; pip install '{text}'"))
        elif plugin.status != "loaded":
            complaints.append(Complaint(path, f"plugin '{requirement.name}' is {plugin.status}: {plugin.reason}"))
        elif wanted and not (plugin.installed and wanted.contains(plugin.version, prereleases=True)):
            complaints.append(
                Complaint(path, f"plugin '{requirement.name}' is {plugin.version}, but '{text}' is required")
            )
