"""Reads the settings of a recorded run, and says which differ from another run's or from their defaults."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from texprior.cli.commands.runs.recorded import Recorded
from texprior.cli.commands.runs.store import Store
from texprior.config import component_paths, resolve
from texprior.errors import ConfigError
from texprior.plugin import Ref
from texprior.registry import Registry

_NO_KEY = re.compile(r"[^\w\-./: ]")
"""What MLflow takes in no name; the tracker writes ``_`` for it."""
_KEY_LENGTH, _VALUE_LENGTH = 250, 6000


class Difference(NamedTuple):
    """A setting that differs: its dotted path, and both values as text; None if a side has no such setting."""

    path: str
    a: str | None
    b: str | None


def settings_of(store: Store, run: Recorded) -> dict[str, str]:
    """Returns dotted path -> value of the resolved experiment of a run.

    The parameters of a trial are only what was searched, so its stored experiment goes first.
    """
    folder = store.folder_of(run, "config.yaml")
    if folder is None:
        return dict(run.params)
    # these two sections are not those of the study that the trial or cell belongs to
    stored = settings_in(folder / "config.yaml").items()
    return {path: value for path, value in stored if _section(path) not in ("sweep", "ablation")}


def settings_in(file: Path) -> dict[str, str]:
    """Returns dotted path -> value of a stored experiment. Raises ConfigError if it cannot be read."""
    import yaml

    try:
        document = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise ConfigError(f"{file}: this experiment cannot be read ({error})") from None
    if not isinstance(document, dict):
        raise ConfigError(f"{file}: this is no experiment")
    return as_recorded(document)


def with_overrides(settings: Mapping[str, str], overrides: Mapping[str, Any]) -> dict[str, str]:
    """Returns settings with others in place of those of the same path and below it: a component with its options."""

    def replaced(path: str) -> bool:
        return any(path == other or path.startswith(f"{other}.") for other in overrides)

    return {path: text for path, text in settings.items() if not replaced(path)} | as_recorded(overrides)


def as_recorded(experiment: Mapping[str, Any]) -> dict[str, str]:
    """Returns an experiment as the tracker records it: dotted path -> text."""
    from texprior.runtime.run_record import flatten_paths

    flat = flatten_paths(experiment).items()
    texts = ((key, value if isinstance(value, str) else json.dumps(value, default=str)) for key, value in flat)
    return {_NO_KEY.sub("_", key)[:_KEY_LENGTH]: _cut(text) for key, text in texts}


def _cut(text: str) -> str:
    return text if len(text) <= _VALUE_LENGTH else f"{text[: _VALUE_LENGTH - 3]}..."


def differences(a: Mapping[str, str], b: Mapping[str, str]) -> list[Difference]:
    """Returns the settings that differ between two experiments, in the order of the first, then of the second.

    A section that one of them lacks wholly is not compared.
    """
    sections = set(map(_section, a)) & set(map(_section, b))
    paths = [path for path in dict.fromkeys([*a, *b]) if _section(path) in sections]
    return [Difference(path, a.get(path), b.get(path)) for path in paths if not _equal(a.get(path), b.get(path))]


def _section(path: str) -> str:
    return path.partition(".")[0]


def _equal(a: str | None, b: str | None) -> bool:
    """Returns whether two recorded values are equal: 1 and 1.0 are, whatever wrote them."""
    if a == b or a is None or b is None:
        return a == b
    try:
        return bool(json.loads(a) == json.loads(b))
    except ValueError:
        return False


def changed_settings(settings: Mapping[str, str], registry: Registry) -> list[Difference]:
    """Returns the settings of a run that are not the defaults: ``a`` is the run's value, ``b`` the default.

    The default of a component's option is that of the component that the run uses. A setting that the installed
    version does not know has no default.
    """
    defaults = as_recorded(resolve({"name": "x"}, registry).model_dump(mode="json", exclude={"name"}))
    own = {path: value for path, value in settings.items() if path != "name"}
    found = []
    for path, kind in component_paths().items():
        name, usual = _component(path, own), _component(path, defaults)
        if not name or name == usual:
            continue
        found.append(Difference(path, name, usual))
        defaults = {key: value for key, value in defaults.items() if not key.startswith(f"{path}.")}
        defaults |= as_recorded({f"{path}.{name}": _default_options(registry, kind, name)})
    # A setting that a run lacks did not exist then; an element that a list lacks was left out.
    differ = [d for d in differences(own, defaults) if d.a is not None or any(p.isdigit() for p in d.path.split("."))]
    return [*found, *differ]


def _component(path: str, settings: Mapping[str, str]) -> str:
    """Returns the name of the component at a path; empty if there is none, or a list of them."""
    below = next((key[len(path) + 1 :] for key in settings if key.startswith(f"{path}.")), "")
    name = below.partition(".")[0]
    return "" if name.isdigit() else name


def _default_options(registry: Registry, kind: str, name: str) -> dict[str, Any]:
    """Returns the default options of a component; empty if it is not installed or needs an option."""
    try:
        return registry.options_of(kind, Ref(name=name, options={})).model_dump(mode="json")
    except ConfigError:
        return {}
