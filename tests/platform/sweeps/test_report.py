"""A sweep in words."""

from texprior.sweeps.report import short_configuration


def test_a_configuration_in_short_names_components_and_the_ends_of_paths():
    params = {"adapter": "spade", "adapter.spade.width": 42, "training.adapter.lr": 0.001213}
    assert short_configuration(params) == "spade width=42 lr=0.00121"
    rates = {"training.prior.lr": 0.1, "training.adapter.lr": 0.2}
    assert short_configuration(rates) == "prior.lr=0.1 adapter.lr=0.2"
