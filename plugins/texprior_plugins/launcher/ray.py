"""Runs workers as tasks of a Ray cluster."""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib.util import find_spec
from typing import TYPE_CHECKING

from texprior.errors import ConfigError
from texprior_plugins.launcher import RayOptions

if TYPE_CHECKING:
    from texprior.flow.launch import Work


class Ray:
    """Starts a task for each work, with one CPU per thread.

    Ray chooses a task's GPUs and hides the others. If a node dies, Ray starts its task again on another node.
    """

    def __init__(self, options: RayOptions) -> None:
        if find_spec("ray") is None:
            raise ConfigError("--launcher ray: Ray is not installed; pip install 'texprior[ray]'")
        self.options = options

    def run(self, works: Mapping[str, Work], threads: int, gpus: float | None) -> dict[str, str]:
        """Runs the works and waits.

        Raises ConfigError if no node has the GPUs that one task needs, because Ray would wait for such a node without
        end.
        """
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        import ray

        started, each = not ray.is_initialized(), gpus or 0
        if started:
            # without an address Ray would join what it takes for a cluster here, and wait long if that has ended
            address = self.options.address or os.environ.get("RAY_ADDRESS") or "local"
            ray.init(address=address, log_to_driver=True, configure_logging=False, include_dashboard=False)
        try:
            most = max((node["Resources"].get("GPU", 0) for node in ray.nodes() if node["Alive"]), default=0)
            if each > most:
                raise ConfigError(f"--gpus-per-worker {each:g}: no node of the Ray cluster has more than {most:g} GPUs")
            needs = {"num_cpus": threads, "num_gpus": each, "max_retries": self.options.retries}
            # otherwise Ray runs a later task in the process of an earlier one, with all that this one has set there
            call = ray.remote(max_calls=1)(_call)
            return _failures({name: call.options(**needs, name=name).remote(work) for name, work in works.items()})
        finally:
            if started:
                ray.shutdown()


def _failures(tasks: Mapping[str, object]) -> dict[str, str]:
    import ray

    failures = {}
    for name, task in tasks.items():
        try:
            ray.get(task)
        except ray.exceptions.RayError as error:
            failures[name] = f"ended: {str(error).splitlines()[0]}"
    return failures


def _call(work: Work) -> None:
    """Ray takes a function, not a partial."""
    work()
