"""Keeps a command working whatever its output is: closed, full, a pipe nobody reads, or not UTF-8.

A message that cannot be written must not end hours of work, so stderr never raises. What stdout could not take is known
at the end.
"""

from __future__ import annotations

import codecs
import contextlib
import io
import os
import sys
from collections.abc import Iterator
from typing import TextIO

_STAND_INS = {
    "→": "->",
    "←": "<-",
    "↑": "^",
    "↓": "v",
    "≥": ">=",
    "≤": "<=",
    "±": "+-",
    "²": "^2",
    "½": "1/2",
    "‖": "||",
}
"""What an encoding without these characters shows in their place; anything else is shown as a number, ``\\xe9``."""


class ReaderGone(BaseException):
    """Raised if the reader of stdout, such as ``head``, has closed the pipe.

    Like KeyboardInterrupt it is no Exception: no component and no library may take it for an error of its own.
    """


class SafeStream(io.TextIOBase):
    """A text stream that takes everything.

    It writes characters that its encoding lacks in another way. After the first failed write it keeps the reason in
    ``fault`` and drops everything. With ``stops`` it raises ReaderGone if nobody reads the pipe any more.
    """

    def __init__(self, stream: TextIO | None, stops: bool = False) -> None:
        self._stream, self._stops = stream, stops
        self.fault = ""

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """The encoding of the stream below; UTF-8 if it has none, such as a stream in memory."""
        return getattr(self._stream, "encoding", None) or "utf-8"

    @property
    def errors(self) -> str:  # type: ignore[override]
        return _ERRORS

    def write(self, text: str) -> int:
        if isinstance(text, bytes):  # click writes bytes to a stream that has no buffer below
            text = text.decode(self.encoding, "replace")
        if self._stream is None:
            self.fault = self.fault or "it is closed"
        elif not self.fault:
            try:
                self._stream.write(text.encode(self.encoding, _ERRORS).decode(self.encoding))
            except (OSError, ValueError) as error:
                self._give_up(error)
        return len(text)

    def flush(self) -> None:
        if self._stream is not None and not self.fault:
            try:
                self._stream.flush()
            except (OSError, ValueError) as error:
                self._give_up(error)

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        # a closed stream raises ValueError
        with contextlib.suppress(OSError, ValueError):
            return self._stream is not None and self._stream.isatty()
        return False

    def fileno(self) -> int:
        if self._stream is None:
            raise io.UnsupportedOperation("fileno")
        return self._stream.fileno()

    def _give_up(self, error: Exception) -> None:
        self.fault = getattr(error, "strerror", None) or str(error)
        # Python flushes what is left at exit and prints a traceback if that fails: it goes nowhere instead.
        with contextlib.suppress(OSError, ValueError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.fileno())
            os.close(nowhere)
        if self._stops and isinstance(error, BrokenPipeError):
            raise ReaderGone from None


@contextlib.contextmanager
def safe_streams() -> Iterator[SafeStream]:
    """Replaces stdout and stderr by streams that take everything until the block ends; yields that of stdout."""
    _open_standard_files()
    before = sys.stdout, sys.stderr
    output = SafeStream(sys.stdout, stops=True)
    sys.stdout, sys.stderr = output, SafeStream(sys.stderr)
    try:
        yield output
    finally:
        with contextlib.suppress(ReaderGone):
            sys.stdout.flush()
        sys.stderr.flush()
        sys.stdout, sys.stderr = before


def _open_standard_files() -> None:
    """Opens the standard files that the caller has closed, on nothing.

    Otherwise the next file that is opened would get the number of stdout or stderr, and what a library prints would be
    written into it.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            opened = os.open(os.devnull, os.O_RDWR)
            if opened != number:
                os.dup2(opened, number)
                os.close(opened)
            os.set_inheritable(number, True)


def _stand_in(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    found = error.object[error.start : error.end]
    return "".join(_STAND_INS.get(c) or c.encode("ascii", "backslashreplace").decode() for c in found), error.end


_ERRORS = "texprior-stand-ins"
codecs.register_error(_ERRORS, _stand_in)
