"""What the kit says of a metric that is upside down: its own scores, with their signs."""

import sys
import types

from texprior.plugin import Metric, hookimpl
from texprior.registry import Registry
from texprior.testing import CHECKS, Subject
from texprior.testing.run import outcome_of


class Closeness:
    key = "closeness"

    def __init__(self, options):
        pass

    def __call__(self, image_BCHW, reference_BCHW):
        return 1 - (image_BCHW - reference_BCHW).abs().flatten(1).mean(1)


def test_the_scores_in_a_message_are_the_metrics_own(monkeypatch):
    module = types.ModuleType("close_idea")
    module.Closeness = Closeness
    module.texprior_metrics = hookimpl(
        lambda: [Metric("closeness", "close_idea:Closeness", summary="Close.", better="lower")]
    )
    monkeypatch.setitem(sys.modules, "close_idea", module)
    registry = Registry()
    registry.register(module)
    outcome = outcome_of(CHECKS["metric.identity"], Subject(registry, registry.find("metric", "closeness")))
    assert outcome.status == "failed"
    assert outcome.message.startswith('better="lower", but the reference scores 1/1, and with noise 0.98')
