"""Every number that a user may write, in an experiment or in an option, has a largest and a smallest value."""

from typing import get_args, get_origin

import pytest
from pydantic import BaseModel, ValidationError

from texprior.config import Experiment
from texprior.config.search_dimension import unwrap_annotation
from texprior.plugin import Ref
from texprior.registry import Registry

UNBOUNDED = {
    "sweep.space.low": "is checked against the option that it searches",
    "sweep.space.high": "is checked against the option that it searches",
    "sweep.space.step": "is checked against the range that it divides",
}
"""Path -> why the number itself needs no bound."""


def numbers(annotation, metadata, path):
    """Yields (path, type, constraints) of every number in an annotation, also in lists, mappings and sections."""
    types, constraints = unwrap_annotation(annotation, metadata)
    for plain in types:
        if plain in (int, float):
            yield path, plain, constraints
        elif isinstance(plain, type) and issubclass(plain, BaseModel) and plain is not Ref:
            yield from of_model(plain, f"{path}.")
        elif get_origin(plain) in (list, dict, tuple):
            for inner in get_args(plain):
                yield from numbers(inner, [], path)


def of_model(model, prefix=""):
    for name, info in model.model_fields.items():
        yield from numbers(info.annotation, info.metadata, f"{prefix}{name}")


def every_number():
    yield from (("experiment", *found) for found in of_model(Experiment))
    for entry in Registry.discover().entries():
        if entry.plugin.distribution == "texprior":
            name = f"{entry.component.kind}/{entry.component.name}"
            yield from ((name, *found) for found in of_model(entry.component.options))


NUMBERS = list(every_number())


def bounds(constraints):
    of = {sign: [getattr(c, sign) for c in constraints if getattr(c, sign, None) is not None] for sign in
          ("ge", "gt", "le", "lt")}  # fmt: skip
    return bool(of["ge"] + of["gt"]), bool(of["le"] + of["lt"])


def test_the_walk_finds_the_numbers():
    paths = {(where, path) for where, path, _, _ in NUMBERS}
    assert len(paths) > 200
    expected = {"threads", "training.adapter.batch", "evaluation.steps", "ablation.seeds", "sweep.rungs", *UNBOUNDED}
    assert expected <= {path for where, path in paths if where == "experiment"}
    assert ("adapter/cga", "width") in paths


def test_every_number_has_both_bounds_or_a_reason():
    missing = {f"{where}: {path}" for where, path, _, constraints in NUMBERS if bounds(constraints) != (True, True)}
    assert missing == {f"experiment: {path}" for path in UNBOUNDED}


def nested(path, value):
    for key in reversed(path.split(".")):
        value = {key: value}
    return value


LISTS = ("evaluation.steps", "evaluation.texture_strengths", "ablation.seeds", "sweep.rungs")
OF_EXPERIMENT = sorted({path for where, path, _, _ in NUMBERS if where == "experiment" and path not in UNBOUNDED})


@pytest.mark.parametrize("path", OF_EXPERIMENT)
@pytest.mark.parametrize("value", [10**30, -(10**30), float("nan"), float("inf"), float("-inf")])
def test_no_number_of_an_experiment_may_be_anything(path, value):
    with pytest.raises(ValidationError) as caught:
        Experiment(name="x", **nested(path, [value] if path in LISTS else value))
    # without the number in a list, and the tag of a union's branch
    said = [[str(part) for part in error["loc"] if part != 0] for error in caught.value.errors()]
    assert {".".join(part for part in parts if "[" not in part) for parts in said} >= {path}
