"""What a training of the adapter says of the layer that it learns."""

import pytest

from texprior.config.schema import ProcessChoice
from texprior.training.adapter import describe_residual


@pytest.mark.parametrize(
    ("residual", "choice", "expected"),
    [
        (0.05, {}, "1.00 times that of the prior's texture; that is near 1, as it should be"),
        (0.2095, {}, "4.19 times that of the prior's texture; that is far from 1, the strength that the prior knows; "
                     "try process.residual_scale=measured or a predictor that is trained longer"),
        (0.01, {}, "0.20 times that of the prior's texture; that is far from 1, the strength that the prior knows; "
                   "try process.residual_scale=measured or process.base=estimate-structure"),
        (0.2095, {"residual_scale": "measured"}, "4.19 times that of the prior's texture; that is far from 1, but the "
                                                 "residual is divided by its own deviation"),
    ],
)  # fmt: skip
def test_a_residual_is_judged_against_the_priors_texture(residual, choice, expected):
    text = describe_residual(residual, 0.05, ProcessChoice(**choice))
    assert text == f"residual: standard deviation {residual:.4f}, {expected}"
