"""Checks the records that a plugin returns, before anything relies on them. Imports no torch."""

from __future__ import annotations

import re
from dataclasses import fields
from typing import Literal, get_args, get_origin, get_type_hints

from texprior.errors import IncompatibleError, PluginError
from texprior.plugin import HOOK_OF_KIND, Command, Component, Metric, Objective, Options, Weights
from texprior.plugin.records import api_fault
from texprior.plugin.references import check_references

_NAME = re.compile(r"[a-z0-9][a-z0-9_+-]*")
_IMPL = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")
_HINTS = {record: get_type_hints(record) for _, record in HOOK_OF_KIND.values()}
_WORDS: dict[object, str] = {bool: "True or False", int: "a whole number", float: "a number", str: "a text"}


def check_record(component: object, record: type[Component], hook: str) -> None:
    """Checks what a hook returned as one record.

    Raises PluginError that says what to write, and IncompatibleError if the record is of a plugin API that is not
    accepted.
    """
    if not isinstance(component, record):
        raise PluginError(f"{hook} must return {record.__name__} records, not {component!r}")
    # first of all: a record of another API may mean something else by its fields
    if _fits(component.api, int) and (fault := api_fault(component.name, component.api)):
        raise IncompatibleError(fault)
    if isinstance(component.name, str) and not _NAME.fullmatch(component.name):
        allowed = "use lower-case letters, digits and _ + -"
        raise PluginError(f"'{component.name}' is not a valid component name; {allowed}")
    if fault := _fault(component, record):
        raise PluginError(f"'{component.name}': {fault}")


def _fault(component: Component, record: type[Component]) -> str:
    """Returns what is wrong with a record; empty if nothing is."""
    # the check of the options' class has words of its own
    for field in (f.name for f in fields(record) if f.name != "options"):
        value, hint = getattr(component, field), _HINTS[record][field]
        if not _fits(value, hint):
            return f"{field} must be {_described(hint, value)}, not {value!r}"
    if not _IMPL.fullmatch(component.impl):
        return f"impl must be 'package.module:Class', not '{component.impl}'"
    if not (isinstance(component.options, type) and issubclass(component.options, Options)):
        return "options must be a class derived from texprior.plugin.Options"
    if isinstance(component, Command) and component.options is not Options:
        return "a command has no options of texprior; give its click.Command the options"
    # a default that cannot be made would fail wherever options are listed
    for info in component.options.model_fields.values():
        info.get_default(call_default_factory=True, validated_data={})
    if isinstance(component, Metric) and component.api > 1 and not component.better:
        return "say which scores are better: better='higher', better='lower', or better='one' (closest to 1)"
    if isinstance(component, Objective) and not (component.layer or component.picture):
        return (
            "say in which trainings the objective works: layer=True (prior, adapter), picture=True (predictor), or both"
        )
    return check_references(component.options, HOOK_OF_KIND)


def _fits(value: object, hint: object) -> bool:
    if get_origin(hint) is Literal:
        return value in get_args(hint)
    if get_origin(hint) is tuple:
        return isinstance(value, tuple | list) and all(_fits(part, get_args(hint)[0]) for part in value)
    # a bool is an int for Python, but no number for a reader
    number = hint is float and isinstance(value, int)
    return (
        isinstance(hint, type) and (number or isinstance(value, hint)) and (hint is bool or not isinstance(value, bool))
    )


def _described(hint: object, value: object) -> str:
    if get_origin(hint) is Literal:
        *others, last = [repr(choice) for choice in get_args(hint) if choice]
        return f"{', '.join(others)} or {last}"
    if get_origin(hint) is tuple:
        of = get_args(hint)[0]
        example = f", such as ({value!r},)" if _fits(value, of) else ""
        return f"a tuple of {'Weights records' if of is Weights else 'texts'}{example}"
    return _WORDS[hint]
