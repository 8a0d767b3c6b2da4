"""Every rule of texprior's conformance kit that applies to a component of this package, a test each."""

from texprior.testing import conformance


@conformance(distribution="texprior-example")
def test_conformance():
    """None is expected to fail."""
