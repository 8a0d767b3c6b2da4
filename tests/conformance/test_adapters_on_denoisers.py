"""Every first-party adapter, held to the rules of adapters on the denoisers that test_first_party.py does not use."""

from texprior.registry import Registry
from texprior.testing import conformance

NAFNET = {"nafnet": {"width": 8, "levels": 2, "blocks": 1, "middle": 1, "head_width": 8, "window": 8}}
WINDOWS = {
    "window_transformer": {"width": 8, "levels": 2, "blocks": 1, "middle": 2, "head_width": 4, "window": 4}
}  # fmt: skip


@conformance("adapter", distribution="texprior", denoiser=NAFNET)
def test_on_nafnet():
    pass


@conformance("adapter", distribution="texprior", denoiser=WINDOWS)
def test_on_window_transformer():
    pass


def test_no_denoiser_is_left_out():
    """test_first_party.py has ``unet``."""
    names = {entry.component.name for entry in Registry.discover().entries("denoiser")}
    assert names == {"unet", *NAFNET, *WINDOWS}
