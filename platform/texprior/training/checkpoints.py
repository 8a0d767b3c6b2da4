"""Writes the checkpoints of a training from copies, in a thread, while the training goes on."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType

from texprior.training.trainee import Saved, Trainee


class CheckpointWriter(AbstractContextManager["CheckpointWriter"]):
    """Writes one checkpoint at a time, each atomically.

    Leaving the block waits for a checkpoint that is being written, so that a training leaves no thread behind.
    """

    def __init__(self, trainee: Trainee, path: Path, about: Mapping[str, object]) -> None:
        self.trainee, self.path, self.about = trainee, path, about
        self._thread = ThreadPoolExecutor(1, "checkpoint")
        self._writing: Future[Saved] | None = None
        self._begun = time.monotonic()

    def written(self) -> Iterator[Saved]:
        """Yields the checkpoint that was written since the last call, if there is one.

        Raises TexpriorError if it could not be written.
        """
        if self._writing is not None and self._writing.done():
            saved, self._writing = self._writing.result(), None
            yield saved

    def begin_if_due(self) -> None:
        """Begins a checkpoint if it is time for one and none is being written."""
        now = time.monotonic()
        if self._writing is None and now - self._begun > self.trainee.settings.checkpoint_every_s:
            # copied here, where no step changes the weights meanwhile; the slow part is the file
            self._writing = self._thread.submit(self.trainee.copied(self.about).write, self.path)
            self._begun = now

    def finish(self) -> Iterator[Saved]:
        """Waits for a checkpoint that is being written, then writes the last one, and yields both."""
        if self._writing is not None:
            saved, self._writing = self._writing.result(), None
            yield saved
        yield self.trainee.save(self.path, self.about)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._thread.shutdown(wait=True)
