"""Rules of every kind on what a plugin declares: its entry module, its record, its options."""

from __future__ import annotations

import importlib.metadata
import os
import subprocess
import sys
from functools import lru_cache

from pydantic import ValidationError

from texprior.plugin import GROUP, Options
from texprior.registry import canonical
from texprior.testing.catalogue import When, check
from texprior.testing.outcomes import NotRun, require
from texprior.testing.subject import Subject
from texprior.testing.values import SAMPLES, is_tuned, samples

HEAVY = ("torch", "mlflow", "optuna", "albumentations")
TUNED = When("an option marked `Tune`", lambda record: is_tuned(record.options))


@check("any.entry-module")
def entry_module(subject: Subject) -> None:
    """The entry module of an installed plugin imports neither torch nor mlflow, optuna or albumentations.

    Fix: put what needs them into a module of its own and name that in ``impl``; it is imported on first use.
    """
    plugin = subject.entry.plugin
    if not plugin.installed:
        raise NotRun("a single file or a registered module is imported only by who names it")
    loaded = _heavy_imports(plugin.distribution, plugin.version)
    require(not loaded, f"importing the entry modules of {plugin.distribution} loads {', '.join(loaded)}")


@check("any.record")
def record(subject: Subject) -> None:
    """The record has a summary of one line (200 characters at most), and a citation is BibTeX.

    Fix: write ``summary`` as a sentence for ``plugins list``; paste ``citation`` whole, ``@kind{key, ...}``.
    """
    text, citation = subject.record.summary, subject.record.citation.strip()
    require(text.strip() and "\n" not in text and len(text) <= 200, f"the summary is {text!r}")
    if citation:
        braces = citation.count("{") == citation.count("}") > 0
        require(citation.startswith("@") and braces, "the citation does not start with @, or its braces do not match")


@check("any.defaults")
def defaults(subject: Subject) -> None:
    """The default options are valid, within the bounds of their own fields.

    Fix: move the default inside ``ge``/``le``, or widen them; keep ``validate_default`` on.
    """
    _valid(subject, {})


@check("any.options-closed")
def options_closed(subject: Subject) -> None:
    """An option that does not exist is an error, and options cannot be changed once they are made.

    Fix: derive from ``texprior.plugin.Options`` and leave its ``model_config`` as it is.
    """
    unknown = "no_option_has_this_name"
    try:
        subject.model.model_validate({**subject.given(), unknown: 1})
    except ValidationError as error:
        found = [item["type"] for item in error.errors() if item["loc"] == (unknown,)]
        require(found == ["extra_forbidden"], f"an unknown option is refused as {found}")
    else:
        require(False, "an unknown option is taken without a word")
    require(subject.model.model_config.get("frozen"), "the options can be changed after they are made")


@check("any.json")
def json_round_trip(subject: Subject) -> None:
    """Options written as JSON and read back are the same: a stored experiment is enough to run it again.

    Fix: use types that JSON holds (numbers, text, lists, nested Options), without custom serialisers that lose some.
    """
    points = samples(subject.model) if is_tuned(subject.model) else []
    for changes in [{}, *(point for point in points if subject.accepts(point))]:
        options: Options = subject.model.model_validate(subject.given(changes))
        again = subject.model.model_validate_json(options.model_dump_json())
        require(again == options, f"{options!r} comes back as {again!r}")


@check("any.space", when=TUNED)
def space(subject: Subject) -> None:
    """The search space that ``Tune`` marks is well formed, and samples of it, its two ends among them, are valid.

    Fix: give bounds, none of them 0 for ``log``, that the field takes; leave no pair of options that cannot meet.
    """
    points = samples(subject.model)
    require(len(points) == SAMPLES, f"{len(points)} samples instead of {SAMPLES}")
    for changes in points:
        _valid(subject, changes)


@check("any.builds")
def builds(subject: Subject) -> None:
    """The implementation is imported and built by the registry with its default options.

    Fix: let ``impl`` name a class that takes what its kind is given (``Impl(options, ...)``); say with ConfigError
    what is missing, and declare it in the record (``requires``, ``weights``).
    """
    subject.construct()


@check("any.contract")
def contract(subject: Subject) -> None:
    """An instance has what the contract of its kind asks for: base class, methods, attributes.

    Fix: derive from the class, or write the methods, that docs/plugins.md names for the kind.
    """
    subject_kind, instance = subject.record.kind, subject.build()
    probe = subject.probe
    for base in probe.base:
        require(isinstance(instance, base), f"it does not derive from {base.__module__}.{base.__name__}")
    lacking = [name for name in probe.methods(subject.record) if not callable(getattr(instance, name, None))]
    lacking += [name for name in probe.attributes if not hasattr(instance, name)]
    require(not lacking, f"an instance of kind {subject_kind} has no {', '.join(lacking)}")


def _valid(subject: Subject, changes: dict[str, object]) -> object:
    given = subject.given(changes)
    try:
        return subject.model.model_validate(given)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"])) or "the options together"
        require(False, f"{given or 'the defaults'} are refused at {where}: {first['msg']}")
        raise


@lru_cache
def _heavy_imports(distribution: str, _version: str) -> tuple[str, ...]:
    """What a fresh interpreter has loaded after importing a distribution's entry modules."""
    points = [
        p for p in importlib.metadata.entry_points(group=GROUP) if p.dist and canonical(p.dist.name) == distribution
    ]
    modules = sorted({point.module for point in points})
    code = (
        f"import importlib, sys\nfor name in {modules!r}: importlib.import_module(name)\n"
        f"print(*[name for name in {HEAVY!r} if name in sys.modules])"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    require(done.returncode == 0, f"importing {', '.join(modules)} fails: {done.stderr.strip().splitlines()[-1:]}")
    return tuple(done.stdout.split())
