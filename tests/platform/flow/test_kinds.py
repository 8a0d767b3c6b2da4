"""Each kind has one contract, and what is built fulfils it."""

from texprior.flow import kinds
from texprior.flow.sample import LayerSampler
from texprior.plugin import KINDS, Ref
from texprior.plugin.typed_kind import ComponentKind
from texprior.registry import Registry
from texprior.track import EVENTS

WITHOUT = ["command"]  # it is a click.Command, and is not built


def test_every_kind_of_hook_has_its_contract():
    found = [kind for kind in vars(kinds).values() if isinstance(kind, ComponentKind)]
    assert sorted(kind.name for kind in (*found, EVENTS)) == sorted({*KINDS} - {*WITHOUT})


def test_a_kind_builds_what_its_name_builds():
    registry = Registry.discover()
    built: LayerSampler = registry.build(kinds.SAMPLER, Ref(name="heun"))  # mypy holds the type
    assert type(built) is type(registry.build("sampler", Ref(name="heun")))
    assert built.calls(4) == 7  # 2 N - 1 calls of the network
