"""Reads the user's own tags and note, which are stored with the runs of a command."""

from __future__ import annotations

import functools
import posixpath
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import click

from texprior.addresses import redact
from texprior.cli.request import Command, Request
from texprior.errors import ConfigError

LONGEST = 8000
"""MLflow's limit for a tag, in characters; a note is one."""
_LONGEST_KEY = 250
_PROGRAMS = ("texprior.", "mlflow.")


def takes_labels(function: Command) -> Command:
    """Decorates a command on an experiment with --tag and --note; the request gets them."""

    @click.option(
        "--tag",
        "tags",
        multiple=True,
        metavar="KEY=VALUE",
        help="A tag of the runs that are started or continued; 'runs list --tag' finds them; repeatable.",
    )
    @click.option("--note", default="", metavar="TEXT", help="A text that the run's description begins with, Markdown.")
    @functools.wraps(function)
    def command(request: Request, tags: Sequence[str], note: str, **options: Any) -> Any:
        if len(note) > LONGEST:
            raise ConfigError(f"--note: it has {len(note)} characters, and a note at most {LONGEST}")
        return function(replace(request, labels=_labels(tags), note=redact(note.strip())), **options)

    return command


def _labels(tags: Sequence[str]) -> dict[str, str]:
    labels = dict(parse_tag(f"--tag {text}", text) for text in tags)
    if empty := [key for key, value in labels.items() if not value]:
        raise ConfigError(f"--tag {empty[0]}=: expected KEY=VALUE, and the value is empty")
    return {key: redact(value) for key, value in labels.items()}


def parse_tag(where: str, text: str) -> tuple[str, str]:
    """Returns key and value of ``KEY=VALUE``; ``where`` begins the message of the ConfigError if it is none."""
    key, sign, value = text.partition("=")
    if not sign or not key.strip():
        raise ConfigError(f"{where}: expected KEY=VALUE")
    if key.startswith(_PROGRAMS):
        raise ConfigError(
            f"{where}: tags that begin with {' or '.join(_PROGRAMS)} are how runs are found again; use another key"
        )
    if len(key) > _LONGEST_KEY or len(value) > LONGEST:
        raise ConfigError(f"{key[:40]}: a tag has at most {_LONGEST_KEY} characters in its key, {LONGEST} in its value")
    # MLflow refuses others, which would be seen only if the run starts; it also takes a key for a path
    if not re.fullmatch(r"\w[\w.\- :/]*", key, re.ASCII) or posixpath.normpath(key) != key:
        raise ConfigError(
            f"{where}: a key has letters of ASCII, digits and . _ - : / or blanks, and is no path with .."
        )
    return key, value
