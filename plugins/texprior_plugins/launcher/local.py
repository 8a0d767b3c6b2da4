"""Runs workers as processes of this machine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from texprior.plugin import Options
from texprior.processes import run_processes

if TYPE_CHECKING:
    from texprior.flow.launch import Work


class Local:
    """Starts a process for each work. The platform has given each work its threads and GPUs already."""

    def __init__(self, options: Options) -> None:
        pass

    def run(self, works: Mapping[str, Work], threads: int, gpus: float | None) -> dict[str, str]:
        """Runs the works and waits; passes an interruption on, so that they save."""
        return run_processes(works)
