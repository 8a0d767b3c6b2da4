"""Compiles the network calls of a training with ``torch.compile``, and says in sentences if that cannot be done.

A function is compiled and not a module, so that the names of stored weights stay as they are.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar, cast

import torch

from texprior.errors import ConfigError

BACKEND = "inductor"
"""The compiler that torch calls: it writes C++ for a CPU and Triton for a GPU."""
Call = TypeVar("Call", bound=Callable[..., Any])


def compiled(call: Call, wanted: bool) -> Call:
    """Returns a function compiled if that is wanted, else the function itself.

    It is compiled at its first call, and again if the size of a batch changes. Raises ConfigError at a call that cannot
    be compiled.
    """
    if not wanted:
        return call
    # torch keeps a few variants of a function, and then gives up. Those of earlier trainings are not needed any more.
    torch.compiler.reset()
    fast = torch.compile(call, backend=BACKEND, dynamic=False)

    @functools.wraps(call)
    def checked(*given: Any, **named: Any) -> Any:
        try:
            return fast(*given, **named)
        except _failures() as error:
            raise ConfigError(f"the network cannot be compiled ({_first_line(error)}); {_REMEDY}") from None

    return cast("Call", checked)


@functools.cache
def require_compiler(device: torch.device) -> None:
    """Raises ConfigError if ``torch.compile`` does not work on a device, such as without a C++ compiler.

    It compiles one multiplication and its gradient, which takes some seconds, once in a process.
    """
    number = torch.ones(2, device=device, requires_grad=True)
    try:
        torch.compile(lambda x: (x * 3).sum(), backend=BACKEND)(number).backward()
    except Exception as error:
        # Whatever is missing (a compiler, headers, Triton, a folder to write to), torch reports in types of its own.
        raise ConfigError(f"torch.compile does not work here on {device} ({_first_line(error)}); {_REMEDY}") from None


_REMEDY = "leave compile at false for this training, or install what is missing"


def _failures() -> tuple[type[Exception], ...]:
    # imported late: it takes a second, which only trainings that compile spend
    from torch._dynamo.exc import TorchDynamoException

    return (TorchDynamoException,)


def _first_line(error: Exception) -> str:
    # torch wraps the error of a compiler; the message of the wrapper begins with the compiler's name only
    inner = getattr(error, "inner_exception", None) or error
    return next((line.strip() for line in str(inner).splitlines() if line.strip()), type(inner).__name__)
