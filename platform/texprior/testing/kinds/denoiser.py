"""Checks the rules of denoisers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from texprior.errors import ConfigError
from texprior.flow.condition import with_level
from texprior.flow.contract import require_tensor
from texprior.flow.prior import Block, DenoiserNet, Guide, unguided
from texprior.testing.catalogue import USABLE, check, declares
from texprior.testing.kinds.attention import Plain
from texprior.testing.kinds.reach import FAR, LENGTH, leak, strip
from texprior.testing.material import gap, gaussian, perturbed, photographs
from texprior.testing.outcomes import NotRun, require
from texprior.testing.probe import PROBES, Inputs, Probe, having, moved
from texprior.testing.subject import Subject

CODE_WIDTH, CODE_TOKENS = 12, 4
"""Sizes of the semantic code in the checks: small, and unlike those of any encoder, so that none can be assumed."""
PARTS = ("encoder", "middle", "decoder")
_FELT = 1e-7
"""A change of the output up to this size is rounding, not an influence."""


def arguments(height: int = 16, width: int = 24) -> Inputs:
    """Returns the inputs of a denoiser for two pictures."""
    return {
        "x": gaussian(2, 3, height, width, key="x"),
        "noise": torch.tensor([-0.5, 0.3]),
        "condition": photographs(2, height, width),
        "code": gaussian(2, CODE_TOKENS, CODE_WIDTH, key="code"),
    }


def call(network: DenoiserNet, inputs: Inputs, guide: Guide = unguided, skip: Guide = unguided) -> Tensor:
    """Returns F(x, c_noise; condition, code) with a guide and a guide for skip connections."""
    output: Tensor = network(inputs["x"], inputs["noise"], inputs["condition"], inputs["code"], guide, skip)
    return output


def _make(subject: Subject, changes: Mapping[str, Any] | None = None) -> DenoiserNet:
    network: DenoiserNet = subject.build(changes)
    return perturbed(network).eval()


PROBES["denoiser"] = Probe(
    arguments,
    lambda network, inputs: (
        require_tensor(network, call(network, inputs), inputs["x"].shape, inputs["x"], "the result of a network call"),
    ),
    make=_make,
    context=lambda _subject: {"code_width": CODE_WIDTH, "attention": Plain()},
    base=(DenoiserNet,),
    methods=having("forward", "blocks", "attentions", "norms", "fresh"),
    attributes=("code_width",),
    move=moved,
)


@check("denoiser.blocks", "denoiser")
def blocks(subject: Subject) -> None:
    """``forward`` calls the guide exactly once for every declared block, in the declared order, and for nothing else.

    Fix: call ``h = guide(name, block(h))`` after each basic denoising block, with the names of ``blocks()``.
    """
    network, visits = subject.build(), list[str]()

    def spy(name: str, hidden: Tensor) -> Tensor:
        visits.append(name)
        return hidden

    call(network, arguments(), spy)

    declared = list(network.blocks())
    require(declared, "it declares no block, so adapters cannot steer it")
    never = [name for name in declared if name not in visits]
    more = [name for name in dict.fromkeys(visits) if name not in declared or visits.count(name) > 1]
    require(not never, f"declared but never visited: {', '.join(never)}")
    require(not more, f"visited more than once, or not declared: {', '.join(more)}")
    require(visits == declared, f"visited in another order than declared: {', '.join(visits)}")


@check("denoiser.block-shape", "denoiser")
def block_shape(subject: Subject) -> None:
    """The output of a block has the declared channels, and one position for every ``stride`` pixels of the padded
    picture.

    Fix: declare ``Block(channels, stride, part)`` with the channels and stride of the block's output; part is encoder,
    middle or decoder.
    """
    network = subject.build()
    declared: dict[str, Block] = network.blocks()
    # multiples of every stride need no padding, and different sides find swapped dimensions
    coarsest = max(block.stride for block in declared.values())
    height, width = 4 * coarsest, 8 * coarsest
    wrong = list[str]()

    def spy(name: str, hidden: Tensor) -> Tensor:
        block = declared.get(name)
        if block is not None:
            shape = (2, block.channels, height // block.stride, width // block.stride)
            if tuple(hidden.shape) != shape or block.part not in PARTS:
                wrong.append(f"the output of {name} is {tuple(hidden.shape)}, declared is {shape}, part {block.part}")
        return hidden

    call(network, arguments(height, width), spy)
    require(not wrong, "; ".join(wrong[:3]))


@check("denoiser.guide", "denoiser")
def guide(subject: Subject) -> None:
    """The network uses what the guide returns: a change after any block changes the output.

    Fix: use the returned tensor, ``h = guide(name, h)``, in all layers that follow.
    """
    network, inputs = _make(subject), arguments()
    plain = call(network, inputs)
    deaf = [name for name in network.blocks() if gap(call(network, inputs, _only(name)), plain) <= _FELT]
    require(not deaf, f"the output does not depend on what the guide returns after {', '.join(deaf)}")


@check("denoiser.skips", "denoiser")
def skips(subject: Subject) -> None:
    """``forward`` calls ``skip`` exactly once with the output of every block that declares a skip connection, and for
    no other block. The decoder uses what ``skip`` returns.

    Fix: store ``skip(name, h)`` for the decoder, after ``h = guide(name, h)``; set ``skip=True`` only for those blocks.
    """
    network, inputs, visits = _make(subject), arguments(), list[str]()

    def spy(name: str, hidden: Tensor) -> Tensor:
        visits.append(name)
        return hidden

    plain = call(network, inputs, skip=spy)
    declared = [name for name, block in network.blocks().items() if block.skip]
    require(sorted(visits) == sorted(declared), f"declared are skips of {declared}, but skip is called for {visits}")
    deaf = [name for name in declared if gap(call(network, inputs, skip=_only(name)), plain) <= _FELT]
    require(not deaf, f"the output does not depend on what skip returns for {', '.join(deaf)}")


def _only(block: str) -> Callable[[str, Tensor], Tensor]:
    return lambda name, hidden: hidden + 0.5 * hidden.abs() + 0.1 if name == block else hidden


@check("denoiser.names", "denoiser")
def names(subject: Subject) -> None:
    """Every declared name is the path of a module: blocks and their closing layers, attention layers with their
    projections to keys and values, normalisation layers. Blocks of the decoder come last.

    Fix: use names that ``named_modules()`` lists; the name of a closing layer is relative to the path of its block.
    """
    network = subject.build()
    modules, declared = dict(network.named_modules()), network.blocks()
    paths = [*declared, *(f"{name}.{b.closing}" for name, b in declared.items() if b.closing)]
    paths += [*network.norms(), *(p for layer, below in network.attentions().items() for p in (layer, *below))]
    unknown = [path for path in paths if path not in modules]
    require(not unknown, f"it has no module named {', '.join(unknown[:3])}")
    late = [block.part == "decoder" for block in declared.values()]
    require(late == sorted(late), "a block of the encoder or middle comes after one of the decoder")


@check("denoiser.fresh", "denoiser")
def fresh(subject: Subject) -> None:
    """``fresh`` makes the same network with new initial weights: tensors of the same names and shapes, in separate
    memory. Its output is zero.

    Fix: build the class again with the same options, code width and attention.
    """
    network = _make(subject)
    try:
        other = network.fresh()
    except ConfigError as reason:
        raise NotRun(str(reason)) from None
    ours, theirs = network.state_dict(), other.state_dict()
    shapes = [{name: tuple(t.shape) for name, t in tensors.items()} for tensors in (ours, theirs)]
    require(shapes[0] == shapes[1], "the tensors of the new network have other names or shapes")
    places = {t.data_ptr() for t in ours.values() if t.numel()}
    shared = [name for name, t in theirs.items() if t.numel() and t.data_ptr() in places]
    require(not shared, f"the new network shares {len(shared)} tensors with the old one, such as {shared[:1]}")
    largest = float(call(other, arguments()).detach().abs().max())
    require(largest == 0, f"the new network's output is up to {largest:.2g}")


@check("denoiser.inputs-matter", "denoiser")
def inputs_matter(subject: Subject) -> None:
    """The layer, the noise level, the condition and the semantic code each change the output of a trained network.

    Fix: use the noise level and the code in every block, and concatenate the condition with the layer.
    """
    network = _make(subject)
    plain = call(network, arguments())
    for name, tensor in arguments().items():
        changed = {**arguments(), name: tensor + 0.3 * gaussian(*tensor.shape, key="other")}
        require(gap(call(network, changed), plain) > _FELT, f"the output does not depend on {name}")


@check("denoiser.no-code", "denoiser")
def no_code(subject: Subject) -> None:
    """The network also works without semantic code: built with ``code_width=0``, it accepts a code of shape (B, 0, 0).

    Fix: leave out the layers that read the code if ``code_width`` is 0.
    """
    ref = subject.ref()
    network = subject.registry.build("denoiser", ref, code_width=0, attention=Plain())
    require(network.code_width == 0, f"its code_width is {network.code_width}, not 0")
    output = call(network, {**arguments(), "code": torch.zeros(2, 0, 0)})
    require(torch.isfinite(output).all(), "not all values of the output are finite")


@check("denoiser.condition-level", "denoiser", when=declares("condition_level"))
@torch.no_grad()
def condition_level(subject: Subject) -> None:
    """With ``condition_level=True``, the network can be built with ``condition_level=True``. The level in the fourth
    channel of the condition then changes the output of its own sample, and without this channel it is 0. The output of
    a new network is zero.

    Fix: split the condition by ``flow.condition.split_level``, and embed the level as the noise level is embedded.
    """
    context = {**PROBES["denoiser"].context(subject), "condition_level": True}
    new, inputs = subject.build(context=context), arguments()

    def told(network: DenoiserNet, *levels: float) -> Tensor:
        return call(network, {**inputs, "condition": with_level(inputs["condition"], torch.tensor(levels))})

    largest = float(told(new, 0.0, 0.1).abs().max())
    require(largest == 0, f"a new network's output is up to {largest:.2g}")
    network = perturbed(new).eval()
    plain, first, second = call(network, inputs), told(network, 0.1, 0.0), told(network, 0.2, 0.0)
    require(gap(told(network, 0.0, 0.0), plain) <= _FELT, "without the channel, the output is not that of level 0")
    moved_by = gap(first[:1], plain[:1]), gap(second[:1], first[:1])
    require(min(moved_by) > _FELT, "the output does not depend on the level")
    require(gap(second[1:], plain[1:]) <= _FELT, "the level of one sample changes the output of another")


@check("denoiser.sizes", "denoiser")
def sizes(subject: Subject) -> None:
    """The output has the shape of x at any even size.

    Fix: pad inside the network to a multiple of the coarsest stride, and crop the output.
    """
    network = _make(subject)
    for height, width in ((32, 48), (18, 30), (34, 22), (2, 16)):
        output = call(network, arguments(height, width))
        require(
            output.shape == (2, 3, height, width), f"{width}x{height} px: the output has shape {tuple(output.shape)}"
        )
        require(torch.isfinite(output).all(), f"{width}x{height} px: not all values are finite")


@check("denoiser.zero", "denoiser")
def zero(subject: Subject) -> None:
    """The output of a new network is zero, so that D(x, sigma) starts as the best guess without knowledge of pictures.

    Fix: initialise the weight and bias of the last layer with zeros.
    """
    largest = float(call(subject.build(), arguments()).detach().abs().max())
    require(largest == 0, f"a new network's output is up to {largest:.2g}")


@check("denoiser.gradients", "denoiser")
def gradients(subject: Subject) -> None:
    """Every trainable parameter gets a gradient.

    Fix: remove unused layers; do not use ``detach`` or ``no_grad`` between the parameter and the output.
    """
    network = _make(subject)
    call(network, arguments()).square().mean().backward()  # type: ignore[no-untyped-call]
    idle = [n for n, p in network.named_parameters() if p.requires_grad and (p.grad is None or not p.grad.any())]
    require(any(p.requires_grad for p in network.parameters()), "it has no parameter to train")
    require(not idle, f"no gradient reaches {len(idle)} parameters, such as {', '.join(idle[:3])}")


@check("denoiser.local", "denoiser", when=declares("local"))
def local(subject: Subject) -> None:
    """With ``local=True``, the network depends only on nearby pixels. After a change at one end of a strip of 512
    px, outputs that are 368 px or more away change by at most 1e-6. So tiles with a halo give the same result as the
    whole picture.

    Fix: normalise over the channels of a position, not over the picture; remove ``local=True`` if positions attend
    to each other.
    """
    network, code = _make(subject), arguments()["code"][:1]
    far = leak(lambda image: network(image, torch.zeros(1), image, code))
    require(far <= 1e-6, f"{FAR} px away the output changes by {far:.2g}")


@check("denoiser.grid", "denoiser", when=declares("local"), after=(*USABLE, "denoiser.local"))
@torch.no_grad()
def grid(subject: Subject) -> None:
    """If ``grid()`` px are cut off at the left, outputs that are 368 px or more away from the cut change by at most
    1e-5. So tiles can begin at multiples of ``grid()``, which is a multiple of every block's stride.

    Fix: override ``grid`` if the network cuts its maps more coarsely than its strides, as into windows.
    """
    network, code = _make(subject), arguments()["code"][:1]
    step = network.grid()
    require(isinstance(step, int) and step >= 1, f"grid() is {step!r}: it must be a whole number of at least 1")
    odd = [name for name, block in network.blocks().items() if step % block.stride]
    require(not odd, f"grid() is {step} px, which is no multiple of the stride of {', '.join(odd)}")
    require(step + FAR < LENGTH, f"grid() is {step} px: the picture of this check is too short for it")
    whole, cut = (network(image, torch.zeros(1), image, code) for image in (strip(), strip()[..., step:]))
    off = gap(whole[..., step + FAR :], cut[..., FAR:])
    require(off <= 1e-5, f"if its grid of {step} px is cut off, the output differs by {off:.2g}")
