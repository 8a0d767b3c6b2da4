"""Bundled photographs and the metrics by name."""

import importlib

import pytest
import torch
from skimage import data

from texprior_plugins.metric import texprior_metrics

RECORDS = {record.name: record for record in texprior_metrics()}


@pytest.fixture(scope="session")
def build():
    """build(name, **options) -> the metric, as its record says."""

    def build_metric(name, **options):
        record = RECORDS[name]
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
