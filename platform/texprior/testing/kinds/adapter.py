"""Checks the rules of adapters, on a frozen denoiser of the registry."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from texprior.errors import ConfigError
from texprior.flow.adapt import DenoiserAdapter, Features, Given, features_of, steered, strides_of
from texprior.flow.tile import tiles
from texprior.plugin import Adapter, Component
from texprior.testing.catalogue import When, check, declares
from texprior.testing.kinds.denoiser import call
from texprior.testing.kinds.reach import FAR, LENGTH, leak, strip
from texprior.testing.kinds.repeats import repeated_work
from texprior.testing.kinds.rig import Rig, all_one, inputs, prior, seen_of, untouched
from texprior.testing.kinds.trained import stored_and_read
from texprior.testing.material import gap, gaussian, same
from texprior.testing.outcomes import NotRun, require
from texprior.testing.probe import PROBES, Probe, having
from texprior.testing.subject import Subject

CLOSE = 1e-6
"""The largest difference of outputs that counts as equal: what rounding in float32 leaves of numbers around 1."""

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


def _promises(record: Component) -> bool:
    return isinstance(record, Adapter) and record.identity != "no"


@check("adapter.identity", "adapter", when=When('`identity` is not "no"', _promises))
@torch.no_grad()
def identity(subject: Subject) -> None:
    """A new adapter does not change the prior's output: no bit of it if ``identity`` is ``bitwise``, at most 1e-6 if it
    is ``close``.

    Fix: initialise the last layer, or the factor of the weight changes, with zeros; or declare ``identity="no"``.
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
    require(gap(rig(inputs()), call(untouched(subject), inputs())) > 1e-7, "its parameters do not change the output")


@check("adapter.gradients", "adapter")
def gradients(subject: Subject) -> None:
    """Every trainable parameter of the adapter gets a gradient.

    Fix: remove unused layers; do not use ``detach`` or ``no_grad`` between the parameter and the output.
    """
    rig = Rig.of(subject)
    if not rig.own():
        raise NotRun("it has no parameter to train")
    rig(inputs()).square().mean().backward()  # type: ignore[no-untyped-call]
    idle = [name for name, p in rig.own().items() if p.grad is None or not p.grad.any()]
    require(not idle, f"no gradient reaches {len(idle)} parameters, such as {', '.join(idle[:3])}")


@check("adapter.frozen", "adapter")
def frozen(subject: Subject) -> None:
    """The prior stays frozen. None of its tensors gets a gradient or is a parameter of the adapter, and a training step
    does not change any of them.

    Fix: store your own weight changes separately from the frozen weights; copy what you want to train
    (``copy.deepcopy``); never register the denoiser, or a module of it, as an attribute of the adapter.
    """
    network = prior(subject)
    tensors = dict([*network.named_parameters(), *network.named_buffers()])
    before = {name: t.detach().clone() for name, t in tensors.items()}
    rig = Rig.of(subject, network=network)
    places = {t.data_ptr() for t in tensors.values() if t.numel()}
    # compare addresses, because a frozen tensor may be wrapped into a new Parameter under another name
    taken = [name for name, p in rig.adapter.named_parameters() if p.data_ptr() in places]
    require(not taken, f"{len(taken)} parameters of the adapter are tensors of the prior, such as {taken[:1]}")

    output = rig(inputs())
    if output.requires_grad:
        output.square().mean().backward()  # type: ignore[no-untyped-call]
        _descend(rig.own().values())

    trained = [name for name, t in tensors.items() if t.grad is not None or t.requires_grad]
    require(not trained, f"{len(trained)} tensors of the prior get a gradient or require one, such as {trained[:1]}")
    moved = [name for name, t in tensors.items() if not same(t.detach(), before[name])]
    require(not moved, f"{len(moved)} tensors of the prior are changed, such as {moved[:1]}")


@check("adapter.state", "adapter")
def state(subject: Subject) -> None:
    """The adapter's ``state_dict`` is complete and its own. No tensor of it is in the prior's memory. A new adapter
    with another seed gives the same output after loading it from its file.

    Fix: do not store modules of the denoiser as attributes of the adapter; register everything that is learned as
    parameters or buffers.
    """
    network = prior(subject)
    places = {t.data_ptr() for t in network.state_dict().values() if t.numel()}
    rig = Rig.of(subject, network=network)
    stored = rig.adapter.state_dict()
    taken = [name for name, t in stored.items() if t.numel() and t.data_ptr() in places]
    require(not taken, f"{len(taken)} stored tensors are in the prior's memory, such as {taken[:1]}")

    # another seed, so that values that are drawn but not stored differ
    again = Rig.of(subject, trained=False, seed=1)
    again.adapter.load_state_dict(stored_and_read(stored))
    with torch.no_grad():
        off = gap(again(inputs()), rig(inputs()))
    require(off <= CLOSE, f"a new adapter that loads the stored tensors gives an output that differs by {off:.2g}")


@check("adapter.leaves-prior", "adapter")
@torch.no_grad()
def leaves_prior(subject: Subject) -> None:
    """A call of the adapter leaves the prior unchanged: the same tensors under the same names, and the same output
    without the adapter. So any number of adapters can share one prior.

    Fix: steer only through what ``adapted`` returns (a guide, or ``torch.func.functional_call`` with other weights); do
    not leave hooks, replace modules or write to weights.
    """
    network = prior(subject)
    before = {name: t.clone() for name, t in network.state_dict().items()}
    expected = call(network, inputs())

    # a second adapter on the same prior, in between, shows state that the two would share
    rig, other = (Rig.of(subject, seed=seed, network=network) for seed in (0, 1))
    first = rig(inputs())
    other(inputs())
    again = gap(rig(inputs()), first)

    after = network.state_dict()
    names = sorted(before.keys() ^ after.keys())
    require(not names, f"tensors that were added or removed: {', '.join(names[:3])}")
    moved = [name for name, t in after.items() if not same(t, before[name])]
    require(not moved, f"{len(moved)} tensors are changed, such as {moved[:1]}")
    off = gap(call(network, inputs()), expected)
    require(off == 0, f"afterwards the output of the prior alone differs by {off:.2g}")
    require(again == 0, f"after a call of another adapter on the same prior, its output differs by {again:.2g}")


@check("adapter.sizes", "adapter")
@torch.no_grad()
def sizes(subject: Subject) -> None:
    """The adapter works at sizes that are not a multiple of any stride, with finite outputs.

    Fix: pad the estimate in the same way as the denoiser pads its input (``mode="replicate"``, at the right and below).
    """
    rig = Rig.of(subject)
    for height, width in ((18, 30), (34, 22)):
        output = rig(inputs(height, width))
        require(
            output.shape == (2, 3, height, width), f"{width}x{height} px: the output has shape {tuple(output.shape)}"
        )
        require(torch.isfinite(output).all(), f"{width}x{height} px: not all values are finite")


@check("adapter.given", "adapter")
@torch.no_grad()
def without_structure(subject: Subject) -> None:
    """An adapter with ``features_from`` works if ``given.structure`` is None, which it is for some experiments, or
    raises ConfigError.

    Fix: look whether it is None, and use the estimate instead or say in a ConfigError which settings the adapter needs.
    """
    rig, given = Rig.of(subject), inputs()
    if not rig.adapter.sees_given:
        raise NotRun("it does not define features_from")
    try:
        features = features_of(rig.adapter, seen_of(given, with_structure=False))
    except ConfigError:
        return
    call_of = steered(rig.adapter, rig.network, features)
    output = call_of(given["x"], given["noise"], given["condition"], given["code"])
    require(torch.isfinite(output).all(), "without a structure, not all values of the output are finite")


@check("adapter.cacheable", "adapter", when=declares("cacheable"))
@torch.no_grad()
def cacheable(subject: Subject) -> None:
    """With ``cacheable=True``, a network call repeats no costly operation (convolution, matrix product,
    normalisation, resampling) that depends only on the estimate; ``features`` computes it once per image.

    Fix: compute everything that depends only on the estimate in ``features`` and return the results by block; remove
    ``cacheable=True`` if the adapter also reads x_t.
    """
    # what is equal for another x and noise, but not for another estimate, depends only on the estimate
    rig, first = Rig.of(subject), inputs()
    other_x = {**first, "x": gaussian(2, 3, 16, 24, key="other"), "noise": first["noise"] + 0.4}
    other_y = {**first, **{name: 1 - first[name] for name in ("estimate", "degraded", "structure")}}
    found = repeated_work(rig.step(first), rig.step(other_x), rig.step(other_y))
    require(not found, f"repeated at every step although it depends only on the estimate: {', '.join(found)}")


@check("adapter.local", "adapter", when=When("`local`", lambda record: isinstance(record, Adapter) and record.local))
@torch.no_grad()
def local(subject: Subject) -> None:
    """With ``local=True``, features and steered denoiser depend only on nearby pixels. After a change at one end of a
    strip of 512 px, in the estimate and in all other pictures, outputs that are 368 px or more away change by at most
    1e-6. So features of a tile with a halo are those of the whole picture.

    Fix: use no mean, pooling or normalisation over positions; or remove ``local``: then ``features`` sees the whole
    picture.
    """
    _require_local_host(subject)
    far = leak(lambda image: _on_strip(Rig.of(subject), image))
    require(far <= CLOSE, f"{FAR} px away the output changes by {far:.2g}")


@check("adapter.tiles", "adapter", when=When("no `local`", lambda record: not getattr(record, "local", False)))
@torch.no_grad()
def in_tiles(subject: Subject) -> None:
    """Without ``local``, a tile that gets its part of the whole picture's features gives the same as the whole picture,
    within 1e-5, at 368 px or more from its border.

    Fix: compute in ``features`` whatever depends on the whole picture; use no statistics over positions after a block;
    override ``of_tile`` if your features are no maps (B, C, H/stride, W/stride) and depend on positions.
    """
    _require_local_host(subject)
    rig, image = Rig.of(subject), strip()
    size, strides = (image.shape[-2], image.shape[-1]), strides_of(rig.network)
    # the tile without the last fourth of the strip: its first pixels are far enough from the cut
    side = 3 * LENGTH // 4 + 64
    (tile, *_) = tiles(*size, side, 0)
    part = rig.adapter.of_tile(features_of(rig.adapter, _seen(image)), tile, size, strides)
    # each on a rig of its own, so that what a call leaves behind plays no part
    found, expected = _on_strip(rig, tile.cut(image), part), _on_strip(Rig.of(subject), image)
    off = gap(found[..., : side - FAR], expected[..., : side - FAR])
    require(off <= 1e-5, f"{FAR} px from its border a tile differs from the whole picture by {off:.2g}")


def _require_local_host(subject: Subject) -> None:
    """Raises NotRun if the denoiser itself is not local."""
    network, code = untouched(subject), inputs()["code"][:1]
    if leak(lambda image: network(image, torch.zeros(1), image, code)) > CLOSE:
        raise NotRun("the denoiser that it steers is not local; name another one", lacking=True)


def _on_strip(rig: Rig, image_1CHW: Tensor, features: Features | None = None) -> Tensor:
    """Returns the output for a strip as layer and all that is seen; with its own features if none are given."""
    own = features_of(rig.adapter, _seen(image_1CHW)) if features is None else features
    network = steered(rig.adapter, rig.network, own)
    return network(image_1CHW, torch.zeros(1), image_1CHW, inputs()["code"][:1])


def _seen(image_1CHW: Tensor) -> Given:
    return all_one(image_1CHW, inputs()["code"][:1])


@torch.no_grad()
def _descend(parameters: Iterable[nn.Parameter]) -> None:
    """Takes one step of gradient descent."""
    for parameter in parameters:
        if parameter.grad is not None:
            parameter.sub_(0.1 * parameter.grad)
