"""Finds the run that a word of the command line means."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import click

from texprior.cli.commands.runs.filters import quoted
from texprior.cli.commands.runs.recorded import RUN_ID, SHORT, Recorded
from texprior.cli.commands.runs.store import Store, other_store
from texprior.errors import ConfigError

_NAMED = 5
"""Runs that an error names."""
run_argument = click.argument("run")


def find_run(store: Store, word: str) -> Recorded:
    """Returns the one run that a word means: the beginning of its id, its folder or the folder's name, or its name.

    The first of these that fits any run decides. Raises ConfigError if it fits no run, or several.
    """
    for query in _queries(word):
        found = list(store.search(query, limit=_NAMED + 1))
        if len(found) == 1:
            return found[0]
        if found:
            raise ConfigError(f"'{word}' fits several runs; give the beginning of an id:\n{_listed(found)}")
    other = other_store(store.address)
    elsewhere = f", or look in the store of the folder of the runs: --store {other}" if other else ""
    raise ConfigError(f"{store}: there is no run '{word}'; 'texprior runs list' shows what is there{elsewhere}")


def find_runs(store: Store, words: Sequence[str]) -> list[Recorded]:
    """Returns the runs that words mean, each once. Raises ConfigError as ``find_run``."""
    found = [find_run(store, word) for word in words]
    return list({run.id: run for run in found}.values())


def _queries(word: str) -> list[str]:
    if not word.strip():
        raise ConfigError("RUN: expected an id, a folder or a name, and it is empty")
    by_id = [f"attributes.run_id LIKE '{word.lower()}%'"] if re.fullmatch(r"[0-9a-fA-F]{1,32}", word) else []
    folder = Path(word).name or word
    return [*by_id, f"tags.`{RUN_ID}` = {quoted(folder)}", f"attributes.run_name = {quoted(word)}"]


def _listed(found: Sequence[Recorded]) -> str:
    lines = [f"  {r.id[:SHORT]}  {r.started[:16]}  {r.kind or 'of another tool'}: {r.name}" for r in found[:_NAMED]]
    return "\n".join([*lines, *(["  ..."] if len(found) > _NAMED else [])])
