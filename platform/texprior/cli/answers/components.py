"""The answers about components, models, parameters and this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import Field

from texprior.cli.answers.base import Answer, Part
from texprior.cli.component_help import Option


class ListedComponent(Part):
    """A component, or a plugin that did not load: then kind, name and qualified are null."""

    kind: str | None
    name: str | None
    qualified: str | None
    """Distribution and name."""
    distribution: str
    version: str
    """The version of the distribution."""
    status: str
    """``loaded``, ``failed``, ``disabled`` or ``incompatible``."""
    reason: str
    """Why it is not loaded; empty if it is."""
    summary: str
    options: list[Option]
    declares: dict[str, Any] = Field(default_factory=dict)
    """What the record declares; missing for a plugin that did not load."""
    tags: list[str]
    warnings: list[str]
    citation: str
    """BibTeX."""


class ShownComponent(Answer, ListedComponent):
    """A component with its use."""

    key: str | None = None
    """Of a metric only: its key with the default options; null if it is not known here."""
    snippet: str
    """YAML that names it in an experiment."""


class NewPluginAnswer(Answer):
    """A new package."""

    folder: Path
    files: list[str]
    """Relative to the folder."""
    distribution: str
    package: str


class Check(Part):
    """One check of the conformance kit."""

    id: str
    status: str
    """``passed``, ``failed``, ``expected`` or ``not run``."""
    message: str
    place: str | None
    """File and line at fault."""
    rule: str
    fix: str


class CheckedComponent(Part):
    """A component that was checked."""

    kind: str
    name: str
    qualified: str
    version: str
    options: dict[str, Any]
    run: int
    """Checks that were run."""
    floor: int
    """Checks that its kind must have."""
    notes: list[str]
    warnings: list[str]
    checks: list[Check]


class CheckAnswer(Answer):
    """The results of the conformance kit."""

    components: list[CheckedComponent]
    passed: int
    failed: int
    expected: int
    """Failures that the kit expects."""
    not_run: int = Field(alias="not run")


class ListedModel(Part):
    """A shipped or exported model."""

    task: str
    folder: Path
    licence: str
    datasets: list[str]
    scored_on: str
    metrics: dict[str, float]
    bytes: int
    """Size of its files and its prior's."""


class ShownModel(Answer, ListedModel):
    """A model and the digests of its files."""

    prior: Path
    card: Path
    sha256: dict[str, dict[str, str]]
    """Folder -> file -> sha256."""
    changed: list[str]
    """Files that are not those of the export."""


class ListedWeights(Part):
    """Third-party parameters."""

    name: str
    used_by: list[str]
    licence: str
    origin: str
    tensors_sha256: str
    can_fetch: bool
    found: Path | None
    """Their file; null if it is missing."""


class FoundWeights(Answer):
    """Third-party parameters that are here now."""

    name: str
    found: Path


class WeightsHash(Answer):
    """The hashes of a file of parameters."""

    file: Path
    tensors_sha256: str
    url_sha256: str


class UiAnswer(Answer):
    """The address of MLflow's UI."""

    url: str
    store: str
    links: dict[str, str] = Field(default_factory=dict)
    """Page -> address; missing if the store in use is a server."""


class TriedAttention(Part):
    """An attention backend on a device."""

    name: str
    device: str
    reason: str
    """Why it does not work here; empty if it does."""


class FoundPlugin(Part):
    """A distribution with components."""

    distribution: str
    version: str
    status: str
    reason: str
    notes: list[str]
    components: int


class Parameters(Part):
    """Third-party parameters by name."""

    name: str
    found: Path | None


class RunsStore(Part):
    """Where runs go."""

    runs: Path
    tracking_uri: str
    writable: bool
    unsent: list[Path]
    """Folders of events that a tracker could not record."""


class DoctorAnswer(Answer):
    """What is installed here and works."""

    texprior: str
    python: str
    system: str
    torch: str
    devices: list[str]
    threads: int
    cpus: int
    attention: list[TriedAttention]
    plugins: list[FoundPlugin]
    weights: list[Parameters]
    store: RunsStore
    wrong: list[str]
    """What should be repaired, in sentences."""
