"""Implements ``texprior plugins check``, which runs the conformance kit.

It checks a plugin, a component or a file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from texprior.cli.completion import components
from texprior.cli.component_warnings import warnings_of
from texprior.cli.output import emit, say, table
from texprior.cli.request import discover_plugins, json_option, parse_component, plugin_option
from texprior.errors import ConfigError, PluginError
from texprior.plugin import KINDS

if TYPE_CHECKING:
    from texprior.registry import Entry, Registry
    from texprior.testing import Outcome, Report, Subject


@click.command()
@click.argument("target", metavar="DIST|KIND/NAME|FILE", shell_complete=components)
@click.option(
    "--options", metavar="YAML", help="Options of the component; if there are several components, KIND/NAME -> options."
)
@click.option(
    "--expect",
    "expected",
    multiple=True,
    metavar="CHECK=REASON",
    help="A check that is expected to fail, and why; KIND/NAME:CHECK=REASON if there are several components; "
    "repeatable. If the check passes, that is a failure.",
)
@click.option(
    "--denoiser",
    metavar="YAML",
    help="The denoiser for checks of adapters; the first installed one that fits if not given.",
)
@click.option("--quiet", "-q", is_flag=True, help="Show no rows for checks that passed or did not run.")
@plugin_option
@json_option
def check(
    target: str,
    options: str | None,
    expected: tuple[str, ...],
    denoiser: str | None,
    quiet: bool,
    plugins: tuple[str, ...],
    as_json: bool,
) -> None:
    """Check components against the rules of their kind.

    Checks all components of a distribution, one component, or those of a file. The exit code is 1 if a check fails.
    docs/conformance.md lists the rules.
    """
    file = target if target.endswith(".py") or Path(target).is_file() else None
    registry = discover_plugins([*plugins, *([file] if file else [])])
    entries = _entries(registry, target, file)
    # Options and expectations are checked before the first check runs, which may take minutes.
    given = _by_component(_mapping(options), entries)
    reasons = _expected(expected, entries)
    subjects = [_subject(registry, entry, given, denoiser) for entry in entries]
    reports = [_report(subject, reasons) for subject in subjects]
    if as_json:
        emit({"components": [_described(report) for report in reports], **_totals(reports)})
    else:
        _show(reports, quiet)
    if any(report.failed for report in reports):
        click.get_current_context().exit(1)


def _entries(registry: Registry, target: str, file: str | None) -> list[Entry]:
    from texprior.registry import canonical
    from texprior.testing import entries_of

    if file:
        return entries_of(registry, distribution=canonical(Path(file).stem))
    kind, slash, name = target.partition("/")
    if slash and kind in KINDS:
        return entries_of(registry, kind, name)
    if slash:
        raise PluginError(f"'{target}' is not KIND/NAME, such as adapter/cga; the kinds are: {', '.join(KINDS)}")
    return entries_of(registry, distribution=target)


def _subject(registry: Registry, entry: Entry, given: Mapping[str, Any], denoiser: str | None) -> Subject:
    from texprior.testing import Subject

    host = parse_component(registry, "denoiser", denoiser, "--denoiser") if denoiser else None
    subject = Subject(registry, entry, given.get(_name(entry), {}), host)
    subject.validate()
    return subject


def _report(subject: Subject, reasons: Mapping[str, Any]) -> Report:
    from texprior.testing import check_component

    name = _name(subject.entry)
    say(f"checking {name}")
    return check_component(subject, reasons.get(name, {}))


def _name(entry: Entry) -> str:
    return f"{entry.component.kind}/{entry.component.name}"


def _mapping(text: str | None) -> object:
    from texprior.config.yaml_reader import parse_yaml, shorten_text

    try:
        value: object = parse_yaml(text or "{}")
        return value
    except ValueError:
        raise ConfigError(
            f"--options {shorten_text(text or '')}: this is not valid YAML, such as '{{path: photographs}}'"
        ) from None


def _by_component(given: object, entries: Sequence[Entry]) -> dict[str, dict[str, Any]]:
    """Returns KIND/NAME -> options.

    If only one component is checked, the options may be given without KIND/NAME. Raises ConfigError if ``given`` has
    another form.
    """
    names = [_name(entry) for entry in entries]
    if not isinstance(given, dict):
        raise ConfigError(f"--options: expected a mapping of options, such as '{{path: photographs}}' (got {given!r})")
    if len(names) == 1 and not given.keys() & set(names):
        return {names[0]: given}
    unknown = sorted(map(str, given.keys() - set(names)))
    if unknown or not all(isinstance(value, dict) for value in given.values()):
        example = f"'{{{names[0]}: {{option: value}}}}'"
        wrong = f"'{unknown[0]}' is not one of {', '.join(names)}" if unknown else "a component's options are a mapping"
        raise ConfigError(f"--options: several components are checked, so give their options like {example}; {wrong}")
    return given


def _expected(texts: Sequence[str], entries: Sequence[Entry]) -> dict[str, dict[str, str]]:
    from texprior.testing import validated

    names, found = {_name(entry): entry for entry in entries}, dict[str, dict[str, str]]()
    for text in texts:
        where, equals, reason = text.partition("=")
        # The last colon separates: an id of a check has dots, and only a KIND/NAME comes before a colon.
        name, colon, id_ = where.rpartition(":")
        name = name if colon else next(iter(names))
        if not equals or (not colon and len(names) > 1) or name not in names:
            raise ConfigError(
                f"--expect {text}: expected CHECK=REASON, or KIND/NAME:CHECK=REASON of one of {', '.join(names)}"
            )
        found.setdefault(name, {})[id_] = reason
        validated({id_: reason}, names[name].component)
    return found


def _show(reports: Sequence[Report], quiet: bool) -> None:

    rows = [
        [_name(report.subject.entry), outcome.check.id, outcome.status]
        for report in reports
        for outcome in report.outcomes
        if not (quiet and outcome.status in ("passed", "not run"))
    ]
    if rows:
        table(["component", "check", "result"], rows)
    for report in reports:
        for outcome in report.outcomes:
            if outcome.status in ("failed", "expected"):
                _show_failure(report, outcome)
    for sentence in warnings_of(report.subject.entry for report in reports):
        click.echo(f"warning: {sentence}")
    for report in reports:
        click.echo(report.line())
        for reason, ids in report.not_run().items():
            click.echo(f"  not run: {', '.join(ids)} ({reason})")
    click.echo(", ".join(f"{count} {status}" for status, count in _totals(reports).items()))


def _show_failure(report: Report, outcome: Outcome) -> None:
    """Prints a failure with its rule and what to do."""
    click.echo(f"{_name(report.subject.entry)} {outcome.check.id} {outcome.status}: {outcome.message}")
    if outcome.place:
        click.echo(f"  at: {outcome.place}")
    if outcome.status == "failed":
        click.echo(f"  rule: {outcome.check.rule}\n  fix: {outcome.check.fix}")
    click.echo()


def _totals(reports: Sequence[Report]) -> dict[str, int]:
    statuses = [outcome.status for report in reports for outcome in report.outcomes]
    return {status: statuses.count(status) for status in ("passed", "failed", "expected", "not run")}


def _described(report: Report) -> dict[str, Any]:
    from texprior.testing import FLOOR

    entry = report.subject.entry
    checks = [
        {
            "id": outcome.check.id,
            "status": outcome.status,
            "message": outcome.message,
            "place": outcome.place,
            "rule": outcome.check.rule,
            "fix": outcome.check.fix,
        }
        for outcome in report.outcomes
    ]
    return {
        "kind": entry.component.kind,
        "name": entry.component.name,
        "qualified": entry.qualified,
        "version": entry.plugin.version,
        "options": dict(report.subject.options),
        "run": report.run,
        "floor": FLOOR[entry.component.kind],
        "notes": report.subject.notes,
        "warnings": warnings_of([entry]),
        "checks": checks,
    }
