"""Every first-party component, held to the rules of its kind as a stranger's is; what lands later is covered too."""

from texprior.plugin import KINDS
from texprior.registry import Registry
from texprior.testing import conformance

SMALL = {"unet": {"width": 8, "levels": 2, "blocks": 1, "heads": 1}}


@conformance(distribution="texprior", denoiser=SMALL)
def test_component(component, example):
    return example(component)


def test_every_kind_has_a_component_to_hold_to_its_rules():
    """But for commands: those of texprior's own are no plugins, so that ``--help`` need not load its distribution."""
    assert {entry.component.kind for entry in Registry.discover().entries()} == set(KINDS) - {"command"}
