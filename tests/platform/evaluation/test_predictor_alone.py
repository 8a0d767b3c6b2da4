"""A predictor that is scored as a whole model is."""

import torch

from texprior import config
from texprior.evaluation.predictor_alone import evaluate_predictor
from texprior.flow.orient import ORIENTATIONS
from texprior.plugin import Options
from texprior.registry import Registry
from texprior.runtime.session import Session
from texprior_plugins.predictor.identity import Identity


class Leaning(Identity):
    """Adds a ramp from the left to the right of the picture as it lies."""

    def forward(self, degraded_BCHW):
        return 0.5 * degraded_BCHW + 0.2 * torch.linspace(0, 1, degraded_BCHW.shape[-1])


def test_it_has_the_orientations_that_the_other_arms_have(tmp_path):
    """Their mean is worth up to half a decibel, so that without them the comparison would be unfair."""
    registry, seen = Registry.discover(), {}
    for orientations in (1, 8):
        settings = {
            "name": "x", "events": [], "device": "cpu", "degradation": "defocus", "metrics": ["psnr"],
            "data": {"train": "bundled", "val": {"bundled": {"max_side": 48}}},
            "evaluation": {"split": "val", "limit": 1}, "sampling": {"self_ensemble": orientations},
        }  # fmt: skip
        session = Session(config.resolve(settings, registry), registry, root=tmp_path)
        evaluate_predictor(
            session, Leaning(Options()), lambda _n, _key, shown, at=orientations: seen.update({at: shown})
        )
    degraded = seen[8]["degraded"][None]
    each = [o.back(Leaning(Options())(o.lay(degraded))) for o in ORIENTATIONS]
    torch.testing.assert_close(seen[8]["restored"], torch.stack(each).mean(0)[0])
    torch.testing.assert_close(seen[1]["restored"], each[0][0])
