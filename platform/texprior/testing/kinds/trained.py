"""Checks how networks that texprior trains behave in training mode, and how their weights are stored."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from texprior.diffusion.keys import drawing_by_key
from texprior.store import load_tensors, save_tensors
from texprior.testing.catalogue import check
from texprior.testing.kinds.rig import Rig
from texprior.testing.material import gap, same, seed_globals
from texprior.testing.outcomes import require
from texprior.testing.probe import Inputs
from texprior.testing.subject import Subject

CLOSE = 1e-6
"""The largest difference of outputs that counts as equal: what rounding in float32 leaves of numbers around 1."""


def train_mode(subject: Subject) -> None:
    """In training mode the output depends only on the inputs, the state_dict, and draws from torch's global generator,
    which training seeds at every step. Two calls with the same seed are equal, also in a new instance that loads the
    state_dict. So a resumed training equals an uninterrupted one.

    Fix: draw with torch's own layers (``nn.Dropout``) or without ``generator=``; do not use ``random``,
    ``numpy.random`` or a generator of your own; let ``forward`` change no attributes that the output depends on.
    """
    trained, inputs = subject.probe.make(subject), subject.probe.inputs()
    again = subject.probe.make(subject)
    _module(again).load_state_dict({name: t.clone() for name, t in _module(trained).state_dict().items()})
    first, second, third = (_training_output(subject, each, inputs) for each in (trained, trained, again))
    require(same(first, second), f"two calls with the same seed differ by {gap(first, second):.2g}")
    require(same(first, third), f"a new instance with the same state_dict differs by {gap(first, third):.2g}")


def microbatch(subject: Subject) -> None:
    """In training mode the output of a sample does not depend on the other samples of the batch. So the microbatch and
    the number of processes do not change what is trained.

    Fix: replace batch normalisation by group, layer or instance normalisation; do not use statistics over the batch.
    """
    before = _first_training_output(subject, subject.probe.inputs())
    for other in range(2):
        changed = subject.probe.inputs()
        for tensor in changed.values():
            tensor[other] = 1 - tensor[other]
        off = gap(_first_training_output(subject, changed)[1 - other], before[1 - other])
        require(off <= CLOSE, f"if the other sample of a batch changes, the output changes by {off:.2g}")


def state(subject: Subject) -> None:
    """The ``state_dict`` is complete and survives its file. A new instance with another seed gives the same output
    after loading it. Tensors with several names, such as tied weights, are allowed.

    Fix: register everything that the output depends on as parameters or buffers, also constants that are drawn at
    random; do not put anything but tensors into the ``state_dict``.
    """
    trained, inputs = subject.probe.make(subject), subject.probe.inputs()
    again = subject.build(seed=1).eval()
    again.load_state_dict(stored_and_read(trained.state_dict()))
    with torch.no_grad():
        off = gap(subject.probe.work(again, inputs)[0], subject.probe.work(trained, inputs)[0])
    require(off <= CLOSE, f"a new instance that loads the stored tensors gives an output that differs by {off:.2g}")


for _kind in ("denoiser", "predictor", "adapter"):
    check(f"{_kind}.train-mode", _kind)(train_mode)
    check(f"{_kind}.microbatch", _kind)(microbatch)
for _kind in ("denoiser", "predictor"):
    check(f"{_kind}.state", _kind)(state)


def stored_and_read(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Returns the tensors as they are after they were written to a file of weights."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "weights.safetensors"
        save_tensors(path, tensors)
        return load_tensors(path)[0]


def _module(component: Any) -> nn.Module:
    """Returns the module that is trained: of a rig the adapter, whose denoiser stays frozen."""
    module: nn.Module = component.adapter if isinstance(component, Rig) else component
    return module


def _first_training_output(subject: Subject, inputs: Inputs) -> Tensor:
    """Returns the output of a new instance, so that what calls leave behind plays no part."""
    seed_globals(0)
    return _training_output(subject, subject.probe.make(subject), inputs)


@torch.no_grad()
def _training_output(subject: Subject, component: Any, inputs: Inputs) -> Tensor:
    """Returns the output in training mode, with the global generator seeded as in a step of training."""
    _module(component).train()
    with drawing_by_key(torch.device("cpu"), "conformance", "train-mode"):
        output: Tensor = subject.probe.work(component, inputs)[0]
    return output
