"""Rules of adapters, on a frozen denoiser of the registry."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

from texprior.flow.adapt import DenoiserAdapter
from texprior.plugin import Adapter
from texprior.testing.catalogue import When, check, tagged
from texprior.testing.kinds.denoiser import call
from texprior.testing.kinds.repeats import repeated_work
from texprior.testing.kinds.rig import Rig, inputs, prior, untouched
from texprior.testing.material import gap, gaussian, same
from texprior.testing.outcomes import NotRun, require
from texprior.testing.probe import PROBES, Probe, having
from texprior.testing.subject import Subject

CLOSE = 1e-6

PROBES["adapter"] = Probe(
    inputs,
    lambda rig, given: (rig(given),),
    make=Rig.of,
    context=lambda subject: {"denoiser": prior(subject)},
    base=(DenoiserAdapter,),
    methods=having("features", "adapted"),
    attributes=("runs_prior",),
    move=lambda rig, device: rig.to(device),
)


def _promises(record: Any) -> bool:
    return isinstance(record, Adapter) and record.identity != "no"


@check("adapter.identity", "adapter", when=When('`identity` is not "no"', _promises))
@torch.no_grad()
def identity(subject: Subject) -> None:
    """A new adapter leaves the prior's output as it is: to the bit where ``identity`` is ``bitwise``, within 1e-6 where
    it is ``close``.

    Fix: initialise the last layer, or the factor of the deltas, with zeros; or declare ``identity="no"``.
    """
    assert isinstance(subject.record, Adapter)
    expected, found = call(untouched(subject), inputs()), Rig.of(subject, trained=False)(inputs())
    off = gap(found, expected)
    holds = same(found, expected) if subject.record.identity == "bitwise" else off <= CLOSE
    require(holds, f'declared identity="{subject.record.identity}", but the output differs by {off:.2g}')


@check("adapter.acts", "adapter")
@torch.no_grad()
def acts(subject: Subject) -> None:
    """A trained adapter changes the prior's output.

    Fix: return the changed h from ``after_block``, or a network from ``adapted`` that uses the parameters.
    """
    rig = Rig.of(subject)
    if not rig.own():
        raise NotRun("it has no parameter to train")
    require(gap(rig(inputs()), call(untouched(subject), inputs())) > 1e-7, "its parameters change nothing")


@check("adapter.gradients", "adapter")
def gradients(subject: Subject) -> None:
    """A gradient reaches every parameter of the adapter that is trained.

    Fix: remove layers that nothing uses; no ``detach`` or ``no_grad`` on the way.
    """
    rig = Rig.of(subject)
    if not rig.own():
        raise NotRun("it has no parameter to train")
    rig(inputs()).square().mean().backward()  # type: ignore[no-untyped-call]
    idle = [name for name, p in rig.own().items() if p.grad is None or not p.grad.any()]
    require(not idle, f"no gradient reaches {len(idle)} parameters, such as {', '.join(idle[:3])}")


@check("adapter.frozen", "adapter")
def frozen(subject: Subject) -> None:
    """The prior stays frozen: none of its tensors gets a gradient or is a parameter of the adapter, and a training step
    leaves each as it was, to the bit.

    Fix: keep deltas of your own beside the frozen weights; copy what is to be trained (``copy.deepcopy``); never
    register the denoiser, or a module of it, as an attribute of the adapter.
    """
    network = prior(subject)
    tensors = dict([*network.named_parameters(), *network.named_buffers()])
    before = {name: t.detach().clone() for name, t in tensors.items()}
    rig = Rig.of(subject, network=network)
    places = {t.data_ptr() for t in tensors.values() if t.numel()}
    taken = [name for name, p in rig.adapter.named_parameters() if p.data_ptr() in places]
    require(not taken, f"{len(taken)} parameters of the adapter are the prior's own, such as {taken[:1]}")
    output = rig(inputs())
    if output.requires_grad:
        output.square().mean().backward()  # type: ignore[no-untyped-call]
        _descend(rig.own().values())
    trained = [name for name, t in tensors.items() if t.grad is not None or t.requires_grad]
    require(not trained, f"{len(trained)} tensors of the prior are trained, such as {trained[:1]}")
    moved = [name for name, t in tensors.items() if not same(t.detach(), before[name])]
    require(not moved, f"{len(moved)} tensors of the prior are changed, such as {moved[:1]}")


@check("adapter.state", "adapter")
def state(subject: Subject) -> None:
    """What a model folder stores of it is its own: no tensor of its ``state_dict`` lies in the prior's memory, and a
    new adapter of another seed that is given the stored tensors works the same.

    Fix: hold the denoiser's modules outside of the adapter's attributes; register all that is learned as parameters or
    buffers.
    """
    network = prior(subject)
    places = {t.data_ptr() for t in network.state_dict().values() if t.numel()}
    rig = Rig.of(subject, network=network)
    stored = rig.adapter.state_dict()
    taken = [name for name, t in stored.items() if t.numel() and t.data_ptr() in places]
    require(not taken, f"{len(taken)} stored tensors are the prior's own, such as {taken[:1]}")
    again = Rig.of(subject, trained=False, seed=1)
    again.adapter.load_state_dict({name: t.clone() for name, t in stored.items()})
    with torch.no_grad():
        off = gap(again(inputs()), rig(inputs()))
    require(off <= CLOSE, f"loaded into a new adapter they give another output, by {off:.2g}")


@check("adapter.leaves-prior", "adapter")
@torch.no_grad()
def leaves_prior(subject: Subject) -> None:
    """While it works and after it, the prior is what it was: the same tensors under the same names, to the bit, and the
    same output without it; so any number of adapters may stand on one prior.

    Fix: steer by what ``adapted`` returns (a guide, ``torch.func.functional_call`` with other weights); no hooks, no
    replaced modules, no weights written to.
    """
    network = prior(subject)
    before = {name: t.clone() for name, t in network.state_dict().items()}
    expected = call(network, inputs())
    rig, other = (Rig.of(subject, seed=seed, network=network) for seed in (0, 1))
    first = rig(inputs())
    other(inputs())
    again = gap(rig(inputs()), first)
    after = network.state_dict()
    names = sorted(before.keys() ^ after.keys())
    require(not names, f"tensors that are new or gone: {', '.join(names[:3])}")
    moved = [name for name, t in after.items() if not same(t, before[name])]
    require(not moved, f"{len(moved)} tensors are changed, such as {moved[:1]}")
    off = gap(call(network, inputs()), expected)
    require(off == 0, f"the output without it differs by {off:.2g}")
    require(again == 0, f"with another one on the same prior its output differs by {again:.2g}")


@check("adapter.sizes", "adapter")
@torch.no_grad()
def sizes(subject: Subject) -> None:
    """It works at sizes that no stride divides, and gives finite values there.

    Fix: pad the estimate as the denoiser pads its input (``mode="replicate"``, at the right and below).
    """
    rig = Rig.of(subject)
    for height, width in ((18, 30), (34, 22)):
        output = rig(inputs(height, width))
        require(output.shape == (2, 3, height, width), f"{width}x{height} px come back as {tuple(output.shape)}")
        require(torch.isfinite(output).all(), f"{width}x{height} px: values that are no finite numbers")


@check("adapter.cacheable", "adapter", when=tagged("cacheable"))
@torch.no_grad()
def cacheable(subject: Subject) -> None:
    """What is declared ``cacheable`` runs once per image: in a network call nothing costly (convolution, matrix
    product, normalisation, resampling) is computed from the estimate alone; ``features`` has done that.

    Fix: move it to ``features`` and return its result by block; leave out the tag where x_t is looked at too.
    """
    rig, first = Rig.of(subject), inputs()
    other_x = {**first, "x": gaussian(2, 3, 16, 24, key="other"), "noise": first["noise"] + 0.4}
    other_y = {**first, "estimate": 1 - first["estimate"]}
    found = repeated_work(rig.step(first), rig.step(other_x), rig.step(other_y))
    require(not found, f"computed again at every step from the estimate alone: {', '.join(found)}")


@torch.no_grad()
def _descend(parameters: Iterable[nn.Parameter]) -> None:
    """A step of gradient descent."""
    for parameter in parameters:
        if parameter.grad is not None:
            parameter.sub_(0.1 * parameter.grad)
