"""Errors that a user may see. Each message is a sentence: what was wrong, where, what to do."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator


class TexpriorError(Exception):
    """The work failed; the command line prints the message and exits with ``exit_code``."""

    exit_code = 1


class ConfigError(TexpriorError):
    """Wrong usage or configuration: nothing was started."""

    exit_code = 2


class PluginError(ConfigError):
    """A component that was named cannot be used: unknown, ambiguous, or its plugin did not load."""


class ImageError(TexpriorError):
    """A picture cannot be read or written, or its size does not fit."""


class Interrupted(TexpriorError):
    """Ctrl-C after everything worth keeping was saved; the message says how to go on."""

    exit_code = 130
    run_status = "interrupted"


@contextlib.contextmanager
def blaming(kind: str, name: str, where: object) -> Iterator[None]:
    """What a component raises is its plugin's fault: the message names component and picture."""
    try:
        yield
    except TexpriorError:
        raise
    except Exception as error:
        raise TexpriorError(
            f"{kind} '{name}' failed on {where}: {type(error).__name__}: {error}; TEXPRIOR_DEBUG=1 shows the traceback"
        ) from error
