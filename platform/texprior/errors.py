"""Defines the errors that a user may see.

Each message says what was wrong, where, and what to do.
"""

from __future__ import annotations

import contextlib
import difflib
from collections.abc import Iterable, Iterator


class TexpriorError(Exception):
    """An error that the command line prints as a message, before it exits with ``exit_code``."""

    exit_code = 1

    def __str__(self) -> str:
        # messages name files, and a file's name may be no text at all
        return printable(super().__str__())


class ConfigError(TexpriorError):
    """An error in the usage or configuration; no work was started."""

    exit_code = 2


class PluginError(ConfigError):
    """An error for a named component that cannot be used.

    The component is unknown or ambiguous, or its plugin did not load.
    """


class IncompatibleError(PluginError):
    """An error for a plugin that needs another plugin API, or another version of texprior."""


class ContractError(TexpriorError):
    """An error for a component whose result is not what the contract of its kind says.

    The message names the component (``who``), and says what was found and expected (``breach``).
    """

    def __init__(self, who: str, breach: str) -> None:
        super().__init__(
            f"{who} does not fit its contract: {breach}; the conformance kit ('texprior plugins check') shows more"
        )
        self.who, self.breach = who, breach

    def __reduce__(self) -> tuple[type, tuple[str, str]]:
        # by default an exception is made again from its message alone, as for the process that waits for a worker
        return type(self), (self.who, self.breach)


class ImageError(TexpriorError):
    """An error for a picture that cannot be used.

    The picture cannot be read or written, or has an unsuitable size.
    """


class Interrupted(TexpriorError):
    """Raised after Ctrl-C, when all results are saved; the message says how to continue."""

    # 128 + SIGINT, as shells report it
    exit_code = 130
    run_status = "interrupted"


class MachineFault(Interrupted):
    """Raised if the machine, and not the work, stopped the work: its disk is full, or a device is lost."""

    exit_code = 1
    device = False
    """Whether a device is lost. The work may have caused that itself, so it is not tried again without end."""


def printable(text: str) -> str:
    """Replaces each byte of a file's name that is not UTF-8 by %XX, as in an address; other text stays as it is.

    Python holds such a byte as a lone surrogate, which no file, database or terminal in UTF-8 takes.
    """
    return "".join(f"%{ord(c) & 0xFF:02X}" if "\ud800" <= c <= "\udfff" else c for c in text)


def suggest_name(name: str, known: Iterable[str]) -> str:
    """Returns a hint for an unknown name: the closest known one, else all of them."""
    names = list(known)
    close = difflib.get_close_matches(name, names, n=1)
    return f"did you mean '{close[0]}'?" if close else f"known are: {', '.join(names) or 'none'}"


def error_text(error: BaseException) -> str:
    """Returns an exception's type and text.

    The exception may be a plugin's, whose own text may raise.
    """
    kind = type(error).__name__
    try:
        said = str(error)
    except BaseException as fault:
        said = f"(its text raises {type(fault).__name__})"
    return f"{kind}: {said}" if said else kind


@contextlib.contextmanager
def blaming(kind: str, name: str, where: object) -> Iterator[None]:
    """Turns exceptions of a component into TexpriorError that names the component and the picture."""
    try:
        yield
    except TexpriorError:
        raise
    except Exception as error:
        raise TexpriorError(
            f"{kind} '{name}' failed on {where}: {error_text(error)}; TEXPRIOR_DEBUG=1 shows the traceback"
        ) from error
