"""What the answers of all commands have in common."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict


class Part(BaseModel):
    """An object within an answer."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)


class Answer(Part):
    """An answer that is an object."""

    schema_version: Literal[1]
    """The version of this form. It changes only if a key is removed or means something else."""


class Fault(Part):
    """Why a command failed."""

    kind: Literal["usage", "configuration", "failure", "plugin", "interrupted", "internal"]
    """``usage``: the command line is wrong. ``configuration``: the experiment or a file is; nothing was started.
    ``failure``: the work failed. ``plugin``: a plugin raised. ``interrupted``: stopped after saving. ``internal``:
    a bug of texprior."""
    message: str
    """The sentence that is also on stderr."""
    exit_code: int
    """The exit code of the command: 1, 2 or 130."""


class Failure(Answer):
    """The answer of a command that ended before it had one.

    A command that has an answer and fails in a part of the work gives that answer, with exit code 1.
    """

    error: Fault
