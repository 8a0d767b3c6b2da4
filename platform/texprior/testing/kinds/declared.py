"""Checks the rules of every kind about what a plugin declares.

A plugin declares its entry module, record and options.
"""

from __future__ import annotations

import importlib.metadata
import os
import subprocess
import sys
from functools import lru_cache

from pydantic import ValidationError

from texprior.plugin import GROUP, Options
from texprior.registry import canonical
from texprior.testing.catalogue import USABLE, When, check
from texprior.testing.outcomes import NotRun, require
from texprior.testing.subject import Subject
from texprior.testing.values import SAMPLES, is_tuned, samples

HEAVY = ("torch", "mlflow", "optuna", "albumentations")
"""Packages that are slow to import: ``texprior plugins list`` imports every entry module, and must stay quick."""
TUNED = When("an option marked `Tune`", lambda record: is_tuned(record.options))


@check("any.entry-module", after=())
def entry_module(subject: Subject) -> None:
    """The entry module of an installed plugin does not import torch, mlflow, optuna or albumentations.

    Fix: put the code that needs them into a separate module and name that module in ``impl``; texprior imports it on
    first use.
    """
    plugin = subject.entry.plugin
    if not plugin.installed:
        raise NotRun("a single file or a registered module is imported only if the user names it")
    loaded = _heavy_imports(plugin.distribution, plugin.version)
    require(not loaded, f"importing the entry modules of {plugin.distribution} loads {', '.join(loaded)}")


@check("any.record", after=())
def record(subject: Subject) -> None:
    """The record has a summary of one line (200 characters at most). If it has a citation, that is BibTeX.

    Fix: write ``summary`` as one sentence for ``plugins list``; paste the whole BibTeX entry, ``@kind{key, ...}``, into
    ``citation``.
    """
    text, citation = subject.record.summary, subject.record.citation.strip()
    require(text.strip() and "\n" not in text and len(text) <= 200, f"the summary is {text!r}")
    if citation:
        braces = citation.count("{") == citation.count("}") > 0
        require(citation.startswith("@") and braces, "the citation does not start with @, or its braces do not match")


@check("any.defaults", after=())
def defaults(subject: Subject) -> None:
    """The default options are valid, within the bounds of their own fields.

    Fix: change the default to a value within ``ge``/``le``, or widen them; leave ``validate_default`` on.
    """
    _valid(subject, {})


@check("any.options-closed", after=())
def options_closed(subject: Subject) -> None:
    """An unknown option is an error, and options cannot be changed after their creation.

    Fix: derive from ``texprior.plugin.Options`` and do not change its ``model_config``.
    """
    unknown = "no_option_has_this_name"
    try:
        subject.model.model_validate({**subject.given(), unknown: 1})
    except ValidationError as error:
        found = [item["type"] for item in error.errors() if item["loc"] == (unknown,)]
        require(found == ["extra_forbidden"], f"an unknown option is refused with the errors {found}")
    else:
        require(False, "an unknown option is accepted without an error")
    require(subject.model.model_config.get("frozen"), "the options can be changed after their creation")


@check("any.json", after=USABLE[:1])
def json_round_trip(subject: Subject) -> None:
    """Options that are written as JSON and read back are equal, so a stored experiment can be run again.

    Fix: use types that JSON can hold (numbers, text, lists, nested Options), without custom serialisers that lose data.
    """
    try:
        points = samples(subject.model) if is_tuned(subject.model) else []
    except ValueError:
        raise NotRun("the search space is not well formed; see any.space", caused=True) from None
    for changes in [{}, *(point for point in points if subject.accepts(point))]:
        options: Options = subject.model.model_validate(subject.given(changes))
        again = subject.model.model_validate_json(options.model_dump_json())
        require(again == options, f"{options!r} is read back as {again!r}")


@check("any.space", when=TUNED, after=())
def space(subject: Subject) -> None:
    """The search space that ``Tune`` marks is well formed, and samples of it, including its two ends, are valid.

    Fix: set bounds that the field accepts, and no bound of 0 with ``log``; every combination of option values must be
    valid.
    """
    points = samples(subject.model)
    require(len(points) == SAMPLES, f"{len(points)} samples instead of {SAMPLES}")
    for changes in points:
        _valid(subject, changes)


@check("any.builds", but=["command"], after=USABLE[:1])
def builds(subject: Subject) -> None:
    """The registry can import the implementation and build it with its default options.

    Fix: let ``impl`` name a class that accepts the arguments of its kind (``Impl(options, ...)``); if something is
    missing on the machine, raise ConfigError and declare it in the record (``requires``, ``weights``).
    """
    subject.construct()


@check("any.contract", but=["command"], after=USABLE[:2])
def contract(subject: Subject) -> None:
    """An instance fulfils the contract of its kind: base class, methods, attributes.

    Fix: derive from the class, or write the methods, of the contract on the page of its kind in docs/kinds.
    """
    subject_kind, instance = subject.record.kind, subject.build()
    probe, page = subject.probe, f"the contract is in docs/kinds/{subject_kind}.md"
    for base in probe.base:
        require(isinstance(instance, base), f"it does not derive from {base.__module__}.{base.__name__} ({page})")
    lacking = [name for name in probe.methods(subject.record) if not callable(getattr(instance, name, None))]
    lacking += [name for name in probe.attributes if not hasattr(instance, name)]
    require(not lacking, f"an instance of kind {subject_kind} has no {', '.join(lacking)} ({page})")


def _valid(subject: Subject, changes: dict[str, object]) -> object:
    given = subject.given(changes)
    try:
        return subject.model.model_validate(given)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"])) or "the options together"
        require(False, f"{given or 'the defaults'} are refused at {where}: {first['msg']}")
        raise


# the version is part of the cache key, so that an updated plugin is imported again
@lru_cache
def _heavy_imports(distribution: str, _version: str) -> tuple[str, ...]:
    """Returns the heavy packages that the entry modules of a distribution load.

    A new interpreter imports these modules.
    """
    points = [
        p for p in importlib.metadata.entry_points(group=GROUP) if p.dist and canonical(p.dist.name) == distribution
    ]
    modules = sorted({point.module for point in points})
    # in a new interpreter, because this one has loaded torch already; with this one's path, to find the same plugins
    code = (
        f"import importlib, sys\nfor name in {modules!r}: importlib.import_module(name)\n"
        f"print(*[name for name in {HEAVY!r} if name in sys.modules])"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    require(done.returncode == 0, f"importing {', '.join(modules)} fails: {done.stderr.strip().splitlines()[-1:]}")
    return tuple(done.stdout.split())
