"""Defines the observer of runs, which is the contract of an events component."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from texprior.plugin.typed_kind import ComponentKind

if TYPE_CHECKING:
    from torch import Tensor


Status = Literal["finished", "failed", "pruned", "interrupted"]


@dataclass(frozen=True)
class DataInput:
    """A set of pictures that a run uses."""

    context: str
    """``training`` or ``evaluation``."""
    name: str
    digest: str
    """A hash that changes with the data set's options and with the names of its pictures."""
    source: str
    """The data set with its options, JSON."""
    pictures: int
    """Number of pictures."""


@dataclass(frozen=True)
class RunInfo:
    """A run at its start.

    ``id`` is unique in its experiment; ``parent`` is the id of the run above it, or empty. If ``resume`` is true, a run
    with this id may already exist, and the observer continues it unless it is finished. If ``reopen`` is true, it
    continues a finished one too. ``citations`` is the BibTeX of the components in use, and ``data`` the pictures that
    the run uses. ``labels`` are the user's own tags, which are among ``tags`` too, and ``note`` is the user's text: a
    run that is continued gets both, and its description begins with the note.
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
    labels: Mapping[str, str] = field(default_factory=dict)
    note: str = ""


class Observer(Protocol):
    """The contract of an events component.

    The platform builds it as ``Impl(options)`` and calls its methods in order, from one thread.
    """

    def run_started(self, run: RunInfo) -> None:
        """Records that a run begins. Runs may be nested."""
        ...

    def step(self, run_id: str, images_seen: int, metrics: Mapping[str, float]) -> None:
        """Records values at a point of the run. ``images_seen`` is the horizontal axis."""
        ...

    def image(self, run_id: str, key: str, images_seen: int, image_CHW: Tensor) -> None:
        """Records a picture under a key, at a point of the run.

        The picture is (3, H, W) in [0, 1].
        """
        ...

    def artifact(self, run_id: str, path: Path) -> None:
        """Stores a file or folder with the run.

        A folder with ``config.yaml`` and safetensors is a model.
        """
        ...

    def run_finished(self, run_id: str, status: Status, summary: Mapping[str, float], note: str) -> None:
        """Records that the run ends, with its status.

        ``summary`` has the final values, and ``note`` is a text in Markdown (the reason if the run failed).
        """
        ...

    def where(self, run_id: str) -> Mapping[str, str]:
        """Returns where a person finds the run; empty if unknown.

        The keys are such as ``tracking_uri``, ``experiment`` and ``run_id``.
        """
        ...


Values = Sequence[tuple[int, Mapping[str, float]]]
"""(images seen, metric -> value) of several steps."""


class Buffering(Observer, Protocol):
    """The contract of a tracker that buffers values and writes many at once."""

    def pending(self, run_id: str) -> Values:
        """Returns the values of ``step`` that are not in the tracker's store yet.

        The values of a call that raised are among them. If the tracker fails, the platform stores these values on disk.
        """
        ...


def pending_of(observer: Observer, run_id: str) -> Values:
    """Returns the values of a run that an observer has buffered.

    The result is empty if the observer does not buffer.
    """
    # ``pending`` is optional, so that a simple events component need not define it.
    pending: Callable[[str], Values] | None = getattr(observer, "pending", None)
    return pending(run_id) if pending else []


EVENTS: ComponentKind[Observer] = ComponentKind("events")
