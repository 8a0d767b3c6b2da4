"""Runs one test for each rule of texprior's conformance kit and each component of this package."""

from texprior.testing import conformance


@conformance(distribution="texprior-example")
def test_conformance():
    """All rules must hold: no failure is expected."""
