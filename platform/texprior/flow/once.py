"""Says a warning once, however often the same file is read or the same folder listed."""

from __future__ import annotations

import functools
import logging

from texprior.errors import printable

log = logging.getLogger(__name__)


# The size only bounds the memory: what is forgotten is said again.
@functools.lru_cache(maxsize=4096)
def warn_once(sentence: str) -> None:
    """Logs a warning, once per process and sentence."""
    log.warning("%s", printable(sentence))
