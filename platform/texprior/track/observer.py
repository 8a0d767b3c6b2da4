"""What an observer of runs is told: the contract of an events component."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    from torch import Tensor


Status = Literal["finished", "failed", "pruned", "interrupted"]


@dataclass(frozen=True)
class DataInput:
    """Pictures that a run sees. ``digest`` changes with the data set's options and the names of its pictures."""

    context: str
    """``training`` or ``evaluation``."""
    name: str
    digest: str
    source: str
    """The data set with its options, JSON."""
    pictures: int


@dataclass(frozen=True)
class RunInfo:
    """A run as it starts. ``id`` is unique in its experiment; ``parent`` is the id of the run above it.

    ``resume`` says that a run of this id may exist already and is to be continued, unless it is finished; ``reopen``
    that a finished one is too. ``citations`` is the BibTeX of the components in use, ``data`` the pictures that the run
    sees.
    """

    id: str
    experiment: str
    name: str
    stage: str
    parent: str = ""
    params: Mapping[str, Any] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    resume: bool = False
    reopen: bool = False
    citations: str = ""
    data: tuple[DataInput, ...] = ()


class Observer(Protocol):
    """The contract of an events component. Built as ``Impl(options)``; methods are called in order, from one thread."""

    def run_started(self, run: RunInfo) -> None:
        """A run begins; runs nest."""
        ...

    def step(self, run_id: str, images_seen: int, metrics: Mapping[str, float]) -> None:
        """Values at a point of the run; ``images_seen`` is the horizontal axis."""
        ...

    def image(self, run_id: str, key: str, images_seen: int, image_CHW: Tensor) -> None:
        """A picture, (3, H, W) in [0, 1], under a key, at a point of the run."""
        ...

    def artifact(self, run_id: str, path: Path) -> None:
        """A file or folder to keep with the run. A folder with ``config.yaml`` and safetensors is a model."""
        ...

    def run_finished(self, run_id: str, status: Status, summary: Mapping[str, float], note: str) -> None:
        """The run ends: its status, final values, and a text in Markdown (the reason, where it failed)."""
        ...

    def where(self, run_id: str) -> Mapping[str, str]:
        """Where a person finds the run, such as ``tracking_uri``, ``experiment`` and ``run_id``; empty if unknown."""
        ...


Values = Sequence[tuple[int, Mapping[str, float]]]
"""(images seen, metric -> value) of several steps."""


class Buffering(Observer, Protocol):
    """The contract of a tracker that holds values back to write many at once."""

    def pending(self, run_id: str) -> Values:
        """The values of ``step`` that are not in its store yet, those of a call that raised among them.

        Where the tracker fails they are kept on disk.
        """
        ...


def pending_of(observer: Observer, run_id: str) -> Values:
    """What an observer holds back of a run; nothing where it writes at once."""
    pending: Callable[[str], Values] | None = getattr(observer, "pending", None)
    return pending(run_id) if pending else []
