"""Bundled photographs and the metrics by name."""

import importlib
from pathlib import Path

import pytest
import torch
from skimage import data

from texprior import weights
from texprior_plugins.metric import texprior_metrics

RECORDS = {record.name: record for record in texprior_metrics()}
HEAVY = ("lpips_vgg", "dists")
"""Metrics that look through VGG16, at 15 GFLOP for 224 x 224 px: the tests show them small pictures."""


@pytest.fixture(scope="session", autouse=True)
def _parameters(tmp_path_factory):
    """Parameters that do not ship are looked for in ../shared/weights, and hashed once a session."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TEXPRIOR_WEIGHTS", str(Path(__file__).resolve().parents[4] / "shared" / "weights"))
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def build():
    """build(name, **options) -> the metric, as its record says; the test is skipped where its parameters are not."""

    def build_metric(name, /, **options):
        record = RECORDS[name]
        missing = [w.name for w in record.weights if not w.packaged and weights.locate(w) is None]
        if name in HEAVY and missing:
            pytest.skip(f"{name}: the parameters {', '.join(missing)} do not ship and are not in ../shared/weights")
        module, _, attribute = record.impl.partition(":")
        return getattr(importlib.import_module(module), attribute)(record.options(**options))

    return build_metric


@pytest.fixture(scope="session")
def photographs():
    """Three photographs of 192 x 288 px, (3, 3, 192, 288) in [0, 1]."""
    crops = [data.astronaut()[:192, 100:388], data.chelsea()[60:252, 100:388], data.coffee()[100:292, 150:438]]
    return torch.stack([torch.from_numpy(crop.copy()).permute(2, 0, 1).float() / 255 for crop in crops])


@pytest.fixture(scope="session")
def noise(photographs):
    """Unit Gaussian noise of the photographs' shape."""
    return torch.randn(photographs.shape, generator=torch.Generator().manual_seed(7))


@pytest.fixture(scope="session")
def shown(photographs, noise):
    """shown(name) -> photographs that the metric is tried on, and unit noise of their shape."""

    def crop(name):
        part = (..., slice(64, 112), slice(96, 160)) if name in HEAVY else ...
        return photographs[part], noise[part]

    return crop
