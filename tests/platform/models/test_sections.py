"""A large picture restored section by section is the picture restored as a whole, within what tiles change."""

import os
import subprocess
import sys

import pytest
import torch

from texprior import pipeline
from texprior.errors import ConfigError
from texprior.flow import decompose
from texprior.models import sections
from texprior.models.inputs import inputs_of
from texprior.registry import Registry

UNET = {"width": 8, "levels": 2, "blocks": 1}
EQUAL = 2e-5
"""What the halo of today's tiles changes of these networks, whose weights are random and large."""


@pytest.fixture(scope="module")
def registry():
    return Registry.discover()


@pytest.fixture
def built(registry, untrained):
    def build(**changes):
        small = {"encoder": {"mobilenet_v2": {"stages": 3}}, "sampling": {"tile": 64, "halo": 64, "steps": 2}}
        return untrained(registry, scale=0.1, **{"threads": 1, **small, **changes})

    return build


@pytest.fixture(scope="module")
def degraded():
    """No side fits a stride, a tile or a section."""
    return torch.rand(1, 3, 150, 221, generator=torch.Generator().manual_seed(0))


def both(model, degraded, monkeypatch, **how):
    whole = pipeline.restore(model, degraded, "key", seed=3, **how)
    monkeypatch.setattr(sections, "SECTION", 64)
    monkeypatch.setattr(sections, "LARGE", 64)
    monkeypatch.setattr(decompose, "TILE", 128)
    assert len(sections.sections_of(model, model.experiment.sampling, degraded.shape[-2:])) == 12
    return whole, pipeline.restore(model, degraded, "key", seed=3, **how)


FIELDS = ("picture", "spread", "estimate", "base", "layer")


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"process": {"base": "estimate-structure", "concat": "degraded", "code": "structure"}},
        {"decomposition": {"wavelet": {"levels": 2.5}}, "diffusion": {"condition_blur": 1.5, "condition_noise": 0.05}},
        {"decomposition": {"l0": {}}},
        {"sampling": {"tile": 64, "halo": 64, "steps": 3, "sampler": "euler-ancestral", "samples": 3}},
        {"encoder": "none", "sampling": {"tile": 64, "halo": 64, "steps": 2, "sampler": "heun"}},
        {
            "diffusion": {"process": "residual-shift"},
            "sampling": {"tile": 64, "halo": 64, "steps": 2, "sampler": "posterior"},
        },
        # after one step: tiles of the margin, which the next step sees, have tokens of what the section sees
        {
            "encoder": {"mobilenet_v2": {"stages": 3, "place": True}},
            "denoiser": {"unet": {**UNET, "positions": True}},
            "sampling": {"tile": 64, "halo": 64, "steps": 1},
        },
        {"sampling": {"tile": 64, "halo": 64, "steps": 1, "self_ensemble": 8, "samples": 2}},
        {"decomposition": {"l0": {}}, "sampling": {"tile": 64, "halo": 64, "steps": 1, "self_ensemble": 8}},
    ],
    ids=["default", "structure", "wavelet", "global", "samples", "heun", "process", "place", "ensemble", "turned"],
)
def test_sections_are_the_whole_picture_within_the_halo(built, degraded, monkeypatch, changes):
    whole, found = both(built(**changes), degraded, monkeypatch)
    for name in FIELDS:
        # rounding is relative, and two steps of heun with random weights reach 60 deviations of a layer
        scale = whole.layer.abs().max() if name == "layer" else 1
        assert (getattr(found, name) - getattr(whole, name)).abs().max() < EQUAL * scale, name
    assert found.calls == whole.calls


def test_sections_of_given_inputs_are_the_whole_picture(built, degraded, monkeypatch):
    model = built()
    given = inputs_of(degraded, model.experiment, model.predictor, model.prior, model.prior.encoder)
    whole, found = both(model, degraded, monkeypatch, inputs=given, guided=False)
    assert (found.picture - whole.picture).abs().max() < EQUAL


def test_an_adapter_that_is_not_local_makes_one_section(built, monkeypatch):
    model = built()
    record = model.registry.find("adapter", "cga").component
    monkeypatch.setattr(sections, "SECTION", 64)
    monkeypatch.setattr(sections, "LARGE", 64)
    assert len(sections.sections_of(model, model.experiment.sampling, (150, 221))) == 12
    monkeypatch.setitem(record.__dict__, "local", False)
    (section,) = sections.sections_of(model, model.experiment.sampling, (150, 221))
    assert section.seen == (slice(0, 150), slice(0, 221))


def test_tiles_of_a_section_lie_on_the_grid_of_the_whole_picture(built, monkeypatch):
    model = built()
    monkeypatch.setattr(sections, "SECTION", 128)
    monkeypatch.setattr(sections, "LARGE", 64)
    settings = model.experiment.sampling
    for section in sections.sections_of(model, settings, (300, 400)):
        tiles = sections.tiles_of(section, settings)
        inner = {section.seen[0].start + t.place[0].start for t in tiles} - {section.seen[0].start}
        assert all(row % settings.tile == 0 for row in inner)


def test_every_call_on_a_tile_is_told(built, degraded, monkeypatch):
    model, told = built(), []
    monkeypatch.setattr(sections, "SECTION", 64)
    monkeypatch.setattr(sections, "LARGE", 64)
    walk = pipeline.restore_sections(
        model, lambda r, c: degraded[..., r, c], (150, 221), "key", tell=lambda *numbers: told.append(numbers)
    )
    places = [section.place for section, _ in walk]
    assert len(places) == 12
    assert told == [(i + 1, 24) for i in range(24)]


CHILD = """
import resource, sys
from pathlib import Path
import torch
torch.set_num_threads(1)
from texprior import config, pipeline
from texprior.diffusion.process import Process
from texprior.errors import ConfigError
from texprior.flow.kinds import PREDICTOR
from texprior.flow.pixels import Picture
from texprior.models import sections
from texprior.models.build import Model, build_adapter, build_prior
from texprior.registry import Registry
from texprior.runtime.session import Session
from texprior.cli.restored_files import RestoredFile

unet = {"unet": {"width": 8, "levels": 1, "blocks": 1}}
sampling = {"tile": 320, "halo": 16, "steps": 1}
data = {"name": "x", "encoder": "none", "process": {"concat": "degraded"}, "denoiser": unet,
        "predictor": "identity", "sampling": sampling, "events": []}
registry = Registry.discover()
session = Session.start(config.resolve(data, registry), registry)
prior = build_prior(session.builder, 0.1, Path())
prior.network.requires_grad_(False)
parts = session.build(PREDICTOR), build_adapter(session.builder, prior)
model = Model(session.experiment, prior, *parts, Process(0.1), Path(), registry)
sections.SECTION = sections.LARGE = 320
for height, width in ((1000, 1000), (2000, 3000)):
    picture = Picture(torch.zeros(3, height, width, dtype=torch.uint8))
    file = RestoredFile(picture, 8, with_spread=False)
    for section, found in pipeline.restore_sections(model, picture.part, picture.size, "key", guided=False):
        file.put(section, found, "here")
        del found
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the peak is in kB on Linux alone")
def test_memory_grows_by_what_the_two_files_need():
    """6 bytes a pixel: 8 bits of three channels, of the picture and of the result. A float copy would be 12 more."""
    # without the threshold, freed tensors stay in the heap, and how many depends on the order of all sizes
    environment = os.environ | {"MALLOC_MMAP_THRESHOLD_": "65536", "OMP_NUM_THREADS": "1"}
    child = [sys.executable, "-c", CHILD]
    done = subprocess.run(child, capture_output=True, text=True, check=True, env=environment)
    small, large = (int(line) * 1024 for line in done.stdout.split())
    assert (large - small) / 5e6 < 15


def test_sections_begin_on_the_windows_of_the_denoiser(built):
    """Windows of 12 positions at a stride of 8 px: with a margin of 64 px a section would cut them elsewhere."""
    small = {"width": 8, "levels": 3, "blocks": 1, "middle": 1, "head_width": 4, "window": 12}
    model = built(denoiser={"window_transformer": small}, sampling={"tile": 96, "halo": 0})
    assert model.prior.network.grid() == 96
    found = sections.sections_of(model, model.experiment.sampling, (64, 4000))
    starts = [section.seen[1].start for section in found]
    assert starts == [0, 864, 1824, 2784, 3744]


def test_tiles_that_cut_the_windows_of_the_denoiser_are_refused(built):
    with pytest.raises(ConfigError, match=r"sampling\.halo: 48 px is no multiple of the denoiser's grid, 32 px"):
        built(denoiser="window_transformer", sampling={"tile": 64, "halo": 48})
