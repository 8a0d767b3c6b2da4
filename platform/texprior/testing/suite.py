"""Runs the kit in pytest: a decorator that makes one test of each check.

pytest is imported only when the decorator is used.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeVar

from texprior.errors import ConfigError, PluginError
from texprior.plugin import Ref
from texprior.registry import Entry, Registry, canonical
from texprior.testing.catalogue import Check, checks_of
from texprior.testing.run import Outcome, counted, outcome_of, settled, validated
from texprior.testing.subject import Subject

if TYPE_CHECKING:
    import pytest

Target = TypeVar("Target")
_CHECK, _SUMMARY = "conformance_check", "texprior-conformance"


@dataclass
class Case:
    """A component in a test module, with the outcomes of its checks so far."""

    registry: Registry
    entry: Entry
    options: Mapping[str, Any]
    expected: Mapping[str, str]
    denoiser: Ref | None
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    last: Subject | None = None

    def run(self, check: Check, more: Mapping[str, Any] | None) -> Outcome:
        """Runs a check with the decorator's options and the options that the test returned."""
        options = {**self.options, **(more or {})}
        # checks with equal options share a subject, and so its slow results
        if self.last is None or self.last.options != options:
            self.last = Subject(self.registry, self.entry, options, self.denoiser)
            self.last.validate()
        self.outcomes[check.id] = settled(outcome_of(check, self.last), self.expected.get(check.id))
        return self.outcomes[check.id]

    def line(self) -> str:
        """Returns the counts of checks, for the summary."""
        subject = self.last or Subject(self.registry, self.entry)
        return counted(subject, self.outcomes.values())


def conformance(
    kind: str = "",
    name: str = "",
    *,
    distribution: str = "",
    plugin: str | Path | ModuleType | None = None,
    options: Mapping[str, Any] | None = None,
    expected_failures: Mapping[str, Any] | None = None,
    denoiser: str | Mapping[str, Any] | Ref | None = None,
) -> Callable[[Target], Target]:
    """Turns a test function or class into one test for each check that applies.

    ``kind`` and ``name`` (bare or qualified) choose one component; ``distribution`` chooses all components of a
    plugin, or all of a ``kind``. ``plugin`` is a file or module to register first.

    The decorated function prepares what the component needs, with fixtures as its arguments. It returns further
    options, or nothing. If it has an argument ``component``, it receives the record. A decorated class may have a
    method ``options`` that does the same.

    ``expected_failures`` maps check ids to reasons. With ``distribution``, it maps ``"KIND/NAME"`` to such a mapping.
    An expected failure that passes counts as a failure. ``denoiser`` is the denoiser that adapters steer, in the form
    in which an experiment names it.

    Raises ConfigError for an unknown check id, and PluginError if the component or its plugin is not available.
    """
    registry = Registry.discover()
    if plugin is not None:
        registry.register(plugin)
    entries = entries_of(registry, kind, name, distribution)
    host = None if denoiser is None else Ref.model_validate(denoiser)
    cases = [
        Case(registry, entry, options or {}, validated(reasons, entry.component), host)
        for entry, reasons in _expectations(entries, expected_failures or {}, bool(distribution))
    ]
    return functools.partial(_decorated, cases=cases, prefixed=bool(distribution))


def entries_of(registry: Registry, kind: str = "", name: str = "", distribution: str = "") -> list[Entry]:
    """Returns one component, or all of a distribution (of one kind, if it is given).

    Raises PluginError with the reason if it did not load.
    """
    if not distribution:
        if not (kind and name):
            raise ConfigError("conformance: name a component, conformance('degradation', 'rain'), or a distribution")
        return [registry.find(kind, name)]
    plugin = next((p for p in registry.plugins if p.distribution == canonical(distribution)), None)
    if plugin is None:
        known = ", ".join(p.distribution for p in registry.plugins) or "none"
        raise PluginError(f"there is no plugin distribution '{distribution}'; there are: {known}")
    if plugin.status != "loaded":
        raise PluginError(f"plugin {plugin.distribution} is {plugin.status}: {plugin.reason}")
    found = [entry for entry in registry.entries(kind or None) if entry.plugin is plugin]
    if not found:
        raise PluginError(f"plugin {plugin.distribution} provides no {kind or 'component'}")
    return found


def _expectations(
    entries: list[Entry], given: Mapping[str, Any], by_component: bool
) -> list[tuple[Entry, Mapping[str, str]]]:
    if not by_component:
        return [(entries[0], given)]
    names = {f"{e.component.kind}/{e.component.name}": e for e in entries}
    unknown = sorted(given.keys() - names.keys())
    if unknown:
        raise ConfigError(
            f"expected failures of '{unknown[0]}': the plugin has no such component; there are: {', '.join(names)}"
        )
    return [(entry, given.get(name, {})) for name, entry in names.items()]


def _decorated(target: Callable[..., object], *, cases: list[Case], prefixed: bool) -> Any:
    # only here, because the command line uses the kit without pytest
    import pytest

    parameters = [
        pytest.param((case, check), id=f"{_title(case)}-{check.id}" if prefixed else check.id)
        for case in cases
        for check in checks_of(case.entry.component)
    ]
    parametrized = pytest.mark.parametrize(_CHECK, parameters)
    if inspect.isclass(target):
        prepare = getattr(target, "options", None)
        test = _test(prepare or (lambda self: None), target.__module__, target.__doc__)
        target.test_conformance = parametrized(test)  # type: ignore[attr-defined]
        return target
    return parametrized(_test(target, target.__module__, target.__doc__))


def _title(case: Case) -> str:
    return f"{case.entry.component.kind}/{case.entry.component.name}"


def _test(prepare: Callable[..., Any], module: str, doc: str | None) -> Callable[..., None]:
    """Returns a test function that prepares one check, runs it and reports its outcome."""
    wanted = inspect.signature(prepare).parameters

    def test(*self: object, **fixtures: Any) -> None:
        case, check = fixtures.pop(_CHECK)
        request = fixtures["request"] if "request" in wanted else fixtures.pop("request")
        if "component" in wanted:
            fixtures["component"] = case.entry.component
        _summary_of(request.config).add(case)
        tell(case, case.run(check, prepare(*self, **fixtures)))

    # pytest finds fixtures by the signature: the new test must ask for the fixtures of ``prepare``, and for its own
    kept = [p for p in wanted.values() if p.name != "component"]
    added = [name for name in (_CHECK, "request") if name not in wanted]
    extra = [inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY) for name in added]
    # pytest reads the name, the marks and the signature of a test from these attributes
    test.__signature__ = inspect.Signature([*kept, *extra])  # type: ignore[attr-defined]
    test.__name__ = getattr(prepare, "__name__", "test_conformance")
    test.__module__, test.__doc__, test.__dict__["pytestmark"] = module, doc, getattr(prepare, "pytestmark", [])
    return test


def tell(case: Case, outcome: Outcome) -> None:
    """Passes, skips, fails or xfails the running test."""
    import pytest

    if outcome.status == "not run":
        pytest.skip(outcome.message)
    if outcome.status == "expected":
        pytest.xfail(outcome.message)
    if outcome.status == "failed":
        check, record = outcome.check, case.entry.component
        text = f"{check.id}, {record.kind} {case.entry.qualified}: {outcome.message}"
        text = f"{text}\nat: {outcome.place}" if outcome.place else text
        text = f"{text}\n\nrule: {check.rule}\nfix: {check.fix}"
        # without pytest's traceback, which would show only the kit; the details hold the component's own
        pytest.fail(f"{text}\n\n{outcome.details}" if outcome.details else text, pytrace=False)


class _Summary:
    """Adds a section to the end of pytest's output.

    The section has the number of checks that ran on each component.
    """

    def __init__(self) -> None:
        self.cases: list[Case] = []

    def add(self, case: Case) -> None:
        """Adds a component whose checks are run, unless it is already there."""
        if not any(case is known for known in self.cases):
            self.cases.append(case)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        terminalreporter.section("texprior conformance")
        for case in self.cases:
            terminalreporter.write_line(case.line())
        for warning in dict.fromkeys(case.entry.plugin.warning for case in self.cases if case.entry.plugin.warning):
            terminalreporter.write_line(f"warning: {warning}")


def _summary_of(config: pytest.Config) -> _Summary:
    # one section per pytest run, so that several decorated tests do not print several sections
    known: Any = config.pluginmanager.get_plugin(_SUMMARY)
    if known is None:
        known = _Summary()
        config.pluginmanager.register(known, _SUMMARY)
    found: _Summary = known
    return found
