"""Reports: what is expected, what is not run and why, and what one check cannot do to another."""

import re
import types
from typing import Annotated

import pytest
import torch
from pydantic import Field

from texprior.errors import ConfigError
from texprior.flow.decompose import Layers
from texprior.plugin import Degradation, Kind, Options, Ref, Weights, hookimpl
from texprior.registry import Registry
from texprior.testing import Subject, check_component
from texprior.testing.material import global_state


class Dark:
    def __init__(self, options):
        pass

    def __call__(self, image_CHW, rng):
        return image_CHW * torch.rand((), generator=rng)


class Loud(Dark):
    def __call__(self, image_CHW, rng):
        return super().__call__(image_CHW, rng) * torch.rand(())


class Needy(Dark):
    def __init__(self, options):
        raise ConfigError("the parameters 'rain_net' are not here")


class PathOptions(Options):
    path: str


MISSING = Weights("rain_net", "0" * 64, "MIT", "nowhere")


def subject(implementation, **record):
    """A component of a module that is registered, as in a notebook."""
    module = types.ModuleType("noted")
    module.Impl = implementation
    module.texprior_degradations = hookimpl(
        lambda: [Degradation("dark", "noted:Impl", **{"summary": "Dark.", **record})]
    )
    registry = Registry()
    registry.register(module)
    return Subject(registry, registry.entries()[0])


@pytest.fixture(autouse=True)
def _noted(monkeypatch):
    import sys

    module = types.ModuleType("noted")
    monkeypatch.setitem(sys.modules, "noted", module)
    monkeypatch.setattr(Registry, "register", _registering(Registry.register, module))


def _registering(register, importable):
    def registered(self, module):
        importable.__dict__.update(module.__dict__)
        return register(self, module)

    return registered


def status(report):
    return {outcome.check.id: outcome.status for outcome in report.outcomes}


def test_a_right_component_passes_what_can_be_run():
    found = status(check_component(subject(Dark)))
    # a single file has no entry module, and this degradation does not tell what it draws
    assert {id_: s for id_, s in found.items() if s != "passed"} == dict.fromkeys(
        ("any.entry-module", "degradation.drawn"), "not run"
    )


def test_an_expected_failure_is_one_and_a_pass_is_a_failure():
    report = check_component(subject(Loud), {"any.global-rng": "it is loud"})
    assert status(report)["any.global-rng"] == "expected"
    assert report.failed == []
    (unexpected,) = check_component(subject(Dark), {"any.global-rng": "it is loud"}).failed
    assert unexpected.check.id == "any.global-rng"
    assert "expected to fail (it is loud), but it passes" in unexpected.message


@pytest.mark.parametrize(
    ("expected", "reason"),
    [
        ({"any.global-rgn": "typo"}, "did you mean 'any.global-rng'"),
        ({"sampler.order": "another kind's"}, "does not apply to degradation 'dark'"),
        ({"any.global-rng": " "}, "say why, in a sentence"),
    ],
)
def test_expected_failures_are_checked_before_anything_runs(expected, reason):
    with pytest.raises(ConfigError, match=reason):
        check_component(subject(Dark), expected)


def test_a_required_option_must_be_handed_in():
    bare = check_component(subject(Dark, options=PathOptions))
    assert [o.check.id for o in bare.failed] == ["any.floor"]
    assert "checks that ran: 2, the floor of kind degradation is 15" in bare.failed[0].message
    assert (
        "any.builds" in bare.not_run()["option 'path' has no default: pass a value for it, or give its Field examples"]
    )
    whole = subject(Dark, options=PathOptions)
    whole.options = {"path": "x"}
    assert check_component(whole).failed == []


class TwiceOptions(Options):
    of: Annotated[list[Ref], Kind("degradation"), Field(min_length=1)]
    then: Annotated[Ref, Kind("degradation")]


class Twice:
    def __init__(self, options, of, then):
        self.steps = [*of, then]

    def __call__(self, image_CHW, rng):
        for step in self.steps:
            image_CHW = step(image_CHW, rng)
        return image_CHW


def test_an_option_that_names_components_is_given_an_installed_one():
    twice = subject(Twice, options=TwiceOptions)
    alone = check_component(twice)
    assert [o.check.id for o in alone.failed] == []
    assert status(alone)["any.floor"] == "not run"
    assert (
        "option 'of' names a component of kind degradation, but none is installed that needs no options"
        in alone.not_run()
    )
    whole = Subject(Registry.discover(), twice.entry)
    whole.registry.plugins.append(twice.entry.plugin)
    report = check_component(whole)
    assert report.failed == []
    assert report.run >= 16
    (of, then) = report.subject.notes
    assert re.fullmatch(r"option 'of' is texprior/[a-z_]+", of)
    assert re.fullmatch(r"option 'then' is texprior/[a-z_]+", then)


def test_what_the_machine_lacks_is_not_run_where_it_is_declared():
    """Declared, the floor is excused with the same reason; undeclared, it is the component's failure."""
    declared = status(check_component(subject(Needy, weights=(MISSING,))))
    assert declared["any.builds"] == declared["degradation.keys"] == declared["any.floor"] == "not run"
    assert declared["any.json"] == "passed"
    undeclared = check_component(subject(Needy))
    assert [o.check.id for o in undeclared.failed] == ["any.builds"]
    assert "any.floor" in undeclared.not_run()["too few checks run because another one failed; see any.builds"]
    package = check_component(subject(Needy, requires=("no_such_package_anywhere",)))
    assert package.failed == []
    assert "any.builds" in package.not_run()["it requires no_such_package_anywhere, which is not installed here"]


def test_the_global_random_numbers_go_on_as_if_nothing_had_been_checked():
    before = global_state()
    check_component(subject(Loud))
    assert global_state() == before


class Elsewhere:
    """A decomposition whose structure is made on one device, wherever the picture is."""

    calls = 0

    def __init__(self, options):
        pass

    def __call__(self, image_BCHW):
        # the first calls are those of any.space-works, which this component passes
        Elsewhere.calls += 1
        device = "cpu" if Elsewhere.calls == 1 else "meta"
        return Layers(torch.zeros(image_BCHW.shape, device=device), image_BCHW)


@pytest.mark.parametrize(("name", "status"), [("guided", "passed"), ("elsewhere", "failed")])
def test_the_accelerator_keeps_what_it_is_given(monkeypatch, name, status):
    """The CPU stands for the accelerator, and PyTorch's meta device for another place."""
    from texprior.plugin import Decomposition
    from texprior.testing import CHECKS
    from texprior.testing.kinds import behaviour
    from texprior.testing.run import outcome_of

    module = types.ModuleType("noted")
    module.Impl = Elsewhere
    module.texprior_decompositions = hookimpl(lambda: [Decomposition("elsewhere", "noted:Impl", summary="Zero.")])
    registry = Registry.discover()
    registry.register(module)
    monkeypatch.setattr(behaviour, "accelerator", lambda: "cpu")
    outcome = outcome_of(CHECKS["any.device"], Subject(registry, registry.find("decomposition", name)))
    assert outcome.status == status, outcome
    if status == "failed":
        assert outcome.message == "the structure is on meta; expected cpu, where its input is"


class NotCallable:
    def __init__(self, options):
        pass


def test_a_broken_contract_names_the_page_that_has_it(repository):
    (found,) = [o for o in check_component(subject(NotCallable)).outcomes if o.check.id == "any.contract"]
    assert (
        found.message
        == "an instance of kind degradation has no __call__ (the contract is in docs/kinds/degradation.md)"
    )
    assert (repository / "docs" / "kinds" / "degradation.md").is_file()


class NotFinite(Dark):
    def __call__(self, image_CHW, rng):
        return super().__call__(image_CHW, rng) * float("nan")


class Odd(Dark):
    """Raises at odd sides, which several checks use."""

    def __call__(self, image_CHW, rng):
        if image_CHW.shape[-1] % 2:
            raise RuntimeError("odd")
        return super().__call__(image_CHW, rng)


def test_one_cause_is_told_once():
    """What is not finite leads to no advice on worker processes or random numbers."""
    report = check_component(subject(NotFinite))
    (failed,) = report.failed
    assert failed.check.id == "any.space-works"
    assert failed.message == "with its defaults output [0] has values that are not finite"
    assert re.fullmatch(r"\S*test_run\.py:\d+: class NotFinite\(Dark\):", failed.place)
    assert {"degradation.workers", "any.repeatable", "any.dtype"} <= set(report.not_run()["see any.space-works"])
    assert "any.floor" in report.not_run()["too few checks run because another one failed; see any.space-works"]
    assert status(report)["any.json"] == "passed"


def test_the_same_error_at_the_same_line_is_told_by_the_first_check():
    from texprior.testing import CHECKS
    from texprior.testing.run import _run

    odd = subject(Odd)
    (failed,) = check_component(odd).failed
    assert failed.check.id == "degradation.picture"
    assert re.fullmatch(r'\S*test_run\.py:\d+: raise RuntimeError\("odd"\)', failed.place)
    again = CHECKS["degradation.picture"]
    other = type(again)("any.other", again.kinds, again.when, again.rule, again.fix, again.function)
    outcome = _run(other, odd)
    assert outcome.status == "not run"
    assert outcome.message == "the same error as in degradation.picture; see degradation.picture"


class Unseeded(Dark):
    def __call__(self, image_CHW, rng):
        import numpy

        return super().__call__(image_CHW, rng) * float(numpy.random.default_rng().uniform(0.5, 0.9))


def test_a_private_generator_is_no_global_one():
    report = check_component(subject(Unseeded))
    assert [o.check.id for o in report.failed] == ["any.repeatable"]
    assert "any.global-rng" in report.not_run()["the result changes with equal global seeds too; see any.repeatable"]
