"""Starts the workers of a sweep or an ablation by the launcher that the user names.

Workers on this machine share its threads and GPUs. All share the folder of the runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from texprior.config.resolver import resolve_ref
from texprior.config.validation import Complaint, raise_complaints
from texprior.errors import ConfigError
from texprior.flow.kinds import LAUNCHER
from texprior.flow.launch import Work, launch
from texprior.plugin import Launcher, Ref
from texprior.processes import worker_threads
from texprior.registry import Registry
from texprior.runtime.session import Session
from texprior.runtime.worker_session import gpus_of_worker, require_gpus

LOCAL = Ref(name="local")
"""The launcher that is used if the user names none: processes of this machine."""


def launcher_of(registry: Registry, named: str | Mapping[str, Any]) -> Ref:
    """Returns the launcher that a script names, with all its options. Raises ConfigError if there is none."""
    complaints: list[Complaint] = []
    try:
        found = resolve_ref(Ref.model_validate(named), "launcher", "launcher", registry, complaints)
    # pydantic's ValidationError is a ValueError
    except ValueError:
        example = '{"ray": {"address": "auto"}}'
        raise ConfigError(
            f"launcher {named!r}: expected a launcher's name, or its name with options, {example}"
        ) from None
    raise_complaints(complaints, "launcher", {})
    return found


@dataclass(frozen=True)
class Share:
    """What one worker has: its name, its threads, and the GPUs that it sees (None is all)."""

    name: str
    threads: int
    gpus: str | None


@dataclass(frozen=True)
class Workers:
    """Who does the work: this process, or ``number`` others that a launcher starts."""

    number: int = 1
    launcher: Ref = LOCAL
    gpus: float | None = None
    """GPUs of each worker. None is one in turn on this machine, and what the launcher does by itself elsewhere."""

    def are_here(self, registry: Registry) -> bool:
        """Whether the launcher declares that its workers run on this machine."""
        record = registry.find("launcher", self.launcher.name).component
        return isinstance(record, Launcher) and record.local

    def are_needed(self, registry: Registry) -> bool:
        """Whether other processes work: several of them, on another machine, or with GPUs of their own."""
        return self.number > 1 or self.gpus is not None or not self.are_here(registry)

    def require(self, session: Session) -> None:
        """Raises ConfigError if the launcher cannot start workers here, or if they cannot have their GPUs.

        Only the launcher itself knows what other machines have.
        """
        require_gpus(session.experiment.device, self.gpus, here=self.are_here(session.registry))
        session.registry.build(LAUNCHER, self.launcher)

    def shares(self, session: Session, number: int | None = None) -> list[Share]:
        """Returns the share of each of ``number`` workers; by default of all."""
        number, here, asked = number or self.number, self.are_here(session.registry), session.experiment.threads
        # a launcher gives its workers on other machines what it is asked for
        threads = worker_threads(asked, number) if here else asked or 1
        gpus = [gpus_of_worker(n, self.gpus) if here else None for n in range(number)]
        return [Share(f"worker {n + 1}", threads, gpus[n]) for n in range(number)]

    def run(self, session: Session, works: Mapping[str, Work], threads: int) -> dict[str, str]:
        """Starts the workers and waits; returns name -> how it ended, for those that failed."""
        return launch(session.registry.build(LAUNCHER, self.launcher), works, threads, self.gpus)
