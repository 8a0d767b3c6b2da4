"""Defines who starts the workers of a sweep or an ablation, and starts them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from texprior.flow.contract import refuse

Work = Callable[[], None]
"""What one worker does. It can be pickled, and sent to a machine that has the same packages and folders."""


class Launcher(Protocol):
    """The contract of a launcher, which is built as ``Impl(options)``."""

    def run(self, works: Mapping[str, Work], threads: int, gpus: float | None) -> Mapping[str, str]:
        """Runs each work in a process of its own and waits for all.

        Returns name -> how it ended, such as "was killed by SIGKILL", for the works that failed. A failure does not
        stop the others. ``threads`` is what each worker computes with. ``gpus`` is the GPUs of each worker; None if the
        user did not say. If this process is interrupted, ``run`` interrupts the workers, and raises
        ``KeyboardInterrupt`` again.
        """
        ...


def launch(launcher: Launcher, works: Mapping[str, Work], threads: int, gpus: float | None) -> dict[str, str]:
    """Runs works by a launcher; returns name -> how it ended, for failures.

    Raises ContractError if the launcher returns anything else.
    """
    found = launcher.run(works, threads, gpus)
    if not isinstance(found, Mapping):
        refuse(launcher, f"it returns a {type(found).__name__}", "a mapping of a failed work's name to how it ended")
    wrong = [name for name, ending in found.items() if name not in works or not isinstance(ending, str)]
    if wrong:
        refuse(launcher, f"it returns {wrong[0]!r}: {found[wrong[0]]!r}", f"texts by the names {', '.join(works)}")
    return dict(found)
