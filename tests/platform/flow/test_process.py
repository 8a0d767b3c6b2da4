"""What a process returns is looked at where it enters the platform."""

import re

import pytest
import torch

from texprior.errors import ConfigError, ContractError
from texprior.flow.process import DiffusionProcess, Law, base_of_prior, base_of_task, entrance, share_kept

PICTURE = torch.full((2, 3, 4, 4), 0.25)


class Fake(DiffusionProcess):
    """Returns what the test wants."""

    def __init__(self, **returned):
        self.returned = returned

    def base_one(self, picture_BCHW, structure_BCHW):
        return self.returned.get("one", structure_BCHW)

    def base_two(self, degraded_BCHW, estimate_BCHW):
        return self.returned.get("two")

    def law(self, sigma):
        return Law(torch.ones_like(sigma), torch.zeros_like(sigma), sigma)

    def enter(self, x_BCHW, sigma_B, base_BCHW, scale):
        return self.returned.get("enter", super().enter(x_BCHW, sigma_B, base_BCHW, scale))

    def kept(self, sigma, following):
        return self.returned.get("kept")


def test_by_default_the_base_is_left_open_and_the_input_has_unit_variance():
    assert base_of_task(Fake(), PICTURE, PICTURE) is None
    assert torch.equal(base_of_prior(Fake(), PICTURE, PICTURE / 2), PICTURE / 2)
    given = entrance(Fake(), PICTURE, 0.1)(PICTURE, torch.tensor([0.75, 1.0]))
    torch.testing.assert_close(given[:, 0, 0, 0], torch.tensor([0.2, 0.25 / 2**0.5]))


@pytest.mark.parametrize(
    ("use", "said"),
    [
        (lambda: base_of_prior(Fake(one=PICTURE[:, :1]), PICTURE, PICTURE),
         "the base of Stage I has shape (2, 1, 4, 4)"),
        (lambda: base_of_task(Fake(two=PICTURE.double()), PICTURE, PICTURE), "the base of Stage II is torch.float64"),
        (lambda: entrance(Fake(enter=PICTURE[0]), PICTURE, 1.0)(PICTURE, torch.ones(2)),
         "what the network is given has shape (3, 4, 4)"),
        (lambda: share_kept(Fake(kept=1.5), 2.0, 1.0), "kept(2, 1) is 1.5; expected a number from 0 to 1"),
        (lambda: share_kept(Fake(kept="half"), 2.0, 1.0), "kept is a str"),
    ],
)  # fmt: skip
def test_what_is_no_picture_and_no_share_is_refused(use, said):
    with pytest.raises(ContractError, match=re.escape(said)):
        use()


def test_a_share_is_returned_and_a_missing_posterior_is_a_sentence():
    assert share_kept(Fake(kept=0.25), 2.0, 1.0) == 0.25
    with pytest.raises(ConfigError, match="states no reverse chain that a sampler could follow"):
        share_kept(Fake(), 2.0, 1.0)
