"""Starts a session in a worker process from text.

Because it needs only text, any machine can run the worker.
"""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from texprior.config import ALL_SAID, Experiment, Said, resolve
from texprior.errors import ConfigError
from texprior.registry import Registry
from texprior.runtime.builder import Builder
from texprior.runtime.folds import Fold
from texprior.runtime.session import Session

_VISIBLE = "CUDA_VISIBLE_DEVICES"
GPUS_OPTION = "--gpus-per-worker"


def gpus_of_worker(number: int, each: float | None = None) -> str | None:
    """Returns the GPUs that a local worker sees, as CUDA_VISIBLE_DEVICES names them; None if there is no GPU.

    Workers take the visible GPUs in turn, ``each`` of them a worker. A share of a GPU, such as 0.5, is for that many
    workers on one GPU, and 0 hides all. If ``each`` is None, it is one GPU. Workers share if there are too few for all.
    """
    visible = _visible_gpus()
    if each == 0 or not visible:
        return "" if each == 0 else None
    each = 1 if each is None else each
    first = int(number * each)
    return ",".join(visible[(first + n) % len(visible)] for n in range(math.ceil(each)))


def _visible_gpus() -> list[str]:
    import torch

    named = os.environ.get(_VISIBLE)
    visible = [str(n) for n in range(torch.cuda.device_count())] if named is None else named.split(",")
    return [gpu for gpu in visible if gpu]


def require_gpus(device: str, each: float | None, here: bool = True) -> None:
    """Raises ConfigError if a worker cannot get ``each`` GPUs, or would not use them on the experiment's device.

    ``here`` is whether workers run on this machine.
    """
    if each is None:
        return
    option = f"{GPUS_OPTION} {each:g}"
    if each > 1 and each != int(each):
        raise ConfigError(f"{option}: above 1 it must be a whole number")
    if device not in ("auto", "cuda"):
        raise ConfigError(f"{option}: the experiment's device is '{device}'; only auto and cuda take a worker's GPUs")
    if here and math.ceil(each) > (found := len(_visible_gpus())):
        raise ConfigError(f"{option}: this process sees {found} GPU{'s' * (found != 1)}, too few for one worker")


@dataclass(frozen=True, kw_only=True)
class WorkerStart:
    """What every worker is started with.

    All of it can be pickled and sent to another machine.
    """

    name: str
    """Begins every line that the worker writes to stderr."""
    experiment: str
    """The resolved experiment, YAML."""
    plugins: tuple[str, ...]
    """Plugins that are single files."""
    root: str
    """The folder of the runs."""
    threads: int | None = None
    """Threads of this worker; None is what the experiment says."""
    cache_mb: int | None = None
    """The worker's share of the memory for prepared pictures; None is what the experiment says."""
    gpu: str | None = None
    """The GPUs of this worker, which become the only ones that it sees, unless the experiment names a device by its
    number; None leaves all visible."""
    parent_run: str = ""
    said: Said = ALL_SAID
    """Which settings the experiment states itself, as the command read it."""
    labels: Mapping[str, str] = field(default_factory=dict, hash=False)
    """The user's own tags of the runs."""
    fold: Fold | None = None
    """The part of the training photographs that the session leaves out."""
    bfloat16: bool | None = None
    """Whether a worker on a CPU computes in bfloat16 where an experiment allows it; None lets it try for itself."""

    @classmethod
    def of(
        cls,
        session: Session,
        name: str,
        threads: int | None = None,
        cache_mb: int | None = None,
        gpu: str | None = None,
    ) -> WorkerStart:
        """Describes a session for a worker."""
        import torch

        from texprior.flow.precision import gains_from_bfloat16

        return cls(
            name=name,
            experiment=session.experiment.to_yaml(),
            plugins=tuple(session.registry.files),
            root=str(session.root),
            threads=threads,
            cache_mb=cache_mb,
            gpu=gpu,
            parent_run=session.parent_run,
            said=session.said,
            labels=dict(session.labels),
            fold=session.fold,
            bfloat16=gains_from_bfloat16(torch.device("cpu")),
        )

    @property
    def say(self) -> Callable[[str], None]:
        """Writes a message to stderr under the worker's name."""

        def write(message: str) -> None:
            print(f"{self.name}: {message}", file=sys.stderr, flush=True)  # noqa: T201

        return write

    def session(self) -> Session:
        """Starts the session in this process."""
        os.environ["TEXPRIOR_RUNS"] = self.root
        experiment, registry = self._resolved()
        return Session.start(
            experiment,
            registry,
            root=Path(self.root),
            say=self.say,
            parent_run=self.parent_run,
            said=self.said,
            labels=self.labels,
            fold=self.fold,
        )

    def bare_session(self) -> Session:
        """Returns the session without observers and outside of a team, for work that reports nothing."""
        import torch

        experiment, registry = self._resolved()
        torch.set_num_threads(experiment.threads or torch.get_num_threads())
        quiet = experiment.model_copy(update={"events": []})
        return Session(quiet, registry, root=Path(self.root), fold=self.fold)

    def _resolved(self) -> tuple[Experiment, Registry]:
        registry = Registry.discover(self.plugins)
        experiment = resolve(yaml.safe_load(self.experiment), registry, source="a worker's experiment")
        if self.gpu is not None and experiment.device in ("auto", "cuda"):
            # CUDA reads it when it is first used, which is after this
            os.environ[_VISIBLE] = self.gpu
        if self.bfloat16 is not None:
            from texprior.flow.precision import settle_bfloat16

            settle_bfloat16(Builder(experiment, registry).device, self.bfloat16)
        cache_mb = self.cache_mb or experiment.data.cache_mb
        data = experiment.data.model_copy(update={"cache_mb": cache_mb})
        return experiment.model_copy(update={"threads": self.threads or experiment.threads, "data": data}), registry
