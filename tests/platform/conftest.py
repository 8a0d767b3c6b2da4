"""A small model with random weights; and somebody else's installed plugin, for what happens if its program changes."""

import sys
from pathlib import Path

import pytest

from texprior import config
from texprior.diffusion.process import Process
from texprior.flow.kinds import PREDICTOR
from texprior.models.build import Model, build_adapter, build_prior
from texprior.registry import Registry
from texprior.runtime.session import Session
from texprior.testing.material import perturbed

SOURCE = """
from texprior.plugin import Adapter, Degradation, Events, Metric, hookimpl

@hookimpl
def texprior_degradations():
    return [Degradation("darker", "{module}:Darker", summary="Halves.")]

@hookimpl
def texprior_adapters():
    return [Adapter("gate", "{module}:Gate", summary="Gates.")]

@hookimpl
def texprior_events():
    return [Events("bell", "{module}:Bell", summary="Rings.")]
"""


@pytest.fixture(scope="session")
def untrained():
    """The model of an experiment, with weights that no part of it starts with, so that every part has an effect."""

    def build(registry, scale=0.05, **experiment):
        small = {"unet": {"width": 8, "levels": 2, "blocks": 1}}
        data = {"name": "x", "events": [], "denoiser": small, "predictor": small} | experiment
        session = Session.start(config.resolve(data, registry), registry)
        prior = build_prior(session.builder, scale, Path())
        prior.network.requires_grad_(False)
        perturbed(prior.network, 0.1).eval()
        adapter = perturbed(build_adapter(session.builder, prior), 0.1).eval()
        predictor = perturbed(session.build(PREDICTOR), 0.1).eval()
        return Model(session.experiment, prior, predictor, adapter, Process(scale), Path(), registry)

    return build


@pytest.fixture
def plugin_source():
    """The source of a plugin; {module} stands for the module of its implementations."""
    return SOURCE


@pytest.fixture
def package(tmp_path, monkeypatch, plugin_source):
    """An installed plugin of somebody else's; its program, and a session of an experiment."""
    info, folder = tmp_path / "acme_dusk-1.2.dist-info", tmp_path / "acme_dusk"
    info.mkdir()
    folder.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-dusk\nVersion: 1.2\n")
    (info / "entry_points.txt").write_text("[texprior]\nmain = acme_dusk\n")
    (folder / "__init__.py").write_text(plugin_source.format(module="acme_dusk.impl"))
    (folder / "impl.py").write_text("class Bell:\n    def __init__(self, options):\n        pass\n")
    monkeypatch.syspath_prepend(tmp_path)
    for module in ("acme_dusk", "acme_dusk.impl"):  # of another test
        monkeypatch.delitem(sys.modules, module, raising=False)
    registry = Registry.discover()

    def session(**more):
        return Session.start(config.resolve({"name": "x", "events": [], **more}, registry), registry, root=tmp_path)

    return folder / "impl.py", session
